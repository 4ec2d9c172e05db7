"""The ladder's pure parts by small data, and its rungs by short clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from models.corpus.sound import soundfont
from models.engine.controls import Controls
from models.errors import SegueError
from models.evaluation.ladder import fullband
from models.evaluation.ladder.clips import RealMusic, clip_path, read_clip, write_clips
from models.evaluation.ladder.command import default_rungs, folder_of, main, measure
from models.evaluation.ladder.frechet import frechet_distance
from models.evaluation.ladder.report import draw, markdown
from models.evaluation.ladder.rungs import SEED, arranged, song_of
from models.music.score import FRAME_SECONDS, PITCHED, rasterize
from models.registry import unregister_engine
from models.segue.arranger.arranger import Arranger
from models.segue.renderer.network import FRAMES_PER_BLOCK
from models.segue.style.anchors import mixture
from tests.support.tone_engine import register_tone_engine

RATE = 48_000


def normal(mean: list[float], root: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Vectors whose sample mean and covariance are exactly the mean and root @ root.T."""
    x = np.random.default_rng(seed).normal(size=(count, len(mean)))
    x -= x.mean(axis=0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    return np.asarray(white @ root.T + mean)


ROOT = np.array([[2.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, -0.3, 0.7]])


@pytest.mark.parametrize(
    ("shift", "root", "expected"),
    [
        ([0.0, 0.0, 0.0], ROOT, 0.0),
        ([1.0, 2.0, -2.0], ROOT, 9.0),
        # Commuting covariances C and 4 C: tr C (1 + 4 - 2 * 2) = tr C
        ([0.0, 0.0, 0.0], 2 * ROOT, float(np.trace(ROOT @ ROOT.T))),
        ([3.0, 0.0, 0.0], 2 * ROOT, 9.0 + float(np.trace(ROOT @ ROOT.T))),
    ],
)
def test_frechet_distance_of_known_distributions(
    shift: list[float], root: np.ndarray, expected: float
) -> None:
    first, second = normal([0.0] * 3, ROOT, 50, 1), normal(shift, root, 70, 2)
    assert frechet_distance(first, second) == pytest.approx(expected, abs=1e-6)
    assert frechet_distance(second, first) == pytest.approx(expected, abs=1e-6)


def test_frechet_distance_of_axes_that_do_not_commute() -> None:
    """Two dimensions: tr (C1 C2)^(1/2) = (tr C1 C2 + 2 (det C1 C2)^(1/2))^(1/2)."""
    a, b = np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.4], [0.0, 3.0]])
    one, other = a @ a.T, b @ b.T
    product = one @ other
    shared = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(one) + np.trace(other) - 2 * shared
    found = frechet_distance(normal([0.0, 0.0], a, 40, 3), normal([0.0, 0.0], b, 40, 4))
    assert found == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.zeros((4, 2)), np.zeros((4, 3))),
        (np.zeros((1, 2)), np.zeros((4, 2))),
        (np.zeros(4), np.zeros((4, 1))),
        (np.full((4, 2), np.nan), np.zeros((4, 2))),
    ],
)
def test_frechet_distance_refuses_what_is_no_distribution(
    first: np.ndarray, second: np.ndarray
) -> None:
    with pytest.raises(ValueError):
        frechet_distance(first, second)


def music(seed: int, seconds: float = 10.0, **how: float) -> np.ndarray:
    """A tone with decaying strokes of noise, (n, 2); `how` moves one property of the sound."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    strokes = np.exp(-(time % 0.5) * how.get("decay", 20.0)) * rng.normal(size=len(time))
    low = np.sin(2 * np.pi * 80 * time) * how.get("low", 0.3)
    tone = np.sin(2 * np.pi * (400 + 10 * seed) * time) * 0.3
    middle = low + tone + strokes * how.get("noise", 0.2)
    side = rng.normal(size=len(time)) * how.get("side", 0.02)
    return np.stack([middle + side, middle - side], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("feature", "how", "sign"),
    [
        ("side_db", {"side": 0.1}, 1),
        ("low_under_150_db", {"low": 1.0}, 1),
        ("air_8_16k_db", {"noise": 0.02}, -1),
        ("presence_2_8k_db", {"noise": 0.02}, -1),
        ("tonal_clarity_mid", {"noise": 0.02}, 1),
        ("attack_rise_p99_db", {"decay": 0.0}, -1),
        ("gap_depth_db", {"decay": 0.0, "low": 0.0}, -1),
        ("crest_db", {"decay": 60.0, "noise": 1.0}, 1),
    ],
)
def test_a_feature_moves_with_its_property(feature: str, how: dict[str, float], sign: int) -> None:
    plain, moved = (fullband.features(music(0, **each)) for each in ({}, how))
    assert (moved[feature] - plain[feature]) * sign > 0.1


def test_features_do_not_depend_on_the_level() -> None:
    clip = music(0)
    loud, quiet = fullband.features_of([clip]), fullband.features_of([clip * np.float32(0.05)])
    for name in fullband.NAMES:
        assert loud[name] == pytest.approx(quiet[name], abs=1e-3)


def test_a_set_is_near_its_like_and_far_from_another_sound() -> None:
    one = fullband.features_of([music(seed) for seed in range(8)])
    like = fullband.features_of([music(seed) for seed in range(8, 16)])
    other = fullband.features_of([music(seed, noise=0.02, side=0.2) for seed in range(8)])
    assert fullband.distance(one, one) == 0.0
    assert fullband.distance(one, like) < 0.3 * fullband.distance(one, other)


def test_silence_is_left_out() -> None:
    silence = np.zeros((10 * RATE, 2), np.float32)
    found = fullband.features_of([np.concatenate([silence, music(0)])])
    assert [len(values) for values in found.values()] == [1] * len(fullband.NAMES)
    with pytest.raises(ValueError, match="ten seconds"):
        fullband.features_of([silence])


FIGURES: dict[str, Any] = {
    "clips": 2,
    "seconds": 20.0,
    "rungs": {
        "corpus": {"clips": 2, "musicnn_to_real": 21.04, "full_band_to_real": 0.5},
        "score:before": {"clips": 2, "full_band_to_corpus": 0.25149},
        "segue": {"clips": 2, "musicnn_to_corpus": 15.6, "musicnn_to_real": 29.1},
    },
}


def test_the_table_shows_what_was_measured_and_nothing_else(tmp_path: Path) -> None:
    lines = markdown(FIGURES).splitlines()
    assert lines[2] == "| corpus | - | 21.0 | - | 0.500 |"
    assert lines[3] == "| true scores, renderer, codec, weights 'before' | - | - | 0.251 | - |"
    assert lines[4] == "| `segue` | 15.6 | 29.1 | - | - |"
    assert lines[-1] == "2 clips of 20 seconds a rung."
    draw(FIGURES, tmp_path / "ladder.png")
    assert (tmp_path / "ladder.png").stat().st_size > 1000


def test_clips_are_made_once_and_those_of_other_weights_are_refused(tmp_path: Path) -> None:
    made = []

    def make(number: int) -> np.ndarray:
        made.append(number)
        return np.full((100, 2), number / 10, np.float32)

    write_clips(tmp_path / "a", 2, {"weights": "1"}, make, str)
    write_clips(tmp_path / "a", 3, {"weights": "1"}, make, str)
    assert made == [0, 1, 2]
    assert read_clip(clip_path(tmp_path / "a", 2)) == pytest.approx(0.2)
    with pytest.raises(SegueError, match="made otherwise"):
        write_clips(tmp_path / "a", 3, {"weights": "2"}, make, str)


def test_real_music_is_cut_from_two_sets_of_recordings(tmp_path: Path) -> None:
    for name, level in (("a", 0.1), ("b", 0.2), ("c", 0.3), ("deep/d", 0.4)):
        path = tmp_path / f"{name}.flac"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.full((4 * 44_100, 1), level), 44_100)
    soundfile.write(tmp_path / "jingle.wav", np.full((44_100, 2), 0.9), 44_100)
    real = RealMusic(tmp_path, 1.0)
    sets = [
        {round(float(real.excerpt(n, other).mean()), 1) for n in range(4)}
        for other in (False, True)
    ]
    assert sets == [{0.1, 0.3}, {0.2, 0.4}]
    assert real.excerpt(0, False).shape == (RATE, 2)
    with pytest.raises(SegueError, match="two pieces"):
        RealMusic(tmp_path, 2.0)


def test_a_registered_engine_is_a_rung(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command to the table, without musicnn, and again without an engine."""
    register_tone_engine("segue-tone", weights="1a")
    try:
        order = ["--out", str(tmp_path), "--clips", "2", "--seconds", "10"]
        assert main([*order, "--rungs", "segue-tone"]) == 0
        assert "| `segue-tone` | - | - | - | - |" in capsys.readouterr().out
        assert {"segue-tone", "score:old", "diffusion:old"} < set(default_rungs(["old"]))
    finally:
        unregister_engine("segue-tone")
    clips = [read_clip(clip_path(tmp_path / "segue-tone", number)) for number in range(2)]
    assert [clip.shape for clip in clips] == [(10 * RATE, 2)] * 2
    (tmp_path / "corpus").mkdir()
    for number in range(2):
        soundfile.write(clip_path(tmp_path / "corpus", number), music(number), RATE, "FLOAT")
    results = measure(["corpus", "segue-tone"], tmp_path, 2, None)
    assert float(str(results["segue-tone"]["full_band_to_corpus"])) > 0.5
    assert "full_band_to_corpus" not in results["corpus"]
    assert json.loads((tmp_path / "ladder.json").read_text())["clips"] == 2
    assert folder_of(tmp_path, "score:old").name == "score-old"


def test_streams_are_cut_where_one_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `--skip` leaves out is the stream's beginning; the folder says so."""
    register_tone_engine("segue-tone", weights="1a")
    order = ["--clips", "2", "--seconds", "10", "--rungs", "segue-tone", "--out"]
    try:
        for out, skip in (("a", []), ("b", ["--skip", "0"]), ("c", ["--skip", "5"])):
            assert main([*order, str(tmp_path / out), *skip]) == 0
        assert "from second 5." in capsys.readouterr().out
        assert main([*order, str(tmp_path / "c")]) == 2, "clips from elsewhere were mixed"
        assert "made otherwise" in capsys.readouterr().err
    finally:
        unregister_engine("segue-tone")
    usual, whole, late = (read_clip(clip_path(tmp_path / k / "segue-tone", 0)) for k in "abc")
    assert np.array_equal(usual[: 8 * RATE], whole[2 * RATE :])
    assert np.array_equal(late[: 5 * RATE], whole[5 * RATE :])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--skip -1", "zero or more"),
        ("--seconds 9", "ten seconds or more"),
        ("--clips 1", "two clips or more"),
        ("--rungs nobody", "there is no engine 'nobody'"),
        ("--weights nothing", "no LABEL=FOLDER"),
        ("--rungs score:old", "no weights are labelled 'old'"),
    ],
)
def test_wrong_arguments_are_told_in_a_sentence(
    arguments: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path), *arguments.split()]) == 2
    assert words in capsys.readouterr().err


def test_what_the_arranger_wrote_is_what_is_played() -> None:
    """The gathered events give the frames of score that the arranger gave out block by block."""
    song, seconds = song_of(SEED + 1), 30.0  # past an intro without drums
    arranger, seed = Arranger.load(), 6
    written = arranged(arranger, song, seed, seconds)
    frames = round(seconds / FRAME_SECONDS) // FRAMES_PER_BLOCK * FRAMES_PER_BLOCK
    score, _, _ = arranger.block(arranger.start(seed), mixture(song.terms), Controls(), frames)
    again = rasterize(written.events(), 0.0, frames)
    assert score.drums.any() and np.array_equal(score.drums, again.drums)
    # Notes may have moved by octaves, into the instruments' compass.
    loud = [each.sustain.sum(axis=2) for each in (score, again)]
    assert loud[0].any() and np.allclose(loud[0], loud[1], atol=1e-3)
    assert set(written.instruments) == set(PITCHED)


@pytest.mark.skipif(not soundfont.available(), reason="the General MIDI banks are not installed")
def test_the_corpus_is_the_same_twice_and_other_songs_are_others() -> None:
    from models.evaluation.ladder.rungs import OTHER_SEED, corpus_audio

    first, again, other = (corpus_audio(seed, 1.0) for seed in (SEED, SEED, OTHER_SEED))
    assert first.shape == (RATE, 2) and np.array_equal(first, again)
    assert not np.array_equal(first, other)

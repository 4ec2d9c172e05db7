"""Corpus with sound banks: recorded presets, whole clips, the data set on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.corpus import dataset
from models.corpus.__main__ import main
from models.corpus.composer.composer import compose
from models.corpus.sound import soundfont
from models.corpus.sound.measure import loudness
from models.corpus.sound.render import drop_parts, fit_range, render
from models.corpus.sound.soundfont import Program, SoundFontPlayer
from models.errors import SegueError
from models.music.score import EVENT, PARTS, PITCHED, SAMPLE_RATE

pytestmark = pytest.mark.skipif(
    not soundfont.available(),
    reason="needs libfluidsynth, fluid-soundfont-gm and musescore-general-soundfont",
)


def test_a_recorded_note_starts_when_asked_and_at_its_pitch() -> None:
    notes = np.zeros(1, EVENT)
    notes["on"], notes["off"], notes["pitch"], notes["velocity"] = 0.5, 1.2, 69, 100
    audio = soundfont.player().render(Program.parse("F73"), notes, 1.5)
    assert audio.shape == (round(1.5 * SAMPLE_RATE), 2)
    assert np.abs(audio[: round(0.49 * SAMPLE_RATE)]).max() < 1e-4
    piece = audio[round(0.7 * SAMPLE_RATE) : round(1.1 * SAMPLE_RATE)].sum(1)
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 17))
    peak = spectrum.argmax() * SAMPLE_RATE / (1 << 17)
    assert 1200 * abs(np.log2(peak / 440)) < 30
    again = soundfont.player().render(Program.parse("F73"), notes, 1.5)
    assert np.array_equal(audio, again)  # nothing of the first rendering rings on


def test_a_preset_that_is_not_there_is_named() -> None:
    with pytest.raises(SegueError, match="no preset"):
        soundfont.player().render(Program("F", 77, 3), np.zeros(0, EVENT), 0.1)


def test_a_missing_bank_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(soundfont.FONTS, "F", ("/nowhere/at/all.sf2",))
    with pytest.raises(SegueError, match="install fluid-soundfont-gm"):
        SoundFontPlayer().render(Program.parse("F0"), np.zeros(0, EVENT), 0.1)


def test_a_song_becomes_a_mix_of_its_stems() -> None:
    song = fit_range(compose(3, seconds=8.0))
    first = render(song, np.random.default_rng(1), 8.0)
    second = render(song, np.random.default_rng(1), 8.0)
    assert np.array_equal(first.mix, second.mix)
    assert set(first.stems) == {"drums", "bass", "other"}
    assert first.mix.dtype == np.float32 and first.mix.shape == (8 * SAMPLE_RATE, 2)
    assert np.abs(first.mix).max() < 0.95
    assert loudness(first.mix) == pytest.approx(-16, abs=0.7)


def test_drops_silence_a_part_in_score_and_sound() -> None:
    song = fit_range(compose(5, seconds=30.0))
    for seed in range(40):
        dropped = drop_parts(song, np.random.default_rng(seed), 30.0)
        if dropped is not song:
            break
    else:
        pytest.fail("no clip of forty had a drop")
    before, after = song.events(humanise=False), dropped.events(humanise=False)
    assert len(after) < len(before)
    longest = 0.0
    for index in range(len(PARTS)):
        mine = np.sort(after["on"][after["part"] == index])
        gone = before[(before["part"] == index) & ~np.isin(before["on"], mine)]
        if len(gone):
            longest = max(longest, float(np.ptp(gone["on"])))
    assert 0.5 < longest <= 10.0
    shares = [drop_parts(song, np.random.default_rng(s), 30.0) is not song for s in range(400)]
    assert 0.28 < np.mean(shares) < 0.42


def test_the_data_set_reads_back_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dataset, "CLIP_SECONDS", 4.0)
    monkeypatch.setattr(dataset, "CLIP_FRAMES", 100)
    number, problem = dataset._write((0, 11, str(tmp_path), "train"))
    assert (number, problem) == (0, "")
    clip = dataset.Clip.load(tmp_path / "000000.npz")
    assert clip.audio.shape == (4 * SAMPLE_RATE, 2) and clip.audio.dtype == np.int16
    score = clip.score
    assert len(score) == 100
    assert score.instruments.shape == (100, len(PITCHED))
    assert np.isfinite(score.density).all()
    assert score.sustain.any() or score.drums.any()
    assert abs(sum(weight for _, weight in clip.terms) - 1) < 1e-3
    assert clip.captions and all(clip.captions)
    assert clip.bpm > 20 and clip.key[0] in "ABCDEFG"
    assert np.abs(clip.float_audio(0, 4800)).max() <= 1.0
    assert dataset.clips(tmp_path) == [tmp_path / "000000"]
    stamp = (tmp_path / "000000.npz").stat().st_mtime_ns
    assert main(["--hours", "0.001", "--out", str(tmp_path), "--jobs", "1"]) == 0
    assert (tmp_path / "000000.npz").stat().st_mtime_ns == stamp
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--hours", "0"], "above zero"), (["--hours", "-1"], "above zero")]
)
def test_wrong_input_gets_one_sentence(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path / "x")]) == 2
    assert message in capsys.readouterr().err


def test_a_damaged_clip_is_named(tmp_path: Path) -> None:
    (tmp_path / "000000.npy").write_bytes(b"nonsense")
    (tmp_path / "000000.npz").write_bytes(b"nonsense")
    with pytest.raises(SegueError, match="cannot be read"):
        dataset.Clip.load(tmp_path / "000000")

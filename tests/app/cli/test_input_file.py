"""A file rendered as if it were played in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.cli.files.input_file import FileInput
from app.cli.program import main
from app.performance.file import read_performance
from app.performance.log import PerformanceLog
from app.performance.player import PerformancePlayer
from models.engine.controls import Controls
from models.engine.prompts import Prompt, PromptEmbedder
from models.magenta_rt2.checkpoint.random_weights import write
from models.magenta_rt2.depthformer.config import (
    CONDITION_OFFSET,
    DECODER_DELAY,
    FRAME_SECONDS,
    NOTE_ONSET,
    NUM_PITCHES,
    STYLE_TOKENS,
    DepthformerConfig,
    ModelSpec,
)
from models.magenta_rt2.engine import MagentaEngine
from models.magenta_rt2.spectrostream.codec import SpectroStreamConfig
from models.registry import unregister_engine
from models.segue.engine import SegueEngine
from tests.support.tone_engine import ToneEngine, register_tone_engine

RATE = 44_100


@pytest.fixture
def clip(tmp_path: Path) -> Iterator[Path]:
    register_tone_engine("tone", block_seconds=0.24)
    wave = 0.3 * np.random.default_rng(1).standard_normal(6 * RATE)
    soundfile.write(tmp_path / "in.wav", wave.astype(np.float32), RATE)
    yield tmp_path / "in.wav"
    unregister_engine("tone")


def test_send_moves_the_style_towards_what_is_played(clip: Path) -> None:
    engine = ToneEngine()
    stream, prompt = engine.start(1), engine.embed_text("techno")
    far = []
    for amount in (0.1, 0.4, 1.0):
        heard = FileInput(clip, {"style": amount})
        heard.check(engine)
        controls = Controls(style=prompt)
        first = heard.steer(engine, controls, stream, 0)
        assert first is controls  # nothing was played yet
        later = heard.steer(engine, controls, stream, 3 * 48_000).style
        assert later is not None
        far.append(float(np.linalg.norm(later - prompt)))
    assert far == sorted(far) and far[0] > 0.01


def test_render_with_input(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["render", "--engine", "tone", "--seconds", "4", "--prompt", "techno"]
    sends = ["--input", str(clip), "--send", "style=0.6"]
    assert main([*common, *sends, str(tmp_path / "a.wav")]) == 0
    assert main([*common, *sends, str(tmp_path / "b.wav")]) == 0
    assert main([*common, str(tmp_path / "c.wav")]) == 0
    a, b, c = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in "abc")
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    for wrong, words in (
        (["--send", "style=0.6"], "--input"),
        (["--input", str(clip)], "--send"),
        (["--input", str(clip), "--send", "dance=0.5"], "no send 'dance'"),
        (["--input", str(tmp_path / "none.wav"), "--send", "style=1"], "no file"),
    ):
        assert main([*common, *wrong, str(tmp_path / "d.wav")]) != 0
        assert words in capsys.readouterr().err
        assert not (tmp_path / "d.wav").exists()


def piano(bpm: float, seconds: float) -> np.ndarray:
    """Chords of A minor and F on every beat, a bar each, with a bass on the first."""
    rate, sound = 48_000, np.zeros(round(seconds * 48_000), np.float32)
    for beat in range(int((seconds - 0.5) * bpm / 60)):
        keys = (57, 60, 64) if beat // 4 % 2 == 0 else (53, 57, 60)
        notes = [*keys, keys[0] - 12] if beat % 4 == 0 else keys
        start, size = round((0.3 + beat * 60 / bpm) * rate), round(50 / bpm * rate)
        time = np.arange(min(size, len(sound) - start)) / rate
        for note in notes:
            hertz = 440 * 2 ** ((note - 69) / 12)
            partials = sum(np.sin(2 * np.pi * hertz * h * time) / h**1.5 for h in range(1, 6))
            sound[start : start + len(time)] += 0.06 * partials * np.exp(-4 * time)
    return sound


def test_the_band_follows_a_file(tmp_path: Path) -> None:
    """Tempo, beat and chords of what is played in, end to end."""
    bpm, seconds = 112.0, 13.0
    soundfile.write(tmp_path / "in.wav", piano(bpm, seconds), 48_000)
    engine = SegueEngine()
    heard = FileInput(tmp_path / "in.wav", {"follow": 1.0})
    heard.check(engine)
    stream, size = engine.start(3), engine.info.block_frames
    controls = Controls(style=engine.embed_text("piano trio"))
    gaps, tempos, right = list[float](), list[float](), list[bool]()
    for number in range(int((seconds - 1.0) * 48_000 / size)):
        steered = heard.steer(engine, controls, stream, number * size)
        stream.render(steered)
        score = stream.score
        assert score is not None and score.beat is not None and score.bars_at is not None
        time = (number * size + score.bars_at) / 48_000
        if time < 8.0:
            continue
        played = (time - 0.3) * bpm / 60
        gaps.append(abs((score.beat - played + 0.5) % 1.0 - 0.5) * 60 / bpm)
        tempos.append(score.tempo or 0.0)
        right.append(steered.notes[:1] == ((57,) if played // 4 % 2 == 0 else (65,)))
    assert max(gaps) < 0.06 and np.median(gaps) < 0.03
    assert np.allclose(tempos, bpm, rtol=0.03)
    assert np.mean(right) > 0.7
    engine.close()


def test_magenta_is_given_the_beats_and_chords_of_a_file(tmp_path: Path) -> None:
    """It has neither tempo nor key: the chord is held, and struck in the frames of the beats."""
    bpm, seconds = 112.0, 13.0
    soundfile.write(tmp_path / "in.wav", piano(bpm, seconds), 48_000)
    sizes = (ModelSpec(1, 16, 32, 1, 16), ModelSpec(1, 16, 32, 1, 16))
    config = DepthformerConfig("magenta-rt2-small", 16, *sizes, max_past_horizon=5)
    codec = SpectroStreamConfig(encoder_base_depth=4, decoder_base_depth=4, features=16, levels=12)
    write(tmp_path, "small", config=config, codec=codec)
    engine = MagentaEngine("small", "cpu", tmp_path, "float32", config=config, codec=codec)
    heard = FileInput(tmp_path / "in.wav", {"follow": 1.0})
    heard.check(engine)
    stream, size = engine.start(3), engine.info.block_frames
    rows = []
    for number in range(int((seconds - 1.0) * 48_000 / size)):
        controls = heard.steer(engine, Controls(), stream, number * size)
        assert controls.bpm is None
        rows.append(stream.prepare(controls).job.request.conditions.numpy())
        stream.render(controls)
    states = np.concatenate(rows)[:, STYLE_TOKENS : STYLE_TOKENS + NUM_PITCHES] - CONDITION_OFFSET
    times = (np.arange(len(states)) + DECODER_DELAY) * FRAME_SECONDS
    late = times > 8.0
    struck = times[late & (states == NOTE_ONSET).any(axis=1)]
    played = (struck - 0.3) * bpm / 60
    gaps = np.abs((played + 0.5) % 1.0 - 0.5) * 60 / bpm
    assert len(struck) == pytest.approx((times[-1] - 8.0) * bpm / 60, abs=1.5)
    assert gaps.max() < 0.07 and np.median(gaps) < 0.04
    keys = [tuple(np.flatnonzero(frame > 0).tolist()) for frame in states[late]]
    bars = (times[late] - 0.3) * bpm / 60 // 4
    right = [
        k == ((57, 60, 64), (65, 69, 72))[int(bar) % 2] for k, bar in zip(keys, bars, strict=True)
    ]
    assert np.mean(right) > 0.7
    engine.close()


@pytest.mark.parametrize("fault", ["silence", "clipping", "not a number", "short"])
def test_the_band_goes_on_whatever_comes_in(fault: str, tmp_path: Path) -> None:
    rate, noise = 48_000, np.random.default_rng(2).standard_normal((2 * 48_000, 2))
    sound = {
        "silence": np.zeros((2 * rate, 2)),
        "clipping": np.clip(99 * noise, -1, 1),
        "not a number": np.full((2 * rate, 2), np.nan),
        "short": noise[:100],
    }[fault]
    soundfile.write(tmp_path / "in.wav", sound, rate, subtype="FLOAT")
    engine = ToneEngine()
    heard = FileInput(tmp_path / "in.wav", {"follow": 1.0})
    stream = engine.start(1)
    for number in range(12):
        controls = heard.steer(engine, Controls(bpm=100.0), stream, number * 11_520)
        assert controls.bpm is not None and 40.0 <= controls.bpm <= 240.0
        assert np.isfinite(stream.render(controls)).all()


def test_the_same_file_is_followed_the_same_way(clip: Path, tmp_path: Path) -> None:
    common = ["render", "--engine", "tone", "--seconds", "3", "--input", str(clip)]
    for name in "ab":
        assert main([*common, "--send", "follow=0.7", str(tmp_path / f"{name}.wav")]) == 0
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_what_follow_did_plays_again_without_the_input(tmp_path: Path) -> None:
    """The performance holds the controls that accompanied, as any others."""
    soundfile.write(tmp_path / "in.wav", piano(112.0, 5.0), 48_000)
    engine = ToneEngine()
    heard, log = FileInput(tmp_path / "in.wav", {"follow": 1.0}), PerformanceLog()
    size, prompts = engine.info.block_frames, (Prompt(text="techno"),)
    log.begin(engine.info.name, 1, 0)
    stream, controls, first = engine.start(1), Controls(style=engine.embed_text("techno")), []
    for number in range(20):
        steered = heard.steer(engine, controls, stream, number * size)
        first.append(stream.render(steered))
        log.put(number * size, size, steered, prompts)
    assert steered.notes and steered.notes != controls.notes
    log.save(tmp_path / "p.jsonl", 0, 20 * size)
    played = read_performance(tmp_path / "p.jsonl")
    mix = PromptEmbedder(engine, tmp_path).mix
    player = PerformancePlayer(played, mix, engine.info.block_seconds, Controls())
    again = engine.start(1)
    for block in first:
        assert np.array_equal(block, again.render(player.step().controls))

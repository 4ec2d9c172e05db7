"""Engine interface: the registry, the checks, and the contract of every stream."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from models import Controls, SegueError, engine_names, open_engine
from models.engine.interface import EngineInfo, block_fault
from models.engine.prompt_checks import check_prompt_audio, check_prompt_text
from models.registry import engine_summary, register_engine, unregister_engine
from tests.support.tone_engine import ToneEngine


def test_an_unknown_engine_is_named_with_those_there_are() -> None:
    with pytest.raises(SegueError, match=r"there is no engine 'moog': choose from segue"):
        open_engine("moog")


def test_an_unknown_device_is_named(tone_engine: str) -> None:
    with pytest.raises(SegueError, match="there is no device 'tpu': choose from auto, cpu"):
        open_engine(tone_engine, "tpu")


def test_a_registered_engine_opens_on_the_device_asked_for() -> None:
    asked = []

    def factory(device: str) -> ToneEngine:
        asked.append(device)
        return ToneEngine(device)

    register_engine("mine", factory, "for a test")
    try:
        assert "mine" in engine_names()
        assert engine_names()[0] == "segue"
        assert engine_summary("mine") == "for a test"
        assert open_engine("mine", device="cpu").info.device == "cpu"
        assert asked == ["cpu"]
    finally:
        unregister_engine("mine")
    assert "mine" not in engine_names()


def test_importing_the_interface_imports_neither_torch_nor_qt() -> None:
    code = (
        "import sys, models, app.performance.file, models.engine.prompts; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'PySide6', 'soundfile')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_engine_cannot_list_a_control_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="reverb"):
        EngineInfo("x", 48_000, 2, 480, 1.0, 128, frozenset({"reverb"}))


def test_block_seconds() -> None:
    assert ToneEngine(block_seconds=0.24).info.block_seconds == 0.24


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "empty"), (" \n\t ", "empty"), ("x" * 1001, "1001 characters: 1000 are the most")],
)
def test_prompt_text_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(SegueError, match=words):
        check_prompt_text(text)


def test_prompt_text_loses_its_surrounding_space() -> None:
    assert check_prompt_text("  deep \n house ") == "deep house"


NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (NOISE[:1], 48_000, "lasts 2.1e-05 s: give at least 0.5 s"),
        (NOISE[:0], 48_000, "lasts 0 s"),
        (NOISE * 0, 48_000, "silent"),
        (NOISE * 1e-6, 48_000, "silent"),
        (np.where(np.arange(48_000) == 9, np.nan, NOISE), 48_000, "not finite"),
        (NOISE, 0, "sample rate is 0"),
        (NOISE.reshape(2, 2, -1), 48_000, "samples by channels"),
    ],
)
def test_prompt_audio_is_refused_in_words(samples: np.ndarray, rate: int, words: str) -> None:
    with pytest.raises(SegueError, match=words):
        check_prompt_audio(samples, rate)


def test_prompt_audio_comes_back_as_channels() -> None:
    assert check_prompt_audio(NOISE, 48_000).shape == (48_000, 1)
    assert check_prompt_audio(NOISE.reshape(-1, 2), 8_000).shape == (24_000, 2)


def test_block_faults() -> None:
    info = ToneEngine(block_seconds=0.1).info
    good = np.zeros((4800, 2), np.float32)
    assert block_fault(good, info) is None
    assert block_fault(good.astype(np.float64), info) is not None
    assert block_fault(good[:-1], info) is not None
    spoilt = good.copy()
    spoilt[7, 1] = np.inf
    assert "not finite" in str(block_fault(spoilt, info))


def test_a_restored_stream_repeats_itself_to_the_bit() -> None:
    engine = ToneEngine(block_seconds=0.05)
    stream = engine.start(seed=3)
    controls = Controls(style=engine.embed_text("techno"), bpm=133)
    stream.render(controls)
    moment = stream.snapshot()
    first = [stream.render(controls) for _ in range(3)]
    stream.restore(moment)
    again = [stream.render(controls) for _ in range(3)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    other = engine.start(seed=4)
    other.restore(moment)
    assert np.array_equal(other.render(controls), first[0])


def test_the_tone_engine_misbehaves_as_told() -> None:
    engine = ToneEngine(block_seconds=0.05, faults={1: "raise", 2: "nan", 3: "silence"})
    stream = engine.start()
    assert block_fault(stream.render(Controls()), engine.info) is None
    with pytest.raises(RuntimeError, match="told to fail"):
        stream.render(Controls())
    assert "not finite" in str(block_fault(stream.render(Controls()), engine.info))
    assert not stream.render(Controls()).any()
    assert stream.render(Controls()).any()
    with pytest.raises(SegueError, match="another engine"):
        stream.restore("a moment of something else")
    with pytest.raises(SegueError, match="takes 128"):
        stream.render(Controls(style=np.ones(3, np.float32)))

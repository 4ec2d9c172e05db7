"""A file rendered as if it were played in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.cli.input_file import FileInput
from app.cli.program import main
from models.engine.controls import Controls
from models.registry import unregister_engine
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
        (["--input", str(clip), "--send", "echo=0.5"], "no send 'echo'"),
        (["--input", str(tmp_path / "none.wav"), "--send", "style=1"], "no file"),
    ):
        assert main([*common, *wrong, str(tmp_path / "d.wav")]) != 0
        assert words in capsys.readouterr().err
        assert not (tmp_path / "d.wav").exists()

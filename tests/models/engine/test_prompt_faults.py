"""Prompts that cannot be: a constant, a decimal comma, an MP3 that is none or has a large tag."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.engine.prompt_checks import check_prompt_audio
from models.engine.prompts import load_audio, parse_prompt
from models.errors import SegueError

RATE = 44_100
WAVE = 0.5 * np.sin(np.arange(2 * RATE) * 440 * 2 * np.pi / RATE).astype(np.float32)


@pytest.mark.parametrize("level", [0.0, 0.5, -1.0, 1e-5])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_constant_is_silent(level: float, channels: int) -> None:
    with pytest.raises(SegueError, match="is silent"):
        check_prompt_audio(np.full((RATE, channels), level, dtype=np.float32), RATE)


def test_a_sound_with_an_offset_is_none() -> None:
    assert len(check_prompt_audio(0.1 * WAVE + 0.5, RATE)) == len(WAVE)


@pytest.mark.parametrize("argument", ["flute=0,5", "flute=,5", "loop.wav=1,25", "flute = 0,5"])
def test_a_decimal_comma_is_a_sentence(argument: str) -> None:
    with pytest.raises(SegueError, match="write a point"):
        parse_prompt(argument)


@pytest.mark.parametrize("argument", ["a=b", "tempo=fast, loud", "E=mc2", "one, two", "x=1,a"])
def test_a_comma_elsewhere_is_part_of_the_words(argument: str) -> None:
    assert parse_prompt(argument).text == argument


@pytest.mark.parametrize("body", [b"<!DOCTYPE html>" * 40, b"", b"ID3", b"\xff" * 9])
def test_what_is_no_mp3_is_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], body: bytes
) -> None:
    path = tmp_path / "loop.mp3"
    path.write_bytes(body)
    with pytest.raises(SegueError, match="give a WAV, FLAC, Ogg or MP3 file"):
        load_audio(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [0, 300, 400_000])
def test_an_mp3_with_a_cover_picture_is_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], size: int
) -> None:
    path = tmp_path / "loop.mp3"
    soundfile.write(path, WAVE, RATE, format="MP3")
    plain = path.read_bytes()
    length = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    tag = b"ID3\x04\x00\x00" + length + b"APIC" + b"\xff\xfb\x90" * (size // 3)
    path.write_bytes(tag[: 10 + size] + bytes(max(10 + size - len(tag), 0)) + plain)
    samples, rate = load_audio(path)
    assert rate == RATE and abs(len(samples) - len(WAVE)) < 3000
    assert 0.4 < np.abs(samples).max() < 0.6
    assert capfd.readouterr() == ("", "")

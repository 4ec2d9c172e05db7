"""Where there is no display: the program says so, and leaves music and its picture."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.cli import instrument, main
from app.cli.files.spectrogram import HEIGHT, HIGH_HZ, LOW_HZ, WIDTH, SpectrogramImage, as_png
from app.cli.render import length_of
from app.performance.file import read_performance
from app.performance.player import PerformancePlayer
from models.engine.controls import blend


def read_png(data: bytes) -> np.ndarray:
    """(height, width, 3) of an unfiltered 8-bit RGB PNG, its checksums compared."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, pixels, width, height = 8, b"", 0, 0
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size]) == (
            zlib.crc32(name + body),
        )
        if name == b"IHDR":
            width, height = struct.unpack(">II", body[:8])
        elif name == b"IDAT":
            pixels += body
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(pixels), np.uint8).reshape(height, 1 + 3 * width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


def test_a_png_holds_the_pixels_it_was_given() -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    assert np.array_equal(read_png(as_png(image)), image)


def test_a_tone_is_a_line_at_its_height() -> None:
    drawing = SpectrogramImage(48_000, 2.0)
    seconds = np.arange(48_000) / 48_000
    tone = np.sin(2 * np.pi * 1000.0 * seconds).astype(np.float32)
    drawing.add(np.stack([tone, tone], axis=1))  # the second half of the picture stays dark
    levels = drawing.levels()
    row = int(levels[:, WIDTH // 4].argmax())
    assert abs(HIGH_HZ * (LOW_HZ / HIGH_HZ) ** (row / (HEIGHT - 1)) - 1000.0) < 20.0
    assert levels[row, WIDTH // 4] > 0.95
    assert levels[:, WIDTH * 3 // 4].max() == 0.0


def test_silence_is_a_picture_too(tmp_path: Path) -> None:
    drawing = SpectrogramImage(48_000, 1.0)
    drawing.add(np.zeros((48_000, 2), np.float32))
    drawing.write(tmp_path / "dark.png")
    assert read_png((tmp_path / "dark.png").read_bytes()).shape[2] == 3


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"QT_QPA_PLATFORM": "offscreen"}, True),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_a_display_is_found(
    platform: str,
    environment: dict[str, str],
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert instrument.has_display() is expected


def test_the_demo_is_half_a_minute_and_every_line_can_be_played() -> None:
    played = read_performance(instrument.DEMO)
    assert length_of(played) == 30.0

    def mix(prompts: object) -> np.ndarray:
        return blend([[1.0]], [1.0])

    player = PerformancePlayer(played, mix, 0.24)
    assert player.step().controls.bpm is not None


def test_without_a_display_there_is_music_and_a_picture(
    tone_engine: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(instrument, "has_display", lambda: False)
    demo = tmp_path / "short.jsonl"
    demo.write_text('{"t": 0, "seed": 3, "prompts": [{"text": "a"}]}\n{"t": 1.5, "end": true}\n')
    monkeypatch.setattr(instrument, "DEMO", demo)
    assert main(["--engine", tone_engine]) == 0
    assert "there is no display here" in capsys.readouterr().out
    assert soundfile.info("segue-demo.wav").frames == 72_000
    picture = read_png(Path("segue-demo.png").read_bytes())
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50

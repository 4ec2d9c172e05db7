"""Spectrogram as a PNG, in numpy alone.

Log frequency from 40 Hz to 16 kHz, 80 dB below the loudest cell; seconds and hertz at its edges.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.files import whole_file
from models.engine.interface import Audio

WIDTH: Final = 1200
HEIGHT: Final = 400
MARGIN: Final = 16
SCALE: Final = 2  # pixels of a dot of the font
WINDOW: Final = 4096
LOW_HZ: Final = 40.0
HIGH_HZ: Final = 16_000.0
RANGE_DB: Final = 80.0
TICKS_HZ: Final = {100.0: "100", 1000.0: "1k", 10_000.0: "10k"}
COLOURS: Final = np.array(
    [[8, 8, 20], [52, 20, 92], [140, 40, 110], [226, 92, 76], [250, 180, 90], [255, 250, 220]],
    np.float64,
)
"""Silent to loud, dark to light, to be readable without colour."""
INK: Final = (200, 200, 210)
# Rows of three dots each, from the top, as bits.
FONT: Final = {
    "0": (7, 5, 5, 5, 7),
    "1": (2, 6, 2, 2, 7),
    "2": (7, 1, 7, 4, 7),
    "3": (7, 1, 7, 1, 7),
    "4": (5, 5, 7, 1, 1),
    "5": (7, 4, 7, 1, 7),
    "6": (7, 4, 7, 5, 7),
    "7": (7, 1, 2, 2, 2),
    "8": (7, 5, 7, 5, 7),
    "9": (7, 5, 7, 1, 7),
    "k": (4, 5, 6, 6, 5),
}


class SpectrogramImage:
    """Image of the blocks added; it is `seconds` wide."""

    def __init__(self, sample_rate: int, seconds: float) -> None:
        self.sample_rate = sample_rate
        self.seconds = seconds
        self._blocks: list[NDArray[np.float32]] = []

    def add(self, block: Audio) -> None:
        """Append float32 (n, channels)."""
        self._blocks.append(block.mean(axis=1))

    def levels(self) -> NDArray[np.float64]:
        """Levels (HEIGHT, WIDTH), 0 silent to 1 the loudest, the highest frequency on top."""
        mono = np.concatenate([*self._blocks, np.zeros(0, np.float32)])
        padded = np.pad(mono, WINDOW // 2)
        centres = (np.arange(WIDTH) + 0.5) / WIDTH * self.seconds * self.sample_rate
        window = np.hanning(WINDOW)
        cells = np.geomspace(HIGH_HZ, LOW_HZ, HEIGHT) / self.sample_rate * WINDOW
        bins = np.arange(WINDOW // 2 + 1)
        columns = np.zeros((HEIGHT, WIDTH))
        for column, centre in enumerate(centres.astype(int)):
            frame = padded[centre : centre + WINDOW]
            if len(frame) == WINDOW:
                magnitude = np.abs(np.fft.rfft(frame * window))
                columns[:, column] = np.interp(cells, bins, magnitude)
        peak = columns.max()
        if peak <= 0.0:
            return columns
        decibels = 20.0 * np.log10(np.maximum(columns / peak, 1e-12))
        levels: NDArray[np.float64] = np.clip(1.0 + decibels / RANGE_DB, 0.0, 1.0)
        return levels

    def image(self) -> NDArray[np.uint8]:
        """Picture with its axes, (height, width, 3)."""
        levels = self.levels()
        steps = levels * (len(COLOURS) - 1)
        low = np.minimum(steps.astype(int), len(COLOURS) - 2)
        share = (steps - low)[..., None]
        colours = COLOURS[low] * (1 - share) + COLOURS[low + 1] * share
        left = 3 * 4 * SCALE + MARGIN
        below = 5 * SCALE + MARGIN
        image = np.full((HEIGHT + below + MARGIN, WIDTH + left + MARGIN, 3), COLOURS[0], np.uint8)
        image[MARGIN : MARGIN + HEIGHT, left : left + WIDTH] = colours.round()
        for hertz, label in TICKS_HZ.items():
            row = MARGIN + int(HEIGHT * np.log(HIGH_HZ / hertz) / np.log(HIGH_HZ / LOW_HZ))
            image[row, left - 5 : left] = INK
            draw_text(image, label, left - 8 - 4 * SCALE * len(label), row - 5)
        for second in _second_ticks(self.seconds):
            column = left + int(WIDTH * second / self.seconds)
            image[MARGIN + HEIGHT : MARGIN + HEIGHT + 4, column] = INK
            draw_text(image, f"{second}", column - 4 * len(str(second)), MARGIN + HEIGHT + 6)
        return image

    def write(self, path: Path) -> None:
        """Write the picture as a PNG. SegueError where it cannot be written."""
        with whole_file(path) as part:
            part.write_bytes(as_png(self.image()))


def _second_ticks(seconds: float) -> range:
    """Six to twelve whole seconds to mark."""
    step = next(step for step in (1, 5, 10, 60, 600, 10**9) if seconds / step <= 12)
    return range(0, int(seconds) + 1, step)


def draw_text(image: NDArray[np.uint8], text: str, left: int, top: int) -> None:
    """Draw text of FONT in INK at a corner."""
    for place, letter in enumerate(text):
        for row, bits in enumerate(FONT[letter]):
            for dot in range(3):
                if bits >> (2 - dot) & 1:
                    y, x = top + row * SCALE, left + (place * 4 + dot) * SCALE
                    image[y : y + SCALE, x : x + SCALE] = INK


def as_png(image: NDArray[np.uint8]) -> bytes:
    """PNG of an image (height, width, 3): 8-bit RGB, no filter (PNG specification, 11.2)."""
    height, width, _ = image.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = image.reshape(height, -1)

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 6))
        + chunk(b"IEND", b"")
    )

"""Spectra and waveform peaks of the music, as columns of bytes.

A column every 20 ms, log-spaced bands from 30 Hz to 16 kHz. Columns cover the whole capture time in
several resolutions (maximum of each group): half an hour is drawn as cheaply as ten seconds.
Blocks may overwrite the part of the plan that has not been played.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE

HOP: Final = 960
"""Frames per column: 50 columns a second."""
WINDOW_FRAMES: Final = 4096
BANDS: Final = 132
LOWEST_HZ: Final = 30.0
HIGHEST_HZ: Final = 16_000.0
FLOOR_DB: Final = -88.0
TOP_DB: Final = -6.0
LEVELS: Final = 7
GROUP: Final = 3
"""A column of level k spans GROUP**k columns of level 0: 20 ms to 14.6 s."""


def band_matrix() -> NDArray[np.float32]:
    """Weights (BANDS, WINDOW_FRAMES // 2 + 1) from the power of FFT bins to bands.

    Below about 400 Hz, where bands are narrower than bins, neighbouring bins are interpolated;
    above, a band is a triangle over its bins, so that a single partial keeps its level.
    """
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 2)
    bins = np.arange(WINDOW_FRAMES // 2 + 1)
    positions = edges * WINDOW_FRAMES / SAMPLE_RATE
    matrix = np.zeros((BANDS, len(bins)), np.float32)
    for band in range(BANDS):
        left, centre, right = positions[band : band + 3]
        left, right = min(left, centre - 1.0), max(right, centre + 1.0)
        rise = (bins - left) / (centre - left)
        fall = (right - bins) / (right - centre)
        matrix[band] = np.clip(np.minimum(rise, fall), 0.0, None)
    return matrix


def band_of(frequency: float) -> float:
    """Fractional band of a frequency in Hz."""
    return float(np.log(frequency / LOWEST_HZ) / np.log(HIGHEST_HZ / LOWEST_HZ) * (BANDS + 1)) - 1.0


class Spectra:
    """Ring buffers of columns by absolute number; column c is centred on frame c * HOP.

    `images[k]` is uint8 (BANDS, sizes[k]), row 0 the highest band; `waves[k]` is uint8 (sizes[k],),
    the square root of the peak.
    """

    def __init__(self, seconds: float = 1860.0) -> None:
        self.sizes = [
            max(int(seconds * SAMPLE_RATE / HOP / GROUP**k), 64) + GROUP**2 for k in range(LEVELS)
        ]
        self.images = [np.zeros((BANDS, size), np.uint8) for size in self.sizes]
        self.waves = [np.zeros(size, np.uint8) for size in self.sizes]
        self.end = 0  # one past the last column
        self.floor = 0  # first column ever written
        self._audio = np.zeros(SAMPLE_RATE * 16, np.float32)
        self._audio_end = 0
        # Sparse, and not only for speed: a dense product uses BLAS, whose threads compete with the
        # engine for the cores.
        matrix = band_matrix()
        bands, self._bins = np.nonzero(matrix)
        self._weights = matrix[bands, self._bins]
        self._starts = np.searchsorted(bands, np.arange(BANDS))
        self._window = np.hanning(WINDOW_FRAMES + 1)[:-1].astype(np.float32)
        self._scale = float(2.0 / self._window.sum()) ** 2

    def write(self, position: int, samples: NDArray[np.float32]) -> tuple[int, int]:
        """Analyse a block (frames, 1 or 2) at a plan position; returns the changed columns.

        Columns after the block are dropped: a rewrite of the plan begins with its first block.
        """
        # The sum of two views is quicker than a mean along the short axis.
        mono = (samples[:, 0] + samples[:, -1]) * np.float32(0.5)
        ring = len(self._audio)
        if len(mono) > ring:
            raise ValueError("a block is longer than the analysis can hold")
        if self._audio_end == 0 and self.end == 0:
            self.floor = self.end = position // HOP
        self._write_ring(position, mono)
        stop = position + len(mono)
        self._audio_end = stop
        first = (position - WINDOW_FRAMES // 2) // HOP + 1
        first = max(first, self.floor, (stop - ring) // HOP + 3, 0)
        last = stop // HOP + 1
        if last <= first:
            return first, first
        self._columns(first, last, stop)
        self.end = last
        return first, last

    def _write_ring(self, position: int, mono: NDArray[np.float32]) -> None:
        ring = len(self._audio)
        positions = position % ring
        head = min(len(mono), ring - positions)
        self._audio[positions : positions + head] = mono[:head]
        self._audio[: len(mono) - head] = mono[head:]

    def _read_ring(self, begin: int, length: int, stop: int) -> NDArray[np.float32]:
        """Mono audio (length,) from frame `begin`; zeros where there is none."""
        span = np.zeros(length, np.float32)
        ring = len(self._audio)
        left = max(begin, self.floor * HOP, stop - ring)
        right = min(begin + length, stop)
        if right > left:
            positions, into = left % ring, span[left - begin : right - begin]
            head = min(len(into), ring - positions)
            into[:head] = self._audio[positions : positions + head]
            into[head:] = self._audio[: len(into) - head]
        return span

    def _columns(self, first: int, last: int, stop: int) -> None:
        length = (last - first - 1) * HOP + WINDOW_FRAMES
        span = self._read_ring(first * HOP - WINDOW_FRAMES // 2, length, stop)
        pieces = np.lib.stride_tricks.sliding_window_view(span, WINDOW_FRAMES)[::HOP]
        spectrum = np.fft.rfft(pieces * self._window, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) * self._scale
        weighted = power[:, self._bins] * self._weights
        level = 10.0 * np.log10(np.add.reduceat(weighted, self._starts, axis=1) + 1e-12)
        # Music falls off with frequency; a tilt makes high bands as visible as low ones.
        level += np.linspace(-6.0, 14.0, BANDS, dtype=np.float32)
        scaled = (level - FLOOR_DB) * (255.0 / (TOP_DB - FLOOR_DB))
        image = np.clip(scaled, 0, 255).astype(np.uint8).T[::-1]
        middle = slice(WINDOW_FRAMES // 2 - HOP // 2, WINDOW_FRAMES // 2 + HOP // 2)
        peaks = np.clip(np.abs(pieces[:, middle]).max(axis=1), 0.0, 1.0)
        wave = np.round(255.0 * np.sqrt(peaks)).astype(np.uint8)
        places = np.arange(first, last) % self.sizes[0]
        self.images[0][:, places] = image
        self.waves[0][places] = wave
        self._reduce(first, last)

    def _reduce(self, first: int, last: int) -> None:
        """Update the coarser levels from columns first..last of level 0."""
        for level in range(1, LEVELS):
            first, last = first // GROUP, -(-last // GROUP)
            targets = np.arange(first, last)
            sources = (targets[:, None] * GROUP + np.arange(GROUP)) % self.sizes[level - 1]
            places = targets % self.sizes[level]
            self.images[level][:, places] = self.images[level - 1][:, sources].max(axis=2)
            self.waves[level][places] = self.waves[level - 1][sources].max(axis=1)

    @property
    def start(self) -> int:
        """First column that is still in the ring buffer."""
        return max(self.floor, self.end - self.sizes[0] + GROUP**2, 0)

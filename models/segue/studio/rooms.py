"""Synthetic rooms of the reverb: impulse responses, blends of them, and their spectra.

An impulse response is noise that decays faster at high frequencies (Moorer, "About this
reverberation business", CMJ 1979) with early reflections, at half the sample rate. It is cut into
partitions of one block for overlap-save convolution (`models.segue.studio.space`).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.studio.block import BLOCK, Planes

HALF_RATE: Final = SAMPLE_RATE // 2
HALF: Final = BLOCK // 2
SIZE: Final = 4096  # of a transform: two blocks at 24 kHz and the taper of a partition
BINS: Final = SIZE // 2 + 1
TAPER: Final = 208  # samples in which a partition of a room fades into the next
MAX_LINES: Final = 58  # blocks of line that are remembered: 4.6 s

ROOMS: Final[dict[str, tuple[float, float, float, int]]] = {
    # seconds to -60 dB, decay at 8 kHz relative, predelay s, early reflections
    "room": (0.55, 0.5, 0.006, 10),
    "chamber": (1.1, 0.45, 0.012, 12),
    "hall": (2.0, 0.36, 0.024, 14),
    "cathedral": (3.8, 0.26, 0.035, 12),
    "plate": (1.5, 0.7, 0.003, 0),
    "spring": (1.7, 0.4, 0.01, 0),
    "gated": (1.4, 0.6, 0.003, 6),
}


def impulse(kind: str) -> Planes:
    """The impulse response of a room, (2, n) at 24 kHz, of unit energy a side."""
    t60, high, predelay, early = ROOMS[kind]
    rng = np.random.default_rng([ord(letter) for letter in kind])
    n = int(HALF_RATE * min(t60 * 1.1, MAX_LINES * 0.08 - 0.1))
    t = np.arange(n) / HALF_RATE
    spectrum = np.fft.rfft(rng.standard_normal((2, n)), axis=1)
    freqs = np.fft.rfftfreq(n, 1 / HALF_RATE)
    response = np.zeros((2, n))
    centres = np.geomspace(90.0, 11_000.0, 9)
    place = np.interp(np.log(np.maximum(freqs, 1.0)), np.log(centres), np.arange(9.0))
    for band, centre in enumerate(centres):
        # Overlapping bands, so that the decay bends smoothly with frequency.
        weight = np.maximum(0.0, 1.0 - np.abs(place - band))
        share = float(np.interp(np.log2(centre / 125), [0, 2, 6], [1.0, 0.95, high]))
        loud = float(np.interp(np.log2(centre / 125), [0, 3, 6.5], [0.9, 1.0, 0.55]))
        response += np.fft.irfft(spectrum * weight, n, axis=1) * (
            loud * np.exp(-6.9 * t / (t60 * share))
        )
    if kind == "spring":
        # The waves of a coil are dispersive: each pass is a chirp.
        bend = np.minimum(freqs / 4500, 1.0) ** 2
        phase = -2 * np.pi * np.cumsum(0.035 * (1 + 1.5 * bend)) * (freqs[1] - freqs[0])
        chirp = sum(0.75**turn * np.exp(1j * phase * (2 * turn - 1)) for turn in range(1, 9))
        coil = np.fft.irfft(chirp * np.exp(-((freqs / 4800) ** 4)) * (freqs > 90), n)
        response = response / np.abs(response).max() * 0.12 + coil / (np.abs(coil).max() + 1e-9)
    if kind == "gated":
        stop = int(HALF_RATE * 0.26)
        response[:, :stop] *= np.linspace(0.6, 1.0, stop) / np.exp(-6.9 * t[:stop] / t60)
        response[:, stop:] *= np.exp(-np.arange(n - stop) / 300)
    # Sound takes a moment to fill a room.
    swell = {"hall": 0.02, "cathedral": 0.045, "chamber": 0.008}.get(kind, 0.0)
    if swell:
        response *= 1 - np.exp(-t / swell)
    lead = int(HALF_RATE * predelay)
    response = np.concatenate([np.zeros((2, lead)), response], axis=1)[:, :n]
    for _ in range(early):
        at = int(HALF_RATE * (predelay + rng.uniform(0.002, 0.05)))
        response[:, at] += rng.normal(0, 1, 2) * 2.2 * np.exp(-at / (0.03 * HALF_RATE))
    spectrum = np.fft.rfft(response, axis=1)
    freqs = np.fft.rfftfreq(n, 1 / HALF_RATE)
    spectrum *= freqs**2 / (freqs**2 + 180.0**2)  # a room that hums makes a mix muddy
    edge = np.clip((freqs - 9500.0) / 2300.0, 0.0, 1.0)
    spectrum *= 0.5 + 0.5 * np.cos(np.pi * edge)
    response = np.fft.irfft(spectrum, n, axis=1)
    response /= np.sqrt(np.square(response).sum(1).mean()) + 1e-9
    response[:, -240:] *= np.linspace(1, 0, 240)
    return response.astype(np.float32)


@lru_cache(maxsize=8)
def _partitions(kind: str) -> NDArray[np.complex64]:
    """(2, partitions, BINS) spectra of a room, a block each."""
    response = impulse(kind)
    # Partitions overlap, so that each by itself has as little over 12 kHz as the whole.
    count = -(-response.shape[1] // HALF)
    whole = np.zeros((2, count * HALF + TAPER), np.float32)
    whole[:, : response.shape[1]] = response
    rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(TAPER) + 0.5) / TAPER)).astype(np.float32)
    spectra = np.empty((2, count, BINS), np.complex64)
    for index in range(count):
        part = whole[:, index * HALF : (index + 1) * HALF + TAPER].copy()
        if index:
            part[:, :TAPER] *= rise
        part[:, HALF:] *= rise[::-1]
        spectra[:, index] = np.fft.rfft(part, SIZE, axis=1)[:, :BINS]
    return spectra


class RoomSpec(NamedTuple):
    """A blend of rooms: (kind, gain) by kind; empty for none."""

    rooms: tuple[tuple[str, float], ...] = ()


class RoomBand(NamedTuple):
    """Spectra (2, partitions, bins) of a room from bin `start` on, its first partition last."""

    start: int
    spectra: NDArray[np.complex64]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.spectra.shape


EDGES: Final = (0, 352, 704, 1184, BINS)
"""Bins at which a room is split into bands: the higher, the sooner they have died away."""
INAUDIBLE_DB: Final = -84.0


@lru_cache(maxsize=12)
def blend_rooms(spec: RoomSpec) -> tuple[RoomBand, ...]:
    """The bands of a blend of rooms, the first the longest; none for no room."""
    if not spec.rooms:
        return ()
    parts = [(gain, _partitions(kind)) for kind, gain in spec.rooms]
    count = max(part.shape[1] for _, part in parts)
    total = np.zeros((2, count, BINS), np.complex64)
    for gain, part in parts:
        total[:, : part.shape[1]] += np.complex64(gain) * part
    whole = float(np.square(np.abs(total)).sum())
    bands = []
    for low, high in pairwise(EDGES):
        band = total[:, :, low:high]
        power = np.square(np.abs(band)).sum((0, 2))
        left = np.cumsum(power[::-1])[::-1]
        needed = int((left > whole * 10 ** (INAUDIBLE_DB / 10)).sum())
        length = max(1, needed) if low else count
        bands.append(RoomBand(low, np.ascontiguousarray(band[:, length - 1 :: -1])))
    return tuple(bands)


def warm_up() -> None:
    """Make all rooms, which takes a fraction of a second."""
    for kind in ROOMS:
        _partitions(kind)

"""Which piece of a kit a hit sounds like, for samples whose names do not tell it.

The nearest of eight pieces in features of the sound: where its energy lies, how long it rings, how
noisy it is. Means and deviations are of the kits that ship. What cannot be told apart by ear alone
(a ride from a crash, a shaker from a hat) is left to the names.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

EDGES: Final = (30.0, 110.0, 220.0, 500.0, 1500.0, 5000.0, 20_000.0)  # Hz
RINGS_DB: Final = (-10, -25)  # energy left, whose times are features
HOPS: Final = 200  # a second
MEANS: Final = {
    "kick": (-1, -7, -18, -25, -22, -32, -26, -18, -32),
    "snare": (-25, -6, -5, -10, -11, -10, -41, -27, -11),
    "clap": (-29, -26, -16, -4, -3, -10, -39, -28, -9),
    "hat": (-39, -27, -19, -18, -7, -1, -38, -31, -5),
    "open_hat": (-34, -29, -15, -10, -16, -2, -22, -10, -9),
    "crash": (-38, -34, -22, -9, -7, -4, -6, 7, -6),
    "tom_high": (-23, -2, -6, -14, -19, -24, -26, -13, -25),
    "bell": (-39, -38, -15, -7, -8, -13, -41, -28, -16),
}
DEVIATIONS: Final = np.array([6.4, 8.0, 8.8, 8.2, 5.8, 6.9, 8.2, 9.2, 6.5])


def drum_of_sound(sound: NDArray[np.float32], rate: int) -> str:
    """Piece of the kit.

    Args:
        sound: (frames, channels) of a hit.
        rate: in Hz.

    """
    found = features_of(sound, rate)
    return min(MEANS, key=lambda d: float((((found - MEANS[d]) / DEVIATIONS) ** 2).sum()))


def features_of(sound: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """(9,) features of a hit (frames, channels): levels of six bands in dB of the whole, the times
    in which it falls, on a logarithmic scale, and the flatness of its spectrum.
    """
    mono = sound.mean(axis=1, dtype=np.float64)
    peak = float(np.abs(mono).max()) + 1e-12
    begin = int(np.argmax(np.abs(mono) > 0.1 * peak))
    mono = mono[begin : begin + 2 * rate] / peak
    mono = np.pad(mono, (0, max(0, rate // 2 - len(mono))))
    hop = max(1, rate // HOPS)
    power = np.square(mono[: len(mono) // hop * hop]).reshape(-1, hop).mean(1) + 1e-9
    left = 10 * np.log10(np.cumsum(power[::-1])[::-1] / power.sum())
    rings = [float(np.argmax(left < db)) if (left < db).any() else len(left) for db in RINGS_DB]
    first = mono[: rate // 4]
    window = np.hanning(2 * len(first))[len(first) :]
    spectrum = np.abs(np.fft.rfft(first * window)) ** 2
    hertz = np.fft.rfftfreq(len(first), 1 / rate)
    bands = np.array([spectrum[(hertz >= a) & (hertz < b)].sum() for a, b in pairwise(EDGES)])
    levels = 10 * np.log10(bands / (bands.sum() + 1e-12) + 1e-4)
    audible = spectrum[(hertz > 30) & (hertz < 16_000)] + 1e-12
    flatness = 10 * float(np.log10(audible).mean() - np.log10(audible.mean()))
    return np.array([*levels, *(10 * np.log2(ring / HOPS + 0.01) for ring in rings), flatness])

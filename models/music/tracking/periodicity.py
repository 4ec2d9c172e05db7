"""Periodicity of the last seconds: how well each interval from beat to beat explains what repeats.

The rhythm patterns do not know the song; its own repetition does. The autocorrelation of spectral
flux in bands, summed at one, two and four beats, is the tempogram's idea (Grosche and Müller,
"Extracting predominant local pulse information from music recordings", 2011) with lags for
frequencies.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.tracking.front_end import Line

SPAN: Final = 512  # frames of 20 ms
MULTIPLES: Final = (1, 2, 4)
SIZE: Final = 1024
FEWEST: Final = 100  # frames: two seconds
LONGEST_SHARE: Final = 0.7  # of what there is: the longest lag that says something


@lru_cache(maxsize=4)
def _lags(intervals: tuple[int, ...]) -> NDArray[np.int64]:
    """Lags (intervals, MULTIPLES, 5) around each multiple, as far as half-way to the next."""
    centres = np.array(intervals)[:, None, None] * np.array(MULTIPLES)[None, :, None]
    gaps = np.gradient(np.array(intervals, np.float64))[:, None, None]
    reach = gaps * np.array(MULTIPLES)[None, :, None] / 2
    spread = np.linspace(-1, 1, 5)[None, None, :] * reach
    return np.asarray(np.minimum(np.round(centres + spread), SPAN - 1), np.int64)


def interval_scores(history: Line, filled: int, intervals: tuple[int, ...]) -> tuple[Line, Line]:
    """Periodicity of each interval, 0 to 1, and the interval near it that repeats most.

    Args:
        history: (SPAN, features) flux features, the newest last.
        filled: how many of them there are yet.
        intervals: from beat to beat in frames.

    Returns:
        Both (intervals,); the second in frames, to fractions of one.

    """
    nearest = np.array(intervals, np.float32)
    if filled < FEWEST:
        return np.zeros(len(intervals), np.float32), nearest
    there = history[SPAN - filled :]
    centred = there - there.mean(axis=0)
    spectrum = np.fft.rfft(centred, SIZE, axis=0)
    line = np.fft.irfft((spectrum.real**2 + spectrum.imag**2).sum(axis=1), SIZE)[:SPAN]
    # Longer lags are sums of fewer products.
    line = line / max(float(line[0]), 1e-9) / np.maximum(1 - np.arange(SPAN) / filled, 0.25)
    lags = _lags(intervals)
    usable = (lags[:, :, 2] < LONGEST_SHARE * filled).astype(np.float64)
    values = line[lags]
    found = (values.max(axis=2) * usable).sum(axis=1) / np.maximum(usable.sum(axis=1), 1)
    best = np.take_along_axis(lags, values.argmax(axis=2)[:, :, None], 2)[:, :, 0]
    for place, multiple in enumerate(MULTIPLES):  # the longest lag tells the interval best
        nearest = np.where(usable[:, place] > 0, best[:, place] / np.float32(multiple), nearest)
    return np.asarray(np.clip(found, 0, 1), np.float32), nearest.astype(np.float32)

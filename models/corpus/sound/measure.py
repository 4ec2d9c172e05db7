"""What an independent ear would measure: loudness, brightness, density. Offline lane; numpy, scipy.

Loudness after ITU-R BS.1770-4 (K weighting, absolute and relative gate).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from models.music.score import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE

SMOOTH_FRAMES: Final = 50  # 2 s
_WEIGHTING: Final = np.array(
    [  # the standard's shelf and high-pass at 48 kHz
        [
            1.53512485958691,
            -2.69169618940638,
            1.19839281085285,
            1,
            -1.69065929318241,
            0.73248077421585,
        ],
        [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
)


def loudness(x: NDArray[np.float32]) -> float:
    """Integrated loudness of (n, 2) samples at 48 kHz in LUFS; -70 for silence."""
    power = np.zeros(len(x))
    for side in range(2):
        weighted = sosfilt(_WEIGHTING, x[:, side].astype(np.float64))
        power += weighted * weighted
    hop = SAMPLE_RATE // 10
    count = len(power) // hop
    if count < 4:
        return float(10 * np.log10(power.mean() + 1e-9) - 0.691) if len(power) else -70.0
    slices = power[: count * hop].reshape(count, hop).mean(1)
    blocks = (slices[:-3] + slices[1:-2] + slices[2:-1] + slices[3:]) / 4
    level = -0.691 + 10 * np.log10(blocks + 1e-12)
    loud = blocks[level > -70]
    if not len(loud):
        return -70.0
    gate = -0.691 + 10 * np.log10(loud.mean()) - 10
    kept = loud[-0.691 + 10 * np.log10(loud) > gate]
    return float(-0.691 + 10 * np.log10(kept.mean()))


def _smooth(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hann-weighted running mean over 2 s, normalised at the edges."""
    window = np.hanning(SMOOTH_FRAMES + 3)[1:-1]
    window /= window.sum()
    inside = slice(len(window) // 2, len(window) // 2 + len(x))
    weight = np.convolve(np.ones(len(x)), window)[inside]
    return np.asarray(np.convolve(x, window)[inside] / weight)


def brightness(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """log2 of the spectral centroid over 1 kHz per 40 ms frame, smoothed over 2 s.

    The centroid is weighted by magnitude (window 2048, one per frame, centred); frames count by
    their magnitude, so silence says nothing. nan where the whole neighbourhood is silent.
    """
    mono = (x[:, 0] + x[:, 1]) / 2 if x.ndim == 2 else x
    frames = len(mono) // FRAME_SAMPLES
    padded = np.pad(mono, (64, 2048))
    window = np.hanning(2048).astype(np.float32)
    at = np.arange(frames)[:, None] * FRAME_SAMPLES + np.arange(2048)[None, :]
    magnitude = np.abs(np.fft.rfft(padded[at] * window, axis=1))
    hertz = np.fft.rfftfreq(2048, 1 / SAMPLE_RATE)
    top = _smooth(magnitude @ hertz)
    bottom = _smooth(magnitude.sum(1))
    result = np.full(frames, np.nan, np.float32)
    heard = bottom > 0.05
    result[heard] = np.log2(np.maximum(top[heard] / bottom[heard], 20.0) / 1000.0)
    return result


def onset_density(
    onsets: NDArray[np.float64], start: float, frames: int, seconds: float
) -> NDArray[np.float32]:
    """Onsets a second around each frame, Hann window of 2 s to each side, as `Song.density_at`.

    An onset less than 30 ms after another is one with it: a strum, a flam, a chord. `seconds` is where the music ends.
    """
    times = start + (np.arange(frames) + 0.5) * FRAME_SECONDS
    on = np.sort(onsets)
    on = on[np.diff(on, prepend=-1.0) > 0.03]
    window = 2.0
    gap = np.abs(times[:, None] - on[None, :]) / window
    weight = np.where(gap < 1, 0.5 + 0.5 * np.cos(np.pi * gap), 0.0)
    grid = np.linspace(-1, 1, 41)[None, :]
    place = times[:, None] + grid * window
    shape = 0.5 + 0.5 * np.cos(np.pi * grid)
    area = window * (((place >= 0) & (place < seconds)) * shape).sum(1) / shape.sum()
    return np.asarray(weight.sum(1) / np.maximum(area, 0.25 * window), np.float32)

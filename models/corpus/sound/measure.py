"""Measurements of audio: loudness, brightness, onset density.

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
        [1.53512485958691, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
)  # fmt: skip


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
    above_gate = blocks[level > -70]
    if not len(above_gate):
        return -70.0
    gate = -0.691 + 10 * np.log10(above_gate.mean()) - 10
    gated = above_gate[-0.691 + 10 * np.log10(above_gate) > gate]
    return float(-0.691 + 10 * np.log10(gated.mean()))


def _smooth(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moving average with a Hann window of 2 s, normalised at the edges."""
    window = np.hanning(SMOOTH_FRAMES + 3)[1:-1]
    window /= window.sum()
    inside = slice(len(window) // 2, len(window) // 2 + len(x))
    weight = np.convolve(np.ones(len(x)), window)[inside]
    return np.asarray(np.convolve(x, window)[inside] / weight)


def brightness(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """log2 of the spectral centroid over 1 kHz per 40 ms frame, smoothed over 2 s.

    Frames (window 2048, centred) are weighted by magnitude; nan where all around is silent.
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
    audible = bottom > 0.05
    result[audible] = np.log2(np.maximum(top[audible] / bottom[audible], 20.0) / 1000.0)
    return result


def onset_density(
    onsets: NDArray[np.float64], start: float, frames: int, seconds: float
) -> NDArray[np.float32]:
    """Onsets a second around each frame, Hann window of 2 s to each side, as `Song.density_at`.

    Onsets less than 30 ms after another do not count. `seconds`: end of the music.
    """
    times = start + (np.arange(frames) + 0.5) * FRAME_SECONDS
    on = np.sort(onsets)
    on = on[np.diff(on, prepend=-1.0) > 0.03]
    window = 2.0
    gap = np.abs(times[:, None] - on[None, :]) / window
    weight = np.where(gap < 1, 0.5 + 0.5 * np.cos(np.pi * gap), 0.0)
    grid = np.linspace(-1, 1, 41)[None, :]
    times_in_window = times[:, None] + grid * window
    shape = 0.5 + 0.5 * np.cos(np.pi * grid)
    area = (
        window
        * (((times_in_window >= 0) & (times_in_window < seconds)) * shape).sum(1)
        / shape.sum()
    )
    return np.asarray(weight.sum(1) / np.maximum(area, 0.25 * window), np.float32)

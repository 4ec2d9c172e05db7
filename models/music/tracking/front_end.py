"""Front end of the trackers: frames of 10 ms with a mel spectrum and its rise.

Every frame is computed from arrays of the same shape, whatever the blocks that the samples come in;
splitting the input differently therefore gives the same numbers bit for bit.

Levels are relative to a peak that decays slowly, so that a quiet microphone is heard as a loud one;
log compression and half-wave rectified differences are those of spectral flux (Dixon, "Onset
detection revisited", 2006), with the maximum over neighbouring bands of SuperFlux (Böck and Widmer,
"Maximum filter vibrato suppression for onset detection", 2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE

Line = NDArray[np.float32]
HOP: Final = 480
"""Samples of a frame: 10 ms."""
HOP_SECONDS: Final = HOP / SAMPLE_RATE
WINDOW: Final = 2048
BANDS: Final = 24
LOWEST: Final = 40.0
HIGHEST: Final = 14_000.0
PEAK_DECAY: Final = 10 ** (-3 / 20 * HOP_SECONDS)
"""Factor of the reference level in a frame: 3 dB a second."""
QUIETEST: Final = 3e-3
"""Lowest reference: what is quieter at its peak is not amplified further."""
FLOOR: Final = 1e-3
DECADES: Final = 3.0


@dataclass(frozen=True, eq=False)
class FrontEndState:
    """Samples that the next frames overlap, and what the last frame leaves."""

    tail: Line
    mel: Line  # compressed, of the frame before the last two
    before: Line  # of the last frame
    peak: float = QUIETEST
    frames: int = 0


@dataclass(frozen=True, eq=False)
class SoundFrame:
    """One frame. `time`: seconds at which its last sample was played.

    Attributes:
        samples: (WINDOW,) the last samples.
        power: (WINDOW // 2 + 1,) power spectrum.
        mel: (BANDS,) compressed magnitudes, 0 to about 1.
        rise: (BANDS,) how far each band rose within 20 ms.
        level: root mean square of the last 10 ms.

    """

    time: float
    samples: Line
    power: Line
    mel: Line
    rise: Line
    level: float


def initial_front_end() -> FrontEndState:
    """The state before any sound."""
    zeros = np.zeros(BANDS, np.float32)
    return FrontEndState(np.zeros(WINDOW - HOP, np.float32), zeros, zeros)


def mono(samples: NDArray[np.floating]) -> Line:
    """The mean of the channels, float32 (n,); what is not a number becomes silence."""
    line = np.asarray(samples, np.float32)
    if line.ndim == 2:
        channels = line.shape[1]
        total = line[:, 0].copy() if channels else np.zeros(len(line), np.float32)
        for channel in range(1, channels):
            total += line[:, channel]
        line = total / np.float32(max(1, channels))
    line = np.where(np.isfinite(line), line, np.float32(0))
    return np.clip(line, np.float32(-8), np.float32(8))


@lru_cache(maxsize=1)
def _window() -> Line:
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


@lru_cache(maxsize=1)
def mel_filters() -> Line:
    """(BANDS, WINDOW // 2 + 1) triangles of unit height, equally spaced on the mel scale."""

    def mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(2595 * np.log10(1 + hz / 700))

    low, high = mel(np.array([LOWEST, HIGHEST]))
    edges = np.linspace(low, high, BANDS + 2)
    bins = mel(np.arange(WINDOW // 2 + 1) * SAMPLE_RATE / WINDOW)
    up = (bins[None, :] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins[None, :]) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.clip(np.minimum(up, down), 0, None)
    filters /= np.maximum(filters.sum(axis=1, keepdims=True), 1e-9)
    return np.asarray(filters, np.float32)


def analyse(state: FrontEndState, line: Line) -> tuple[FrontEndState, tuple[SoundFrame, ...]]:
    """The frames that samples complete.

    Args:
        state: after the samples before.
        line: float32 (n,) at 48 kHz, of any length, as `mono` gives it.

    Returns:
        The state after them, and their frames in order.

    """
    joined = np.concatenate([state.tail, line])
    count = max(0, (len(joined) - (WINDOW - HOP)) // HOP)
    mel, before, peak = state.mel, state.before, state.peak
    frames = []
    for number in range(count):
        samples = joined[number * HOP : number * HOP + WINDOW].copy()
        spectrum = np.fft.rfft(samples * _window())
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        bands = np.sqrt(mel_filters() @ power)
        peak = max(float(bands.max()), peak * PEAK_DECAY, QUIETEST)
        now = np.log10(bands * np.float32(1 / peak) + np.float32(FLOOR)) / np.float32(DECADES)
        now += np.float32(1)
        wide = mel.copy()
        np.maximum(wide[1:], mel[:-1], out=wide[1:])
        np.maximum(wide[:-1], mel[1:], out=wide[:-1])
        rise = np.maximum(now - wide, np.float32(0))
        last = samples[-HOP:]
        level = float(np.sqrt(np.mean(last * last)))
        time = (state.frames + number + 1) * HOP_SECONDS
        frames.append(SoundFrame(time, samples, power, now, rise, level))
        mel, before = before, now
    tail = joined[count * HOP :].copy()
    after = FrontEndState(tail, mel, before, peak, state.frames + count)
    return after, tuple(frames)

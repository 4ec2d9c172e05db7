"""Reverb: synthetic impulse responses of rooms, plates and springs, and convolution.

Tails are noise that decays faster at high frequencies (Moorer, "About this reverberation business",
CMJ 1979), after early reflections; springs are chirps, since their waves are dispersive.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from models.music.score import SAMPLE_RATE

Audio = NDArray[np.float32]

SPACES: Final[dict[str, tuple[float, float, float, float, int]]] = {
    # seconds to -60 dB (low, high), decay at 8 kHz relative, predelay s, early reflections
    "room": (0.3, 0.8, 0.5, 0.004, 10),
    "chamber": (0.8, 1.4, 0.45, 0.01, 12),
    "hall": (1.4, 2.6, 0.35, 0.02, 14),
    "cathedral": (3.0, 5.0, 0.25, 0.03, 12),
    "plate": (0.9, 2.2, 0.7, 0.002, 0),
    "spring": (1.2, 2.2, 0.4, 0.01, 0),
    "gated": (1.2, 1.6, 0.6, 0.002, 6),
}


def impulse(kind: str, rng: np.random.Generator) -> Audio:
    """An impulse response (n, 2) of unit energy."""
    shortest, longest, high, predelay, early = SPACES[kind]
    t60 = rng.uniform(shortest, longest)
    high *= rng.uniform(0.7, 1.4)
    n = int(SAMPLE_RATE * min(t60 * 1.05, 4.5))
    t = np.arange(n) / SAMPLE_RATE
    response = np.zeros((n, 2))
    edges = [0, 250, 1000, 3000, 7000, 24000]
    share = np.interp([0, 1, 2, 3, 4], [0, 1.5, 4], [1.0, 0.95, min(0.95, high)])
    spectrum = fft.rfft(rng.standard_normal((n, 2)), axis=0)
    freqs = fft.rfftfreq(n, 1 / SAMPLE_RATE)
    for order in range(5):
        mask = (freqs >= edges[order]) & (freqs < edges[order + 1])
        part = fft.irfft(spectrum * mask[:, None], n, axis=0)
        loud = (1.0, 1.0, 0.9, 0.7, 0.5)[order]
        response += part * (loud * np.exp(-6.9 * t / (t60 * share[order])))[:, None]
    if kind == "spring":
        # Group delay grows with frequency, so that each pass through the spring is a chirp.
        delay = 0.033 * rng.uniform(0.8, 1.3)
        bend = np.minimum(freqs / 4500, 1.0) ** 2
        phase = -2 * np.pi * np.cumsum(delay * (1 + 1.5 * bend)) * (freqs[1] - freqs[0])
        chirp = np.zeros(len(freqs), complex)
        for turn in range(1, 9):
            chirp += 0.75**turn * np.exp(1j * phase * (2 * turn - 1))
        chirp *= np.exp(-((freqs / 4800) ** 4)) * (freqs > 90)
        coil = fft.irfft(chirp, n)
        coil /= np.abs(coil).max() + 1e-9
        response = response / np.abs(response).max() * 0.12 + coil[:, None]
    if kind == "gated":
        stop = int(SAMPLE_RATE * rng.uniform(0.18, 0.35))
        response[:stop] *= (
            np.linspace(0.6, 1.0, stop)[:, None] / np.exp(-6.9 * t[:stop] / t60)[:, None]
        )
        response[stop:] *= np.exp(-np.arange(n - stop) / 600)[:, None]
    lead = int(SAMPLE_RATE * predelay * rng.uniform(0.5, 2.0))
    response = np.concatenate([np.zeros((lead, 2)), response])[:n]
    for _ in range(early):
        at = int(SAMPLE_RATE * rng.uniform(0.002, 0.06))
        response[at] += rng.normal(0, 1, 2) * 3.0 * np.exp(-at / (0.03 * SAMPLE_RATE))
    response /= np.sqrt(np.square(response).sum(0).mean()) + 1e-9
    return response.astype(np.float32)


def convolve(x: Audio, response: Audio) -> Audio:
    """Convolution of (n, 2) arrays, truncated to the length of `x`."""
    size = fft.next_fast_len(len(x) + len(response), real=True)
    out = np.empty_like(x)
    for side in range(2):
        product = fft.rfft(x[:, side], size) * fft.rfft(response[:, side], size)
        out[:, side] = fft.irfft(product, size)[: len(x)]
    return out

"""Drum synthesis: one-shots of kicks, snares, cymbals, bells and hand drums.

Each maker returns a mono float64 one-shot at 48 kHz, peak about 1. Circuit ideas are common
knowledge of analogue drum machines: bridged-T resonators for kicks and toms, six detuned square
waves through a band-pass for metal (as in the TR-808), filtered noise for the rest.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from models.corpus.synth import kernels
from models.music.score import SAMPLE_RATE

Shot = NDArray[np.float64]
Rng = np.random.Generator


def _time(seconds: float) -> Shot:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


@lru_cache(maxsize=512)
def _sos(kind: str, low: float, high: float, order: int) -> NDArray[np.float64]:
    edge: float | list[float] = [low, high] if kind == "bandpass" else low
    return np.asarray(butter(order, edge, kind, fs=SAMPLE_RATE, output="sos"))


def band(x: Shot, low: float, high: float, order: int = 1) -> Shot:
    """Band-pass."""
    return np.asarray(sosfilt(_sos("bandpass", round(low), round(high), order), x))


def high(x: Shot, hz: float, order: int = 2) -> Shot:
    """High-pass."""
    return np.asarray(sosfilt(_sos("highpass", round(hz), 0.0, order), x))


def low(x: Shot, hz: float, order: int = 2) -> Shot:
    """Low-pass."""
    return np.asarray(sosfilt(_sos("lowpass", round(hz), 0.0, order), x))


def peak(x: Shot) -> Shot:
    """Normalise to a peak of 1 and fade out the last 2 ms."""
    x = x / (np.abs(x).max() + 1e-9)
    fade = min(len(x), 96)
    x[len(x) - fade :] *= np.linspace(1, 0, fade)
    return x


def kick(
    rng: Rng, hz: float, sweep: float, bend: float, decay: float, click: float, drive: float
) -> Shot:
    """Kick: a sine that falls from `hz * sweep` to `hz` within `bend` s and dies within `decay` s."""
    t = _time(min(decay * 2.2, 2.0))
    freq = hz * (1 + (sweep - 1) * np.exp(-t / bend))
    body = np.sin(2 * np.pi * np.cumsum(freq) / SAMPLE_RATE) * np.exp(-t * 3 / decay)
    body *= np.minimum(1, t / 0.0008)
    tick = low(rng.standard_normal(len(t)), 6000) * np.exp(-t / 0.003) * click
    x = body + tick
    if drive > 0:
        x = np.tanh(x * (1 + drive))
    return peak(x)


def snare(
    rng: Rng, hz: float, tone: float, decay: float, snappy: float, bright: float, drive: float = 0
) -> Shot:
    """Snare: two membrane modes and a burst of filtered noise."""
    t = _time(decay * 2.5)
    bend = 1 + 0.5 * np.exp(-t / 0.008)
    phase = 2 * np.pi * np.cumsum(hz * bend) / SAMPLE_RATE
    skin = (np.sin(phase) + 0.5 * np.sin(1.78 * phase)) * np.exp(-t / (decay * 0.4)) * tone
    noise = high(rng.standard_normal(len(t)), bright) * np.exp(-t * 3 / decay) * snappy
    noise += rng.standard_normal(len(t)) * np.exp(-t / 0.004) * snappy * 0.7
    x = skin + noise
    if drive > 0:
        x = np.tanh(x * (1 + drive))
    return peak(x)


def clap(rng: Rng, hz: float, decay: float, gap: float = 0.011) -> Shot:
    """Clap: three or four bursts of band-passed noise, then a tail."""
    t = _time(decay * 2.5 + 0.06)
    env = np.zeros(len(t))
    count = int(rng.integers(3, 5))
    for burst in range(count):
        at = burst * gap * rng.uniform(0.8, 1.2)
        late = t >= at
        length = decay if burst == count - 1 else 0.007
        env[late] = np.maximum(env[late], np.exp(-(t[late] - at) * 3 / length))
    return peak(band(rng.standard_normal(len(t)), hz * 0.7, hz * 1.7) * env)


def metal(rng: Rng, hz: float, decay: float, cut: float, noise: float, spread: float = 1.0) -> Shot:
    """Hats, rides and crashes: inharmonic square waves and noise through a high-pass."""
    t = _time(decay * 1.6)
    ratios = np.array([1.0, 1.342, 1.2312, 1.6532, 1.9523, 2.1523]) ** spread
    ratios *= 1 + rng.normal(0, 0.01, 6)
    squares = np.zeros(len(t))
    for ratio in ratios:
        squares += np.sign(np.sin(2 * np.pi * (hz * ratio * t + rng.random())))
    x = squares / 6 * (1 - noise) + rng.standard_normal(len(t)) * noise
    x = high(x, cut, 3) * np.exp(-t * 4 / decay)
    return peak(x * np.minimum(1, t / 0.0005))


def cymbal(rng: Rng, decay: float, dark: float, ping: float) -> Shot:
    """Ride or crash: a plate with many modes, and noise."""
    t = _time(decay * 1.5)
    wash = rng.standard_normal(len(t))
    slow = high(wash, 3500) * np.exp(-t * 3 / decay)
    slow += band(wash, dark, 6000) * np.exp(-t * 5 / decay) * 0.8
    count = 24
    freqs = np.exp(rng.uniform(np.log(500), np.log(9000), count))
    tones = kernels.modes(
        len(t), freqs, decay * rng.uniform(0.3, 1.2, count), rng.uniform(0.2, 1.0, count), 0.00002
    )
    x = slow / (np.abs(slow).max() + 1e-9) * (1 - ping) + peak(tones) * (0.3 + ping)
    return peak(x * np.minimum(1, t / 0.001))


def tom(rng: Rng, hz: float, decay: float, skin: float = 0.2) -> Shot:
    """Tom: like the kick with a longer note."""
    t = _time(decay * 2)
    freq = hz * (1 + 0.5 * np.exp(-t / 0.03))
    x = np.sin(2 * np.pi * np.cumsum(freq) / SAMPLE_RATE) * np.exp(-t * 3 / decay)
    x += 0.35 * np.sin(2 * np.pi * np.cumsum(freq * 1.59) / SAMPLE_RATE) * np.exp(-t * 7 / decay)
    x += low(rng.standard_normal(len(t)), 3000) * np.exp(-t / 0.012) * skin
    return peak(x * np.minimum(1, t / 0.0006))


def shaker(rng: Rng, hz: float, decay: float) -> Shot:
    """Shaker: noise with a slow attack."""
    t = _time(decay * 1.8)
    env = np.minimum(1, t / (decay * 0.35)) * np.exp(-np.maximum(0, t - decay * 0.35) * 4 / decay)
    return peak(band(rng.standard_normal(len(t)), hz * 0.75, min(hz * 1.9, 20000)) * env)


def tambourine(rng: Rng, decay: float) -> Shot:
    """Tambourine: high modes and grains of noise."""
    t = _time(decay * 1.6)
    freqs = rng.uniform(5000, 13000, 18)
    x = kernels.modes(len(t), freqs, rng.uniform(0.3, 1, 18) * decay, rng.uniform(0.3, 1, 18), 0.0)
    grains = rng.standard_normal(len(t)) * (rng.random(len(t)) < 0.05)
    return peak(peak(x) + peak(high(grains, 5000) * np.exp(-t * 4 / decay)) * 0.8)


def cowbell(rng: Rng, hz: float, decay: float) -> Shot:
    """Cowbell: two square waves through a band-pass."""
    t = _time(decay * 1.6)
    x = np.sign(np.sin(2 * np.pi * hz * t)) + np.sign(np.sin(2 * np.pi * hz * 1.48 * t))
    env = 0.5 * np.exp(-t / 0.015) + np.exp(-t * 4 / decay)
    return peak(band(x, hz * 0.9, hz * 3.5) * env)


def block(rng: Rng, hz: float, decay: float) -> Shot:
    """Wood block, clave or rim."""
    t = _time(max(decay * 2, 0.03))
    freqs = hz * np.array([1.0, 1.66, 2.7])
    x = kernels.modes(len(t), freqs, decay * np.array([1, 0.6, 0.3]), np.array([1, 0.5, 0.3]), 0.0)
    return peak(x + rng.standard_normal(len(t)) * np.exp(-t / 0.0015) * 0.3)


def skin(
    rng: Rng, hz: float, decay: float, slap: float, ring: tuple[float, ...], bend: float = 0.1,
    bright: float = 2500.0,
) -> Shot:  # fmt: skip
    """Hand drum: membrane modes at `ring` ratios that bend, and noise of the stroke."""
    t = _time(max(decay * 1.8, 0.05))
    freq = hz * (1 + bend * np.exp(-t / 0.03))
    phase = 2 * np.pi * np.cumsum(freq) / SAMPLE_RATE
    x = np.zeros(len(t))
    for order, ratio in enumerate(ring):
        x += np.sin(ratio * phase) * np.exp(-t * 3 * (1 + 0.6 * order) / decay) / (1 + 0.7 * order)
    x *= np.minimum(1, t / 0.0005)
    stroke = band(rng.standard_normal(len(t)), bright * 0.5, bright * 2) * np.exp(-t / 0.012)
    return peak(x / (np.abs(x).max() + 1e-9) + slap * peak(stroke))


def noise_hit(rng: Rng, hz: float, decay: float, levels: int = 0) -> Shot:
    """Chip noise: random steps clocked at `hz`, quantised to `levels`."""
    t = _time(decay * 1.5)
    clock = np.minimum((t * hz).astype(int), int(hz * decay * 1.5))
    steps = np.where(rng.random(int(hz * decay * 1.5) + 1) < 0.5, -1.0, 1.0)
    env = np.exp(-t * 4 / decay)
    if levels:
        env = np.round(env * levels) / levels
    return peak(steps[clock] * env)


def clang(rng: Rng, hz: float, decay: float, drive: float) -> Shot:
    """Overdriven metal sheet or pipe."""
    count = 14
    freqs = hz * np.sort(rng.uniform(1, 14, count))
    x = kernels.modes(
        int(SAMPLE_RATE * decay * 1.5), freqs, decay * rng.uniform(0.2, 1, count),
        rng.uniform(0.2, 1, count), 0.00003,
    )  # fmt: skip
    x = peak(x) + 0.4 * rng.standard_normal(len(x)) * np.exp(-np.arange(len(x)) / 900)
    return peak(np.tanh(x * (1 + drive)))

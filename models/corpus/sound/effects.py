"""Insert effects: filters, amplifiers, chorus, rotary, wah, mellotron, glitch.

Audio is float32 (n, 2) at 48 kHz. Filters follow the Audio EQ Cookbook (Bristow-Johnson).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from models.corpus.synth import lines
from models.music.score import SAMPLE_RATE

Audio = NDArray[np.float32]
Rng = np.random.Generator


def biquad(x: Audio, kind: str, hz: float, q: float = 0.707, gain_db: float = 0.0) -> Audio:
    """Biquad filter: 'low', 'high', 'band', 'peak', 'low_shelf' or 'high_shelf'."""
    w = 2 * np.pi * min(hz, 0.47 * SAMPLE_RATE) / SAMPLE_RATE
    cosine, alpha, a = np.cos(w), np.sin(w) / (2 * q), 10 ** (gain_db / 40)
    if kind == "low":
        b = [(1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2]
        d = [1 + alpha, -2 * cosine, 1 - alpha]
    elif kind == "high":
        b = [(1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2]
        d = [1 + alpha, -2 * cosine, 1 - alpha]
    elif kind == "band":
        b = [alpha, 0.0, -alpha]
        d = [1 + alpha, -2 * cosine, 1 - alpha]
    elif kind == "peak":
        b = [1 + alpha * a, -2 * cosine, 1 - alpha * a]
        d = [1 + alpha / a, -2 * cosine, 1 - alpha / a]
    else:
        sign = 1 if kind == "low_shelf" else -1
        root = 2 * np.sqrt(a) * alpha
        b = [
            a * ((a + 1) - sign * (a - 1) * cosine + root),
            sign * 2 * a * ((a - 1) - sign * (a + 1) * cosine),
            a * ((a + 1) - sign * (a - 1) * cosine - root),
        ]
        d = [
            (a + 1) + sign * (a - 1) * cosine + root,
            sign * -2 * ((a - 1) + sign * (a + 1) * cosine),
            (a + 1) + sign * (a - 1) * cosine - root,
        ]
    return np.asarray(lfilter(np.array(b), np.array(d), x, axis=0), np.float32)


def normalise_rms(x: Audio, rms: float = 0.1) -> Audio:
    """Scale to a root mean square of the parts that are not silent."""
    power = x[:, 0] * x[:, 0] + x[:, 1] * x[:, 1]
    loud = power > 2e-7
    count = int(loud.sum())
    if not count:
        return x
    return x * np.float32(rms / np.sqrt(0.5 * float(power @ loud) / count))


def _cycle(n: int, hz: float, start: float) -> NDArray[np.float32]:
    t = np.arange(n, dtype=np.float32) / SAMPLE_RATE
    return np.sin(2 * np.pi * (hz * t + start)).astype(np.float32)


def chorus(x: Audio, rng: Rng, amount: float = 0.5) -> Audio:
    """Chorus: a modulated delay on each side."""
    n = len(x)
    rate = rng.uniform(0.3, 1.1)
    wet = np.empty_like(x)
    for side in range(2):
        sweep = _cycle(n, rate * (1 + 0.13 * side), rng.random())
        delay = SAMPLE_RATE * (0.011 + 0.003 * side + 0.0022 * sweep)
        wet[:, side] = lines.warp(x, delay.astype(np.float32))[:, side]
    return np.asarray(x * (1 - 0.4 * amount) + wet * 0.75 * amount, np.float32)


def tremolo(x: Audio, hz: float, depth: float) -> Audio:
    """Tremolo: amplitude modulation."""
    return x * (1 - depth * (0.5 + 0.5 * _cycle(len(x), hz, 0.0)))[:, None]


def crush(x: Audio, bits: int, rate_hz: float) -> Audio:
    """Reduce bit depth and sample rate; 0 for none."""
    if rate_hz:
        x = biquad(x, "low", 0.42 * rate_hz)
        hold = np.floor(np.arange(len(x)) * rate_hz / SAMPLE_RATE) * SAMPLE_RATE / rate_hz
        x = x[np.minimum(np.ceil(hold).astype(np.int64), len(x) - 1)]
    if bits:
        scale = float(2 ** (bits - 1)) / max(1e-6, float(np.abs(x).max()))
        x = (np.round(x * scale) / scale).astype(np.float32)
    return x


def saturate(x: Audio, drive: float, bias: float = 0.0) -> Audio:
    """Soft clipping with input gain `drive`, at about the same output level."""
    y = np.tanh(x * np.float32(drive) + np.float32(bias)) - np.float32(np.tanh(bias))
    return np.asarray(y / np.float32(drive**0.75))


def amplifier(
    x: Audio, rng: Rng, gain: float, bias: float = 0.15, top: float = 4800.0, tight: float = 110.0
) -> Audio:
    """Guitar amplifier and cabinet: tight lows, drive, two resonances, no treble."""
    x = normalise_rms(biquad(x, "high", tight), 0.12)
    x = np.tanh(x * np.float32(gain) + np.float32(bias)) * np.float32(0.3)
    x = biquad(x, "high", 70)
    x = biquad(x, "peak", rng.uniform(95, 140), 1.2, rng.uniform(1, 5))
    x = biquad(x, "peak", rng.uniform(1900, 3000), 1.0, rng.uniform(1, 6))
    x = biquad(x, "peak", rng.uniform(350, 700), 0.8, rng.uniform(-5, 1))
    x = biquad(x, "low", top * 2 ** rng.uniform(-0.3, 0.3))
    return biquad(x, "low", top * 1.1, 0.9)


def wow(x: Audio, rng: Rng, depth: float) -> Audio:
    """Wow and flutter of tape; depth 1 is a worn cassette."""
    n = len(x)
    slow = _cycle(n, rng.uniform(0.35, 0.9), rng.random()) * 60 * depth
    fast = _cycle(n, rng.uniform(5, 9), rng.random()) * 2.5 * depth
    drift = _cycle(n, rng.uniform(0.08, 0.2), rng.random()) * 40 * depth
    return np.asarray(lines.warp(x, (130 * depth + slow + fast + drift).astype(np.float32)))


def _wah(x: Audio, rng: Rng) -> Audio:
    if rng.random() < 0.5:
        return x
    env = np.abs(x[:, 0] + x[:, 1])
    env = lfilter([0.0006], [1, -0.9994], env)
    sweep = np.clip(env / (env.max() + 1e-9), 0, 1)
    dark, bright = biquad(x, "band", 500, 2.0), biquad(x, "band", 1900, 2.0)
    share = sweep[:, None].astype(np.float32)
    return np.asarray(0.5 * x + 2.0 * (dark * (1 - share) + bright * share), np.float32)


def _rotary(x: Audio, rng: Rng) -> Audio:
    hz = rng.choice([0.8, 6.2]) * rng.uniform(0.9, 1.1)
    x = saturate(normalise_rms(x, 0.1), rng.uniform(1.0, 4.0))
    n = len(x)
    turn = _cycle(n, hz, 0.0)
    x = np.asarray(lines.warp(x, (20 + 14 * turn).astype(np.float32)))
    depth = np.float32(0.3)
    side = np.stack([1 + depth * turn, 1 - depth * turn], 1)
    return x * side


def _mellotron(x: Audio, rng: Rng) -> Audio:
    middle = np.asarray((x[:, :1] + x[:, 1:]) / 2, np.float32)
    x = wow(middle.repeat(2, 1), rng, rng.uniform(0.4, 0.9))
    x = biquad(biquad(x, "high", 160), "low", rng.uniform(3500, 6500))
    x = saturate(normalise_rms(x, 0.12), rng.uniform(1.5, 3))
    return biquad(x, "peak", rng.uniform(700, 1400), 0.8, 4)


def _glitch(x: Audio, rng: Rng) -> Audio:
    """Glitch effect: bit reduction, and repeated short passages."""
    x = crush(x, int(rng.integers(5, 9)), float(rng.uniform(6000, 16000)))
    for _ in range(int(rng.integers(4, 14))):
        at = int(rng.integers(0, max(1, len(x) - SAMPLE_RATE)))
        length = int(SAMPLE_RATE * rng.choice([0.02, 0.03, 0.045, 0.06]))
        turns = int(rng.integers(3, 7))
        piece = x[at : at + length] * np.hanning(length)[:, None].astype(np.float32) ** 0.25
        stop = min(len(x), at + length * turns)
        x[at:stop] = np.tile(piece, (turns, 1))[: stop - at]
    return x


def _formant(x: Audio, rng: Rng) -> Audio:
    x = normalise_rms(x, 0.1)
    y = x * np.float32(0.5)
    for hz in (rng.uniform(350, 550), rng.uniform(900, 1500), rng.uniform(2000, 2700)):
        y = y + tremolo(biquad(x, "band", hz, 4), rng.uniform(1.5, 5), 0.7)
    return np.asarray(y, np.float32)


def _surf(x: Audio, rng: Rng) -> Audio:
    x = amplifier(x, rng, rng.uniform(1.5, 3), top=6000)
    return tremolo(x, rng.uniform(5, 8), rng.uniform(0.0, 0.6))


def _funk(x: Audio, rng: Rng) -> Audio:
    x = _wah(biquad(x, "high", 220), rng)
    return amplifier(x, rng, 1.6, top=7000)


def _fuzz(x: Audio, rng: Rng) -> Audio:
    x = normalise_rms(x, 0.12)
    x = np.clip(x * np.float32(rng.uniform(30, 90)), -1, 1)
    return amplifier(np.asarray(x, np.float32), rng, 2.0, bias=0.3, top=rng.uniform(3000, 5000))


EFFECTS: Final[dict[str, Callable[[Audio, Rng], Audio]]] = {
    "": lambda x, rng: x,
    "chorus": lambda x, rng: chorus(x, rng, rng.uniform(0.0, 0.8)),
    "wah": _wah,
    "rotary": _rotary,
    "mellotron": _mellotron,
    "warm_amp": lambda x, rng: amplifier(x, rng, rng.uniform(0.8, 1.6), top=3800, tight=70),
    "clean_amp": lambda x, rng: chorus(
        amplifier(x, rng, rng.uniform(0.8, 2.2), top=6500), rng, rng.uniform(0, 0.5)
    ),
    "surf": _surf,
    "funk": _funk,
    "overdrive": lambda x, rng: amplifier(x, rng, rng.uniform(4, 10), top=5000),
    "distortion": lambda x, rng: amplifier(x, rng, rng.uniform(14, 40), bias=0.05, top=4800),
    "fuzz": _fuzz,
    "erhu": lambda x, rng: biquad(biquad(biquad(x, "peak", 900, 2.5, 6), "peak", 2300, 2, 5), "high", 250),
    "buzz": lambda x, rng: biquad(biquad(saturate(normalise_rms(x, 0.1), 3.0), "peak", 1400, 1.5, 6), "high", 150),
    "dark": lambda x, rng: biquad(biquad(x, "low", 2600), "low_shelf", 250, 0.7, 4),
    "formant": _formant,
    "bass_amp": lambda x, rng: biquad(saturate(normalise_rms(x, 0.12), rng.uniform(1, 4)), "low", 3800),
    "acid": lambda x, rng: saturate(normalise_rms(x, 0.12), rng.uniform(1, 12)),
    "dirt": lambda x, rng: crush(
        saturate(normalise_rms(x, 0.15), rng.uniform(3, 12)), int(rng.choice([0, 7, 9])), float(rng.choice([0, 0, 14000]))
    ),
    "glitch": _glitch,
}  # fmt: skip
"""Insert effects by the name that `presets.Sound.effect` uses."""

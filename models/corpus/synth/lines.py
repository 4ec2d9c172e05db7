"""Inner loops of delays, compressor and limiter, compiled by numba.

The compressor is a feed-forward design with a soft knee and a branching peak detector (Giannoulis,
Massberg & Reiss, "Digital dynamic range compressor design", JAES 2012), run on blocks of 32 samples.
"""

from __future__ import annotations

from math import exp, tanh
from typing import Any

import numpy as np
from numba import njit

from models.music.score import SAMPLE_RATE

SR = float(SAMPLE_RATE)
Array = Any  # numba infers; the callers are typed


@njit(cache=True, fastmath=True)
def warp(x: Array, delay: Array) -> Array:
    """Read `x` (n, 2) `delay[i]` samples late, linearly interpolated: wow, flutter, chorus."""
    n = x.shape[0]
    out = np.zeros_like(x)
    for i in range(n):
        at = i - delay[i]
        if at < 0.0:
            continue
        whole = int(at)
        part = at - whole
        if whole + 1 >= n:
            continue
        out[i, 0] = x[whole, 0] * (1.0 - part) + x[whole + 1, 0] * part
        out[i, 1] = x[whole, 1] * (1.0 - part) + x[whole + 1, 1] * part
    return out


@njit(cache=True, fastmath=True)
def echo(
    x: Array, samples: int, feedback: float, low: float, high: float, cross: float, drive: float
) -> Array:
    """Feedback delay, wet only; `low`/`high` one-pole coefficients of the loop; ping-pong `cross`."""
    n = x.shape[0]
    out = np.zeros_like(x)
    ll = lr = hl = hr = 0.0
    for i in range(samples, n):
        left = x[i - samples, 0] + feedback * (
            out[i - samples, 0] * (1 - cross) + out[i - samples, 1] * cross
        )
        right = x[i - samples, 1] * (1 - cross) + feedback * (
            out[i - samples, 1] * (1 - cross) + out[i - samples, 0] * cross
        )
        if drive > 0.0:
            left = tanh(left * (1 + drive)) / (1 + drive)
            right = tanh(right * (1 + drive)) / (1 + drive)
        ll += low * (left - ll)
        lr += low * (right - lr)
        hl += high * (ll - hl)
        hr += high * (lr - hr)
        out[i, 0] = ll - hl
        out[i, 1] = lr - hr
    return out


@njit(cache=True, fastmath=True)
def compress(
    x: Array, threshold: float, ratio: float, attack: float, release: float, knee: float
) -> Array:
    """Gain (n,) of a feed-forward compressor; threshold and knee in dB, times in seconds."""
    n = x.shape[0]
    gain = np.empty(n, np.float32)
    up = exp(-32.0 / (attack * SR))
    down = exp(-32.0 / (release * SR))
    reduction = 0.0
    target_gain = 1.0
    last_gain = 1.0
    for block in range(0, n, 32):
        peak = 1e-9
        stop = min(n, block + 32)
        for i in range(block, stop):
            a = max(abs(x[i, 0]), abs(x[i, 1]))
            if a > peak:
                peak = a
        over = 20.0 * np.log10(peak) - threshold
        if over < -knee:
            want = 0.0
        elif over > knee:
            want = over * (1.0 - 1.0 / ratio)
        else:
            want = (over + knee) ** 2 / (4.0 * knee) * (1.0 - 1.0 / ratio)
        if want > reduction:
            reduction = want + (reduction - want) * up
        else:
            reduction = want + (reduction - want) * down
        target_gain = 10.0 ** (-reduction / 20.0)
        for i in range(block, stop):
            gain[i] = last_gain + (target_gain - last_gain) * (i - block + 1) / (stop - block)
        last_gain = target_gain
    return gain


@njit(cache=True, fastmath=True)
def limit(x: Array, ceiling: float, ahead: int, release: float) -> None:
    """Look-ahead peak limiter, in place: no sample over `ceiling`."""
    n = x.shape[0]
    blocks = (n + ahead - 1) // ahead
    need = np.ones(blocks + 2)
    for b in range(blocks):
        peak = 0.0
        for i in range(b * ahead, min(n, (b + 1) * ahead)):
            a = max(abs(x[i, 0]), abs(x[i, 1]))
            if a > peak:
                peak = a
        if peak > ceiling:
            need[b] = ceiling / peak
    down = exp(-ahead / (release * SR))
    held = 1.0
    edges = np.ones(blocks + 1)  # gain at block edges: at most what both neighbours need
    for b in range(blocks + 1):
        want = min(need[b - 1] if b else 1.0, need[b])
        held = min(want, 1.0 - (1.0 - held) * down)
        edges[b] = held
    for b in range(blocks):
        begin = b * ahead
        stop = min(n, begin + ahead)
        for i in range(begin, stop):
            gain = edges[b] + (edges[b + 1] - edges[b]) * (i - begin) / ahead
            x[i, 0] *= gain
            x[i, 1] *= gain

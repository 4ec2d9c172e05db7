"""Dynamics: compressor, loudness meter, true-peak look-ahead limiter."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.studio.block import Planes, sliding_windows

HOP: Final = 96  # samples between two measurements of a compressor's input
AHEAD: Final = 96  # samples by which the limiter looks ahead
CEILING: Final = 0.865  # -1.26 dB: what the four-fold peak misses stays under -1 dB
RELEASE: Final = 0.12  # seconds of the limiter


class CompressorSettings(NamedTuple):
    """Settings of a compressor: dB, ratio, seconds, dB."""

    threshold: float
    ratio: float
    attack: float
    release: float
    knee: float


def compress(
    x: Planes, settings: CompressorSettings, reduction: float, makeup: float = 1.0
) -> tuple[Planes, float]:
    """Feed-forward compression (Giannoulis, Massberg & Reiss, JAES 2012) with a soft knee.

    `reduction` is the state, in dB; the gain is linear between measurements, HOP samples apart.
    """
    peaks = np.abs(x).reshape(2, -1, HOP).max(axis=2).max(axis=0)
    over = 20.0 * np.log10(peaks + 1e-9) - settings.threshold
    if reduction < 1e-6 and float(over.max()) < -settings.knee:
        return (x if makeup == 1.0 else x * np.float32(makeup)), 0.0
    slope, knee = 1.0 - 1.0 / settings.ratio, settings.knee
    bent = (np.clip(over, -knee, knee) + knee) ** 2 / (4.0 * knee)
    target = (np.where(over > knee, over, bent) * slope).tolist()
    up = math.exp(-HOP / (settings.attack * SAMPLE_RATE))
    down = math.exp(-HOP / (settings.release * SAMPLE_RATE))
    trace = [reduction]
    for goal in target:
        fade = up if goal > reduction else down
        reduction = goal + (reduction - goal) * fade
        trace.append(reduction)
    if max(trace) < 1e-3:
        return (x if makeup == 1.0 else x * np.float32(makeup)), reduction
    gain = (np.power(10.0, np.array(trace) / -20.0) * makeup).astype(np.float32)
    ramp = _ramp(HOP)
    steps = gain[:-1, None] + (gain[1:] - gain[:-1])[:, None] * ramp
    return x * steps.reshape(-1), reduction


def line(begin: float, end: float, samples: int) -> NDArray[np.float32] | np.float32:
    """(samples,) linear from one gain to just before another; a number where they are the same."""
    if begin == end:
        return np.float32(begin)
    return np.float32(begin) + np.float32(end - begin) * _from_zero(samples)


@lru_cache(maxsize=8)
def _from_zero(length: int) -> NDArray[np.float32]:
    return np.arange(length, dtype=np.float32) / np.float32(length)


@lru_cache(maxsize=8)
def _ramp(length: int) -> NDArray[np.float32]:
    """(length,) from 1 / length to 1."""
    return np.arange(1, length + 1, dtype=np.float32) / np.float32(length)


@lru_cache(maxsize=4)
def k_weights(samples: int) -> NDArray[np.float32]:
    """Power of the K weighting (ITU-R BS.1770-4) at the bins of a transform of `samples`."""
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(samples))
    shelf = (1.53512485958691 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    weight: NDArray[np.float32] = (np.square(np.abs(shelf * high)) * 2.0 / samples**2).astype(
        np.float32
    )
    return weight


def loudness(x: Planes) -> float:
    """K-weighted loudness of a block (2, samples) in LUFS; -120 for silence."""
    spectrum = np.fft.rfft(x, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return -0.691 + 10.0 * math.log10(float((power @ k_weights(x.shape[1])).sum()) + 1e-12)


def loudness_fast(x: Planes) -> float:
    """`loudness` of the mid channel alone, for parts: half the work."""
    spectrum = np.fft.rfft(x[0] + x[1])
    power = spectrum.real**2 + spectrum.imag**2
    return -0.691 + 10.0 * math.log10(0.5 * float(power @ k_weights(x.shape[1])) + 1e-12)


NEAR: Final = 16  # samples that one between them is made of


QUIET: Final = 0.47 * CEILING  # the filters between samples raise a peak to 2.11 of it at most


@lru_cache(maxsize=1)
def _between() -> NDArray[np.float32]:
    """(NEAR, 3) filters that give the samples at a quarter, half and three quarters of the way."""
    place = np.arange(NEAR)[:, None] - (NEAR // 2 - 1) - np.array([0.25, 0.5, 0.75])[None, :]
    taps = np.sinc(place) * np.i0(5.0 * np.sqrt(1 - (place / (NEAR / 2)) ** 2))
    unity: NDArray[np.float32] = (taps / taps.sum(0)).astype(np.float32)
    return unity


def true_peaks(x: Planes, hop: int = AHEAD) -> NDArray[np.float32]:
    """(samples / hop,) four-fold oversampled peak of each hop (ITU-R BS.1770-4, annex 2)."""
    peaks = np.abs(x).max(axis=0)
    hops: NDArray[np.float32] = peaks.reshape(-1, hop).max(axis=1)
    if float(hops.max()) < QUIET:
        return hops
    # Between samples that all are quiet nothing is over the ceiling.
    loud = np.pad(hops, 1)
    at = np.flatnonzero(np.maximum(np.maximum(loud[:-2], loud[2:]), hops) >= QUIET)
    padded = np.pad(x, ((0, 0), (NEAR // 2 - 1, NEAR // 2)))
    for windows in sliding_windows(padded, NEAR):
        between = np.abs(windows.reshape(-1, hop, NEAR)[at] @ _between())
        hops[at] = np.maximum(hops[at], between.reshape(len(at), -1).max(axis=1))
    return hops


class LimiterState(NamedTuple):
    """State of the limiter: the last samples (2, AHEAD), which are not given out yet, and the gain
    at their beginning.
    """

    tail: Planes
    gain: float = 1.0

    @classmethod
    def start(cls) -> LimiterState:
        return cls(np.zeros((2, AHEAD), np.float32))


def limit(x: Planes, state: LimiterState) -> tuple[Planes, LimiterState]:
    """Limit true peaks to CEILING; the output is AHEAD samples late."""
    joined = np.concatenate([state.tail, x], axis=1)
    need = np.minimum(1.0, CEILING / np.maximum(true_peaks(joined), 1e-9))
    hops = x.shape[1] // AHEAD
    out = joined[:, :-AHEAD]
    tail = np.ascontiguousarray(joined[:, -AHEAD:])
    tail.setflags(write=False)
    if state.gain == 1.0 and float(need.min()) == 1.0:
        return out, LimiterState(tail)
    down = math.exp(-AHEAD / (RELEASE * SAMPLE_RATE))
    target = np.minimum(need[:-1], need[1:]).tolist()
    held = min(state.gain, float(need[0]))
    edges = [held]
    for goal in target:
        held = min(goal, 1.0 - (1.0 - held) * down)
        if held > 0.9999:
            held = 1.0
        edges.append(held)
    gain = np.array(edges, np.float32)
    ramp = _ramp(AHEAD)
    steps = gain[:-1, None] + (gain[1:] - gain[:-1])[:, None] * ramp
    assert len(steps) == hops
    return out * steps.reshape(-1), LimiterState(tail, held)

"""Cascades of biquad filters, computed block by block without a loop over samples.

A cascade of biquads is a linear system x' = A x + B u, y = C x + D u. Of 128 samples at a time the
output is one matrix product with the input and one with the state that they begin with, so that
Python only walks over the few states between (block state-space form; Burrus, "Block realization
of digital filters", IEEE Trans. Audio Electroacoust. 1972). Coefficients: Bristow-Johnson, "Audio
EQ Cookbook".
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE
from models.segue.studio.block import Planes

SPAN: Final = 128  # samples between two states

FilterState = NDArray[np.float64]  # (channels, 2 a section)


class FilterSection(NamedTuple):
    """Biquad: `kind` low, high, band, peak, low_shelf or high_shelf; hertz, Q and dB."""

    kind: str
    hz: float
    q: float = 0.707
    gain_db: float = 0.0


def coefficients(section: FilterSection) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numerator and denominator (3,) of a biquad, the denominator's first being 1."""
    kind, hz, q, gain_db = section
    w = 2 * math.pi * min(hz, 0.47 * SAMPLE_RATE) / SAMPLE_RATE
    cosine, alpha, a = math.cos(w), math.sin(w) / (2 * q), 10 ** (gain_db / 40)
    if kind == "low":
        b = [(1 - cosine) / 2, 1 - cosine, (1 - cosine) / 2]
        d = [1 + alpha, -2 * cosine, 1 - alpha]
    elif kind == "high":
        b = [(1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2]
        d = [1 + alpha, -2 * cosine, 1 - alpha]
    elif kind == "band":
        b, d = [alpha, 0.0, -alpha], [1 + alpha, -2 * cosine, 1 - alpha]
    elif kind == "peak":
        b = [1 + alpha * a, -2 * cosine, 1 - alpha * a]
        d = [1 + alpha / a, -2 * cosine, 1 - alpha / a]
    else:
        sign = 1 if kind == "low_shelf" else -1
        root = 2 * math.sqrt(a) * alpha
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
    return np.array(b) / d[0], np.array(d) / d[0]


class Filter:
    """A cascade of sections, ready to run over blocks. Immutable."""

    def __init__(self, sections: tuple[FilterSection, ...]) -> None:
        self.sections = sections
        size = 2 * len(sections)
        a = np.zeros((size, size))
        b = np.zeros(size)
        c = np.zeros(size)
        d = 1.0
        for index, section in enumerate(sections):
            top, bottom = coefficients(section)
            at = 2 * index
            # Transposed direct form II; its input is the output c, d of the cascade so far.
            gain_1 = top[1] - bottom[1] * top[0]
            gain_2 = top[2] - bottom[2] * top[0]
            a[at, :at], a[at + 1, :at] = gain_1 * c[:at], gain_2 * c[:at]
            a[at, at], a[at, at + 1], a[at + 1, at] = -bottom[1], 1.0, -bottom[2]
            b[at], b[at + 1] = gain_1 * d, gain_2 * d
            c = np.concatenate([top[0] * c[:at], [1.0, 0.0], np.zeros(size - at - 2)])
            d = top[0] * d
        powers = np.empty((SPAN + 1, size, size))
        powers[0] = np.eye(size)
        done = 1
        while done <= SPAN:
            more = min(done, SPAN + 1 - done)
            step = powers[done - 1] @ a
            powers[done : done + more] = powers[:more] @ step
            done += more
        response = np.concatenate([[d], powers[: SPAN - 1] @ b @ c])
        lag = np.arange(SPAN)[:, None] - np.arange(SPAN)[None, :]
        self._direct = np.where(lag >= 0, response[np.maximum(lag, 0)], 0.0).T.astype(np.float32)
        self._observe = np.ascontiguousarray((c @ powers[:SPAN]).T, np.float64)
        self._reach = np.ascontiguousarray((powers[SPAN - 1 :: -1] @ b), np.float64)
        self._carry = np.ascontiguousarray(powers[SPAN].T)
        self._twice = self._carry @ self._carry
        self.size = size

    def start(self, channels: int = 2) -> FilterState:
        """The state of silence."""
        return np.zeros((channels, self.size))

    def resumed(self, state: FilterState | None) -> FilterState:
        """A state to go on from: silence for none. Sections that a state of an older version does
        not have come after its own, and begin silent: who goes back to a moment crossfades.
        """
        if state is None:
            return self.start()
        missing = self.size - state.shape[1]
        return np.pad(state, ((0, 0), (0, missing))) if missing > 0 else state

    def run(self, x: Planes, state: FilterState) -> tuple[Planes, FilterState]:
        """Filter (channels, samples), samples a multiple of 2 SPAN; returns the state after it."""
        channels, samples = x.shape
        spans = samples // SPAN
        pieces = x.reshape(channels, spans, SPAN)
        push = pieces.astype(np.float64) @ self._reach
        carry, twice = self._carry, self._twice
        # Two spans at a time: the states between are one product afterwards.
        first = np.ascontiguousarray(push[:, 0::2].transpose(1, 0, 2))
        both = first @ carry + push[:, 1::2].transpose(1, 0, 2)
        begins = np.empty((spans // 2 + 1, channels, self.size))
        begins[0] = state
        rows = list(begins)
        for row, pushed, after in zip(rows, both, rows[1:], strict=False):
            row.dot(twice, after)  # a method: the operator takes longer than so small a product
            after += pushed
        state = rows[-1].copy()
        states = np.empty((spans, channels, self.size))
        states[0::2] = begins[:-1]
        np.matmul(states[0::2], carry, out=states[1::2])
        states[1::2] += first
        y = (x.reshape(-1, SPAN) @ self._direct).reshape(pieces.shape)
        y += (states.transpose(1, 0, 2) @ self._observe).astype(np.float32)
        # Without input a filter would decay into denormal numbers, which are slow.
        state[np.abs(state) < 1e-18] = 0.0
        return y.reshape(channels, samples), state


@lru_cache(maxsize=256)
def filter_of(sections: tuple[FilterSection, ...]) -> Filter:
    """The filter of these sections, cached."""
    return Filter(sections)

"""Gain, low-cut and gate of the input. Block by block, in a thread that may allocate."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.audio.shared_memory import SAMPLE_RATE

Samples = NDArray[np.float32]

CHUNK: Final = 64
GATE_HOLD_SECONDS: Final = 0.15
GATE_ATTACK_SECONDS: Final = 0.003
GATE_RELEASE_SECONDS: Final = 0.06
GAIN_SECONDS: Final = 0.02


class LowCut:
    """Two one-pole high-passes in a row: 12 dB an octave, no resonance.

    A one-pole low-pass over a chunk is a triangular matrix, which is subtracted from the sound.

    Args:
        hz: corner; 0 for none.
        channels: of the sound.

    """

    def __init__(self, hz: float, channels: int = 2) -> None:
        self.hz = hz
        pole = math.exp(-2.0 * math.pi * hz / SAMPLE_RATE)
        steps = np.arange(CHUNK)
        lag = steps[:, None] - steps[None, :]
        self._matrix = np.where(lag >= 0, (1.0 - pole) * pole ** np.maximum(lag, 0), 0.0)
        self._decay = pole ** (steps[:, None] + 1.0)
        self._low = np.zeros((2, channels))

    def process(self, sound: Samples) -> Samples:
        """The sound (n, channels) without its lows."""
        if self.hz <= 0.0:
            return sound
        out = sound.astype(np.float64)
        for start in range(0, len(out), CHUNK):
            part = out[start : start + CHUNK]
            n = len(part)
            for state in self._low:
                low = self._matrix[:n, :n] @ part + self._decay[:n] * state
                state[:] = low[-1]
                part -= low
        return out.astype(np.float32)


class Ramp:
    """Gain that moves to its target in a straight line. seconds: from 0 to 1."""

    def __init__(self, value: float = 1.0) -> None:
        self.value = value

    def gains(self, target: float, n: int, seconds: float) -> NDArray[np.float32]:
        """Gain of each of n frames, (n, 1)."""
        if target == self.value:
            return np.full((n, 1), target, np.float32)
        step = 1.0 / (seconds * SAMPLE_RATE)
        if target < self.value:
            step = -step
        line = self.value + step * np.arange(1, n + 1)
        line = np.clip(line, min(self.value, target), max(self.value, target))
        self.value = float(line[-1])
        gains: NDArray[np.float32] = line.astype(np.float32)[:, None]
        return gains


class Gate:
    """Noise gate with a hold; opens within a few milliseconds."""

    def __init__(self) -> None:
        self._ramp = Ramp(1.0)
        self._open_for = 0.0

    def process(self, sound: Samples, threshold: float) -> Samples:
        """The sound (n, channels), silent where its peak stays below the threshold (linear)."""
        n = len(sound)
        if threshold <= 0.0 and self._ramp.value == 1.0:
            return sound
        if threshold <= 0.0 or float(np.abs(sound).max(initial=0.0)) >= threshold:
            self._open_for = GATE_HOLD_SECONDS
        else:
            self._open_for -= n / SAMPLE_RATE
        opened = self._open_for > 0.0
        seconds = GATE_ATTACK_SECONDS if opened else GATE_RELEASE_SECONDS
        return sound * self._ramp.gains(float(opened), n, seconds)

"""What the output callback does for the input: the dry monitor, and the loopback test's click."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.audio import shared_memory as s
from app.audio.input.history import InputHistory
from app.audio.ring import take

Samples = NDArray[np.float32]

MONITOR_DELAY: Final = 480
"""Frames that the monitor stays behind the input, for the converting thread to be late."""
FADE: Final = 96
CLICK_FRAMES: Final = 64
CLICK_LEVEL: Final = 0.5


def click() -> Samples:
    """Click of the loopback test, float32 (CLICK_FRAMES,): a windowed burst of 4.5 kHz."""
    n = np.arange(CLICK_FRAMES)
    window = np.hanning(CLICK_FRAMES + 2)[1:-1]
    burst: NDArray[np.float64] = (
        CLICK_LEVEL * window * np.sin(2 * np.pi * 4500.0 / s.SAMPLE_RATE * n)
    )
    return np.asarray(burst, np.float32)


class InputMonitor:
    """Adds the input to the output. Arrays are made once; nothing here waits.

    Args:
        words: of the shared memory.
        floats: of the shared memory.
        history: the input.
        max_frames: of one `mix`.

    """

    def __init__(
        self,
        words: NDArray[np.int64],
        floats: NDArray[np.float64],
        history: InputHistory,
        max_frames: int,
    ) -> None:
        self._words, self._floats, self._history = words, floats, history
        self._block = np.zeros((max_frames, s.CHANNELS), np.float32)
        self._gain = np.zeros((max_frames, 1), np.float32)
        self._ramp = np.arange(1, max_frames + 1, dtype=np.float32)[:, None] / FADE
        self._level = 0.0
        self._next = 0
        self._click = click()[:, None]
        self._clicks_done = int(words[s.CLICK])

    def mix(self, out: Samples, clock: int) -> None:
        """Add the monitored input, and a click where one was asked for.

        Args:
            out: sound (n, 2) on its way to the device, changed in place.
            clock: the output clock's frame of out[0].

        """
        words = self._words
        asked = int(words[s.CLICK])
        if asked != self._clicks_done and len(out) >= CLICK_FRAMES:
            out[:CLICK_FRAMES] += self._click
            self._clicks_done = asked
            words[s.CLICK_AT] = clock
            words[s.CLICK_DONE] = asked
        target = float(self._floats[s.INPUT_MONITOR]) if words[s.INPUT_RUNNING] else 0.0
        if target > 0.0 or self._level > 0.0:
            self._add_input(out, target)

    def _add_input(self, out: Samples, target: float) -> None:
        n, end = len(out), self._history.end
        if self._level == 0.0:
            self._next = end - n - MONITOR_DELAY
        elif not end - 4 * MONITOR_DELAY - 2 * n < self._next <= end - n:
            target = 0.0  # the input is late, or was moved: fade out, then begin anew
        first = max(0, self._next)
        block, gain = self._block[:n], self._gain[:n]
        take(self._history.data, first, block)
        self._next += n
        # A straight line towards the target.
        np.multiply(self._ramp[:n], np.float32(1.0 if target > self._level else -1.0), out=gain)
        np.add(gain, np.float32(self._level), out=gain)
        low, high = min(self._level, target), max(self._level, target)
        np.clip(gain, np.float32(low), np.float32(high), out=gain)
        np.multiply(block, gain, out=block)
        np.add(out, block, out=out)
        np.clip(out, -1.0, 1.0, out=out)
        self._level = float(gain[-1, 0])
        if self._level < 1e-6:
            self._level = 0.0

"""Capture of raw input: PortAudio's callback copies, a reader takes what has come."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.audio.input.clock_filter import ClockFilter
from app.audio.processes import priority
from app.audio.ring import put, take

Samples = NDArray[np.float32]


class InputCapture:
    """Raw frames of one open device, and its clock.

    Args:
        rate: of the device, in Hz.
        first: index of the first channel that is kept.
        width: number of channels that are kept, 1 or 2.
        seconds: of sound that may wait for the reader.

    """

    def __init__(self, rate: int, first: int, width: int, seconds: float = 2.0) -> None:
        self.clock = ClockFilter(rate)
        self.lost = 0
        """Times that the device reported lost sound."""
        self.count = 0
        """Frames that have come in."""
        self._first, self._width = first, width
        self._raw = np.zeros((round(seconds * rate), width), np.float32)
        self.skipped = 0
        """Frames that the reader was too late for."""
        self._taken = 0
        self._raised = False

    def callback(self, data: Samples, frames: int, when: object, status: Any) -> None:
        """Callback of PortAudio: data (frames, channels)."""
        now = time.monotonic()
        if not self._raised:
            self._raised = True
            priority.raise_thread_priority()
        if status and status.input_overflow:
            self.lost += 1
        put(self._raw, self.count, data[:, self._first : self._first + self._width])
        # As PortAudio's times do: the first frame of the block counts, for input and output.
        self.clock.update(self.count, now)
        self.count += frames

    def take(self, max_frames: int) -> Samples:
        """The next frames, a new array (at most max_frames, width)."""
        behind = self.count - self._taken
        if behind > len(self._raw) // 2:  # the reader stood still; what it missed is lost
            skip = behind - len(self._raw) // 4
            self._taken += skip
            self.skipped += skip
            behind -= skip
        out = np.empty((min(behind, max_frames), self._width), np.float32)
        take(self._raw, self._taken, out)
        self._taken += len(out)
        return out

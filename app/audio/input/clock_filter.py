"""Delay-locked loop that smooths the times of audio callbacks.

F. Adriaensen, "Using a DLL to filter time", Linux Audio Conference 2005: a second-order loop
predicts when the next block is due and follows the measured times slowly, so that a callback that
the system wakes late does not count as a device that runs slow.
"""

from __future__ import annotations

import math
from typing import Final

BANDWIDTH: Final = 0.05
"""Hz of the settled loop; it begins faster and slows down as it learns."""
RESET_SECONDS: Final = 0.1
"""Error after which the loop starts again: the device stood still."""
LATE_SECONDS: Final = 0.002
LATE_WEIGHT: Final = 0.25
"""A callback is late more often than early: by the system's doing, not the device's. So lateness
counts for less, and for no more than LATE_SECONDS."""
SHIFT_SECONDS: Final = 0.0015
SHIFT_CALLBACKS: Final = 16
"""So many callbacks in a row that are late by more: the device left out frames (an xrun)."""


class ClockFilter:
    """Clock of a device: frames against time.monotonic(). Updated by one thread, read by others.

    Args:
        rate: nominal frames per second.

    """

    def __init__(self, rate: float) -> None:
        self._nominal = 1.0 / rate
        self._began = 0.0
        self._late_count, self._late_least = 0, math.inf
        # One tuple, replaced at once, so that a reader never sees half an update.
        self._state: tuple[float, float, float] | None = None

    @property
    def ready(self) -> bool:
        """Whether a callback was seen."""
        return self._state is not None

    @property
    def line(self) -> tuple[float, float, float] | None:
        """A frame, the time at which it is due, and the seconds of a frame; None before any."""
        return self._state

    @property
    def period(self) -> float:
        """Seconds of one frame."""
        return self._nominal if self._state is None else self._state[2]

    def update(self, frames: int, now: float) -> None:
        """Note a callback.

        Args:
            frames: number of frames before those of this callback.
            now: when it began, in seconds.

        """
        state = self._state
        if state is None:
            self._reset(frames, now)
            return
        last, at, period = state
        count = frames - last
        if count <= 0.0:
            return
        error = now - (at + count * period)
        if abs(error) > RESET_SECONDS:
            self._reset(frames, now)
            return
        if error > SHIFT_SECONDS:
            self._late_count += 1
            self._late_least = min(self._late_least, error)
            if self._late_count >= SHIFT_CALLBACKS:
                at += self._late_least
                error -= self._late_least
                self._late_count, self._late_least = 0, math.inf
        else:
            self._late_count, self._late_least = 0, math.inf
        elapsed = max(now - self._began, count * period)
        bandwidth = max(BANDWIDTH, min(1.0, 0.5 / elapsed))
        omega = min(0.5, 2.0 * math.pi * bandwidth * count * period)
        error = LATE_WEIGHT * min(error, LATE_SECONDS) if error > 0.0 else error
        at += count * period + math.sqrt(2.0) * omega * error
        # The nominal period is nearly true: it is learnt slowly from the start.
        slow = 2.0 * math.pi * BANDWIDTH * count * period
        period += slow * slow * error / count
        # No device is off by more; a loop that says so has learnt from a stall.
        period = min(max(period, self._nominal * 0.995), self._nominal * 1.005)
        self._state = (float(frames), at, period)

    def _reset(self, frames: int, now: float) -> None:
        self._began = now
        self._state = (float(frames), now, self._nominal)

    def time_at(self, frames: float) -> float:
        """Time at which a frame is due, in seconds."""
        if self._state is None:
            return 0.0
        last, at, period = self._state
        return at + (frames - last) * period

    def frames_at(self, when: float) -> float:
        """Frame that is due at a time, with its fraction."""
        if self._state is None:
            return 0.0
        last, at, period = self._state
        return last + (when - at) / period

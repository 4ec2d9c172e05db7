"""Delay from a turned knob to the changed sound, measured from outside the worker."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

LATE: Final = 0.150


@dataclass
class KnobDelays:
    """Delays in `seconds`. Times are time.monotonic(), positions frames at 48 kHz."""

    rate: int = 48_000
    seconds: list[float] = field(default_factory=list)
    joins: list[int] = field(default_factory=list)
    late: list[tuple[float, float]] = field(default_factory=list)
    """(time of the turn, seconds) of those over LATE."""
    _turned: deque[float] = field(default_factory=deque)
    _pending: deque[tuple[float, int]] = field(default_factory=deque)

    def turned(self, when: float) -> None:
        self._turned.append(when)

    def rewritten(self, position: int) -> None:
        """The turns so far take effect at a position."""
        while self._turned:
            self._pending.append((self._turned.popleft(), position))

    def heard(self, read: int, at: float, latency: float) -> None:
        """The reader is at `read` at a time; that frame sounds `latency` seconds later."""
        while self._pending and self._pending[0][1] <= read:
            when, join = self._pending.popleft()
            self.seconds.append(at - (read - join) / self.rate + latency - when)
            self.joins.append(join)
            if self.seconds[-1] > LATE:
                self.late.append((when, round(self.seconds[-1], 3)))

    @property
    def open(self) -> int:
        """Turns that have not reached the output yet."""
        return len(self._turned) + len(self._pending)

"""From a turned knob to its sound, measured from outside the worker. Test lane, GUI thread."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass
class KnobDelays:
    """`turned` when a hand moves, `rewritten` when the plan changes, `heard` as the reader goes.

    All times are time.monotonic(); positions are frames at 48 kHz. `seconds` are the delays.
    """

    rate: int = 48_000
    seconds: list[float] = field(default_factory=list)
    joins: list[int] = field(default_factory=list)
    _turned: deque[float] = field(default_factory=deque)
    _coming: deque[tuple[float, int]] = field(default_factory=deque)

    def turned(self, when: float) -> None:
        self._turned.append(when)

    def rewritten(self, position: int) -> None:
        """The newest turns take effect there."""
        while self._turned:
            self._coming.append((self._turned.popleft(), position))

    def heard(self, read: int, at: float, latency: float) -> None:
        """The reader is at `read` at a time, and that is heard `latency` seconds later."""
        while self._coming and self._coming[0][1] <= read:
            when, join = self._coming.popleft()
            self.seconds.append(at - (read - join) / self.rate + latency - when)
            self.joins.append(join)

    @property
    def open(self) -> int:
        """Turns that have not been heard yet."""
        return len(self._turned) + len(self._coming)

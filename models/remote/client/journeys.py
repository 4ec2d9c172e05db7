"""Journeys on a line, there and back: how long they take, and how much that varies."""

from __future__ import annotations

from collections import deque
from typing import Final

JOURNEYS: Final = 20


class Journeys:
    """Journeys, by pings. seconds, spread: smoothed as in RFC 6298, section 2."""

    def __init__(self) -> None:
        self.seconds = self.spread = 0.0
        self._last: deque[float] = deque(maxlen=JOURNEYS)
        self._sent: dict[int, float] = {}

    @property
    def nearest(self) -> float:
        """The shortest of the last ones, without what queues on a thin line; 0.0 for none."""
        return min(self._last.copy(), default=0.0)

    def begin(self) -> None:
        """A new connection: pings of the one before do not come back."""
        self._sent.clear()

    def send(self, number: int, now: float) -> None:
        """A ping begins its journey."""
        self._sent[number] = now

    def arrive(self, number: int, now: float) -> None:
        """A ping is back."""
        sent = self._sent.pop(number, None)
        if sent is None:
            return
        took = now - sent
        self._last.append(took)
        if self.seconds == 0.0:
            self.seconds, self.spread = took, took / 2
        else:
            self.spread += 0.25 * (abs(took - self.seconds) - self.spread)
            self.seconds += 0.125 * (took - self.seconds)

"""A thin line in simulated time: what an engine behind it sends, and when it arrives."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Hashable

from models.errors import BlockPendingError


class ThinLine:
    """Line of one stream. All times in seconds.

    A block that does not follow the one before is asked for: what is on its way then arrives first
    and is dropped. Only `ahead` blocks are on their way, and what is lost holds up what is behind.
    """

    def __init__(
        self,
        wait: Callable[[float], None],
        block_seconds: float = 0.08,
        *,
        speed: float = 1.25,
        journey: float = 0.1,
        loss: float = 0.12,
        again: float = 0.15,
        ahead: int = 6,
        patience: float = 0.4,
        seed: int = 1,
    ) -> None:
        """Set up a line that is idle.

        Args:
            wait: lets time go by.
            block_seconds: of a block of music.
            speed: seconds of music a second that fit through.
            journey: there and back.
            loss: probability that a block, which is several packets, is lost.
            again: until it was sent again.
            ahead: blocks on their way.
            patience: how long a block is waited for at a time.
            seed: of what is lost.

        """
        self._wait, self._step, self._journey = wait, block_seconds / speed, journey
        self._loss, self._again, self._ahead = loss, again, ahead
        self._patience, self._random = patience, random.Random(seed)
        self._free = 0.0  # the line, where it is thin
        self._arrivals: deque[float] = deque()
        self._latest = 0.0
        self._next: Hashable = object()
        self.runs = 0

    def _send(self, asked: float) -> None:
        """Send a block that is asked for at a time."""
        self._free = max(self._free, asked + self._journey / 2) + self._step
        held = self._again if self._random.random() < self._loss else 0.0
        self._latest = max(self._latest, self._free + self._journey / 2 + held)
        self._arrivals.append(self._latest)

    def take(self, now: float, block: Hashable) -> None:
        """Wait for a block. BlockPendingError where it takes too long."""
        if block != self._next:
            self.runs += 1
            self._next = block
            self._arrivals.clear()
            for _ in range(self._ahead):
                self._send(now)
        left = self._arrivals[0] - now
        self._wait(max(0.0, min(left, self._patience)))
        if left > self._patience:
            raise BlockPendingError("not yet")
        self._arrivals.popleft()
        self._send(max(now, now + left))

    def follows(self, block: Hashable) -> None:
        """Tell which block follows the one that was taken."""
        self._next = block

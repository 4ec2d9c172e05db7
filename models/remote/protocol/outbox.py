"""Outbox of a connection: blocks and answers first, long contents where nothing else waits.

Used by the event loop only. Blocks of a run that a newer one has ended are dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Outbox:
    """Messages that wait to be sent, text or binary."""

    def __init__(self) -> None:
        self._first: deque[tuple[str | bytes, int]] = deque()
        self._later: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._newest = 0

    def put(self, message: str | bytes, run: int = 0) -> None:
        """Queue a message. run: that it belongs to, 0 for none."""
        if run and run < self._newest:
            return
        self._first.append((message, run))
        self._filled.set()

    def put_piece(self, piece: bytes) -> None:
        """Queue a piece of a long content."""
        self._later.append(piece)
        self._filled.set()

    def begin(self, run: int) -> None:
        """A run begins: what belongs to older ones is dropped."""
        self._newest = run
        self._first = deque(each for each in self._first if not each[1] or each[1] >= run)

    async def get(self) -> str | bytes:
        """The next message; waits for one."""
        while not (self._first or self._later):
            self._filled.clear()
            await self._filled.wait()
        return self._first.popleft()[0] if self._first else self._later.popleft()

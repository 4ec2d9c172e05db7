"""Blocks of one run as they come in: filled by the line's thread, emptied by the stream's."""

from __future__ import annotations

import threading
import time
from collections import deque

from models.engine.controls import Controls
from models.errors import BlockPendingError, SegueError
from models.remote.client.snapshot import RemoteSnapshot
from models.remote.protocol.messages import Block, Fault, following


class BlockFeed:
    """Blocks of a run. connection: number of the connection that it was asked on.

    started: number of the snapshot that it began after, None for a fresh stream; known with the
    first block. granted: blocks that the server may render. arrived_at: time of the last block.
    """

    def __init__(
        self, number: int, connection: int, origin: RemoteSnapshot, controls: Controls, stems: bool
    ) -> None:
        self.number, self.connection = number, connection
        self.origin, self.controls, self.stems = origin, controls, stems
        self.rest = following(controls)
        self.here = origin  # where the stream is that has taken what was taken
        self.started: int | None = None
        self.taken = self.received = self.granted = 0
        self.arrived_at = 0.0
        self._blocks: deque[Block] = deque()
        self._fault: Fault | None = None
        self._ended = False
        self._filled = threading.Condition()

    def leads_on(self, here: RemoteSnapshot, controls: Controls, stems: bool) -> bool:
        """Whether its next block is the one that follows a place under these controls."""
        expected = self.controls if self.taken == 0 else self.rest
        return self.here is here and controls == expected and (self.stems or not stems)

    @property
    def waiting(self) -> int:
        """Blocks that have come and were not taken."""
        return len(self._blocks)

    @property
    def exhausted(self) -> bool:
        """Whether nothing is here, and nothing will come."""
        with self._filled:
            return self._ended and not self._blocks and self._fault is None

    def put(self, block: Block) -> None:
        """Add the next block; others are dropped."""
        with self._filled:
            if block.index == self.received:
                self.received += 1
                self._blocks.append(block)
                self._filled.notify()

    def fail(self, fault: Fault) -> None:
        """End with a fault, after the blocks before it."""
        with self._filled:
            self._fault = fault
            self._filled.notify()

    def end(self) -> None:
        """End, as its connection has."""
        with self._filled:
            self._ended = True
            self._filled.notify()

    def take(self, seconds: float) -> Block:
        """The next block.

        Raises:
            BlockPendingError: it has not come within `seconds`.
            SegueError: the server refuses the controls.
            RuntimeError: the engine there has failed.

        """
        deadline = time.monotonic() + seconds
        with self._filled:
            while not self._blocks and self._fault is None and not self._ended:
                left = deadline - time.monotonic()
                if left <= 0.0:
                    break
                self._filled.wait(left)
            if self._blocks:
                return self._blocks.popleft()
            fault, self._fault = self._fault, None
            if fault is not None:
                self._ended = True
        if fault is None:
            raise BlockPendingError("the next block has not come yet.")
        if fault.refused:
            raise SegueError(fault.sentence)
        raise RuntimeError(fault.sentence)

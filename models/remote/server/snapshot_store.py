"""Snapshots of a session on the server, by numbers, within a budget of memory."""

from __future__ import annotations

import bisect
from typing import Final

from models.engine.interface import Snapshot
from models.storage.memory import reached_arrays

SPARE: Final = 1024
"""Bytes counted for a snapshot besides its arrays."""


class SnapshotStore:
    """Snapshots by ascending numbers. Where the budget is spent the oldest ones go, every other
    one first, so that the past is known with growing distances.

    bytes: memory of the arrays that they reach, each counted once.
    """

    def __init__(self, budget: int, most: int, first: int = 1) -> None:
        """budget: bytes. most: number of snapshots. first: number."""
        self.budget, self.most = budget, most
        self.bytes = 0
        self._next = first
        self._kept: dict[int, tuple[Snapshot, list[tuple[int, int]]]] = {}
        self._uses: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, snapshot: Snapshot) -> tuple[int, int]:
        """Keep a snapshot; its number, and the bytes that it adds."""
        number, self._next = self._next, self._next + 1
        return number, self._keep(number, snapshot)

    def put_back(self, number: int, snapshot: Snapshot) -> None:
        """Keep a snapshot under the number that it had on another server."""
        self.release(number)
        self._keep(number, snapshot)
        self._kept = dict(sorted(self._kept.items()))

    def _keep(self, number: int, snapshot: Snapshot) -> int:
        """Keep a snapshot; the bytes that it adds."""
        reached = list(dict(reached_arrays(snapshot)).items())
        before = self.bytes
        self.bytes += SPARE
        for identity, size in reached:
            uses = self._uses.get(identity, 0)
            self._uses[identity] = uses + 1
            if not uses:
                self.bytes += size
        self._kept[number] = snapshot, reached
        added = self.bytes - before
        while (self.bytes > self.budget or len(self._kept) > self.most) and len(self._kept) > 2:
            self._thin()
        return added

    def get(self, number: int) -> Snapshot | None:
        """The snapshot of a number; None where it is forgotten."""
        kept = self._kept.get(number)
        return None if kept is None else kept[0]

    def before(self, number: int) -> int | None:
        """The last number up to this one that is still kept."""
        numbers = list(self._kept)  # in ascending order
        index = bisect.bisect_right(numbers, number) - 1
        return numbers[index] if index >= 0 else None

    def release(self, number: int) -> None:
        """Forget a snapshot; no error where it is forgotten already."""
        kept = self._kept.pop(number, None)
        if kept is None:
            return
        self.bytes -= SPARE
        for identity, size in kept[1]:
            self._uses[identity] -= 1
            if not self._uses[identity]:
                del self._uses[identity]
                self.bytes -= size

    def _thin(self) -> None:
        """Forget every other one of the older half, the newest excepted."""
        numbers = list(self._kept)
        older = numbers[: max(2, len(numbers) // 2)]
        for number in older[::2]:
            self.release(number)

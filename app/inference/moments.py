"""Moments of the performance that the performer can go back to.

Snapshots share memory, so their cost is counted by the arrays that they reach, each once, and by
the objects around them that the moment before did not have. The arrays are copied into a pool
(`app.inference.moment_pool`). Where the budget is spent, the past is thinned so that the distance
between two moments grows with their age.
"""

from __future__ import annotations

import bisect
from array import array
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from app.inference.moment_pool import MomentBlock, MomentPool, object_sizes
from app.inference.plan import BlockPlan
from app.performance.moment import Moment
from models.engine.interface import Engine, EngineInfo, Snapshot
from models.music.score import SAMPLE_RATE
from models.storage.memory import reached_arrays

WAITING: Final = 8
"""Moments that may wait to be copied into the pool."""
RECENT: Final = 30 * SAMPLE_RATE
"""Frames within which the past is as dense as the present."""
COUNTED: Final = 16
"""Of so many moments one's objects are counted; the others are taken to have as many."""


@dataclass
class _StoredMoment:
    """A moment whose snapshot holds pool blocks for arrays, and the memory that it uses."""

    moment: Moment
    blocks: list[MomentBlock]
    outside: list[tuple[int, int]]  # (identity, bytes) of arrays outside the pool
    objects: int  # bytes of Python objects that the moment before it did not have


class MomentStore:
    """Moments in the order of time, within a budget of bytes and a number."""

    def __init__(
        self, budget_bytes: int = 256_000_000,
        moment_of: Callable[[Snapshot], Snapshot] = lambda snapshot: snapshot,
        max_moments: int = 20_000,
    ) -> None:  # fmt: skip
        """moment_of: what is kept of a snapshot, see `Engine.moment_of`."""
        self.budget, self.moment_of = budget_bytes, moment_of
        self.max_moments = max_moments
        self.bytes = 0
        """Of arrays; `object_bytes`, of the Python objects that hold them together."""
        self.object_bytes = 0
        self._added = self._each = 0  # moments so far, and object bytes of one of them
        self._last: tuple[object, dict[int, int]] = (None, {})  # tree before, and its objects
        self._waiting: deque[Moment] = deque()
        self._stored: list[_StoredMoment] = []
        self._positions = array("q")  # of the same: read at every block, and many
        self._uses: Counter[int] = Counter()  # of arrays outside the pool, by identity
        self._pool = MomentPool(budget_bytes)

    def __len__(self) -> int:
        return len(self._stored) + len(self._waiting)

    def positions(self) -> list[int]:
        self.settle()
        return self._positions.tolist()

    def add(self, moment: Moment) -> None:
        """Add a moment. It takes its place at `settle`, or when it is asked for.

        Raises ValueError for a position before that of the last one.
        """
        last = self._waiting[-1].position if self._waiting else None
        if last is None and self._positions:
            last = self._positions[-1]
        if last is not None and moment.position < last:
            raise ValueError("moments are added in the order of time")
        self._waiting.append(moment)
        if len(self._waiting) > WAITING:
            self.settle(1)

    def settle(self, count: int | None = None) -> None:
        """Copy moments that wait into the pool, and thin the past where the budget is spent.

        It takes as long as a good part of a block, so that the planner does it when nothing else
        is to be done. count: of the oldest; None: all.
        """
        for _ in range(len(self._waiting) if count is None else min(count, len(self._waiting))):
            self._store(self._waiting.popleft())

    def _store(self, moment: Moment) -> None:
        pooled = self._pool.put(self.moment_of(moment.snapshot))
        outside = list(dict(reached_arrays(pooled.outside)).items())
        moment = replace(moment, snapshot=pooled.tree)
        self._count_objects(pooled.tree)
        self.object_bytes += self._each
        self._stored.append(_StoredMoment(moment, pooled.blocks, outside, self._each))
        self._positions.append(moment.position)
        for block in pooled.blocks:
            if not block.uses:
                self.bytes += block.nbytes_used
            block.uses += 1
        for identity, size in outside:
            if not self._uses[identity]:
                self.bytes += size
            self._uses[identity] += 1
        while len(self._stored) > 2 and (
            self.bytes + self.object_bytes > self.budget or len(self._stored) > self.max_moments
        ):
            self._thin()

    def _count_objects(self, tree: object) -> None:
        """Count what a tree has and the tree before it had not, now and then."""
        place, self._added = self._added % COUNTED, self._added + 1
        if place == 0:
            self._last = tree, object_sizes(tree)  # kept, so that no identity is given again
        elif place == 1:
            known, self._last = self._last[1], (None, {})
            sizes = object_sizes(tree)
            self._each = sum(size for identity, size in sizes.items() if identity not in known)

    def _thin(self) -> None:
        """Remove the moment whose neighbours are closest to each other for their age.

        One at a time, so that the memory in use stays level once the budget is reached.
        """
        positions = np.array(self._positions, np.float64)
        gaps = positions[2:] - positions[:-2]
        ages = positions[-1] - positions[1:-1] + RECENT
        index = int(np.argmin(gaps / ages)) + 1
        stored = self._stored.pop(index)
        del self._positions[index]
        self.object_bytes -= stored.objects
        for block in stored.blocks:
            block.uses -= 1
            if not block.uses:
                self.bytes -= block.nbytes_used
                self._pool.free(block)
        for identity, size in stored.outside:
            self._uses[identity] -= 1
            if not self._uses[identity]:
                del self._uses[identity]
                self.bytes -= size

    def at(self, position: int) -> Moment | None:
        """The last moment at or before a position, else the first; None if there is none."""
        self.settle()
        if not self._stored:
            return None
        index = bisect.bisect_right(self._positions, position) - 1
        moment = self._stored[max(0, index)].moment
        return replace(moment, snapshot=self._pool.get(moment.snapshot))

    def snapshot_at(self, position: int) -> Snapshot | None:
        """Snapshot of the moment that `at` gives."""
        moment = self.at(position)
        return None if moment is None else moment.snapshot

    def within(self, position: int, block_frames: int) -> Moment | None:
        """As `at`, but with the position itself where it lies in the moment's own block."""
        moment = self.at(position)
        if moment is None:
            return None
        ahead = max(0, position - moment.position) + moment.skip
        if ahead >= block_frames:
            return moment  # the past is thinned there
        return replace(moment, position=position, skip=ahead)

    def clear(self) -> None:
        self._waiting.clear()
        self._stored.clear()
        del self._positions[:]
        self._uses.clear()
        self._pool = MomentPool(self.budget)
        self._last = (None, {})
        self._added = self._each = 0
        self.bytes = self.object_bytes = 0


def packed_moment(engine: Engine, moment: Moment) -> Moment:
    """The moment in a form for files, where its engine supports that."""
    packed = engine.pack(moment.snapshot)
    return moment if packed is None else replace(moment, snapshot=None, packed=packed)


def unpacked_moment(engine: Engine, moment: Moment) -> Moment:
    """The moment with its snapshot. SegueError where it is of another engine or version."""
    if moment.packed is None:
        return moment
    return replace(moment, snapshot=engine.unpack(moment.packed))


def moment_at(
    plan: BlockPlan, moments: MomentStore, position: int, info: EngineInfo
) -> Moment | None:
    """Moment of a plan position in frames; the nearest before it that is known, None for none."""
    if not info.rewinds:
        return None
    planned = plan.at(position)
    if planned is not None:
        return planned.moment_at(position, info.name)
    return moments.within(position, info.block_frames)

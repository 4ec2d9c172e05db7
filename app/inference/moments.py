"""MomentStore: what one can go back to, for the whole performance. Inference lane. Pure.

A moment is a position and the stream's snapshot there. Snapshots share memory with each other, so
what they cost is counted by the arrays that they reach, each once. The arrays are copied into a
pool (`app.inference.moment_pool`), as the heap would be full of holes after an hour of thinning
out. Where the budget is spent, the past is thinned, so that what lies between two moments grows
with their age: what was just heard is kept finely, the far past coarsely.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

import numpy as np

from app.inference.moment_pool import DEPTH, MomentBlock, MomentPool
from app.performance.moment import Moment
from models.music.score import SAMPLE_RATE

RECENT: Final = 30 * SAMPLE_RATE
"""Frames within which the past is kept as finely as what was just heard."""


def arrays(value: Any, depth: int = DEPTH) -> Iterator[tuple[int, int]]:
    """(identity, bytes) of the memory of every array or tensor that a snapshot reaches.

    A view keeps the whole of what it looks into, so that is what counts.
    """
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        if isinstance(value, np.ndarray):
            while isinstance(value.base, np.ndarray):
                value = value.base
            yield id(value), value.nbytes
        elif hasattr(value, "untyped_storage"):  # a torch tensor; torch is not imported here
            storage = value.untyped_storage()
            yield storage.data_ptr(), storage.nbytes()
        else:
            yield id(value), size
        return
    if depth == 0 or value is None or isinstance(value, str | bytes | int | float):
        return
    if isinstance(value, Mapping):
        parts: list[Any] = list(value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        parts = list(value)
    elif is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, f.name) for f in fields(value)]
    else:
        parts = list(getattr(value, "__dict__", {}).values())
    for part in parts:
        yield from arrays(part, depth - 1)


class MomentStore:
    """The moments of a performance, in the order of time, within a budget of memory and number."""

    def __init__(self, budget_bytes: int = 256_000_000, most: int = 20_000) -> None:
        self.budget = budget_bytes
        self.most = most
        self.bytes = 0
        self._moments: list[Moment] = []  # their snapshots with pieces instead of arrays
        self._held: list[tuple[list[MomentBlock], list[tuple[int, int]]]] = []
        self._uses: Counter[int] = Counter()
        self._pool = MomentPool(budget_bytes)

    def __len__(self) -> int:
        return len(self._moments)

    def positions(self) -> list[int]:
        return [moment.position for moment in self._moments]

    def add(self, moment: Moment) -> None:
        """Keep a moment; positions must not go back. Thins the past where there is no more room."""
        if self._moments and moment.position < self._moments[-1].position:
            raise ValueError("moments are added in the order of time")
        snapshot, pieces, left = self._pool.put(moment.snapshot)
        others = list(dict(arrays(left)).items())
        self._moments.append(replace(moment, snapshot=snapshot))
        self._held.append((pieces, others))
        for piece in pieces:
            if not piece.uses:
                self.bytes += piece.cost
            piece.uses += 1
        for identity, size in others:
            if not self._uses[identity]:
                self.bytes += size
            self._uses[identity] += 1
        while len(self._moments) > 2 and (
            self.bytes > self.budget or len(self._moments) > self.most
        ):
            self._thin()

    def _thin(self) -> None:
        """Take out the moment that is missed least: neighbours close to each other for their age.

        One at a time, so that the memory in use stays the same once the budget is reached.
        """
        positions = np.array([moment.position for moment in self._moments], np.float64)
        gaps = positions[2:] - positions[:-2]
        ages = positions[-1] - positions[1:-1] + RECENT
        index = int(np.argmin(gaps / ages)) + 1
        self._moments.pop(index)
        pieces, others = self._held.pop(index)
        for piece in pieces:
            piece.uses -= 1
            if not piece.uses:
                self.bytes -= piece.cost
                self._pool.free(piece)
        for identity, size in others:
            self._uses[identity] -= 1
            if not self._uses[identity]:
                del self._uses[identity]
                self.bytes -= size

    def at(self, position: int) -> Moment | None:
        """The last moment at or before a position; the first there is where all come after."""
        if not self._moments:
            return None
        index = bisect.bisect_right(self._moments, position, key=lambda m: m.position) - 1
        moment = self._moments[max(0, index)]
        return replace(moment, snapshot=self._pool.get(moment.snapshot))

    def snapshot_at(self, position: int) -> Any:
        """The snapshot of the moment that `at` gives; None where there is none."""
        moment = self.at(position)
        return None if moment is None else moment.snapshot

    def within(self, position: int, block_frames: int) -> Moment | None:
        """As `at`, skipping to the very position where it lies in the moment's own block."""
        moment = self.at(position)
        if moment is None:
            return None
        ahead = max(0, position - moment.position) + moment.skip
        if ahead >= block_frames:
            return moment  # the past is thinned there
        return replace(moment, position=position, skip=ahead)

    def clear(self) -> None:
        self._moments.clear()
        self._held.clear()
        self._uses.clear()
        self._pool = MomentPool(self.budget)
        self.bytes = 0

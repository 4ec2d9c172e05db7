"""Statistics of a server: what its metrics tell. Pure logic; blocks are counted in any thread."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

Kind = Literal["gauge", "counter", "histogram"]

MAX_FAULTS: Final = 8
HUNG_SECONDS: Final = 30.0
"""An engine that fails so often in a row, or takes so long for a block, is ill."""
BLOCK_BOUNDS: Final = (0.005, 0.01, 0.02, 0.04, 0.08, 0.12, 0.24, 0.5, 1.0, 2.0)
"""Bounds in seconds of the histogram of a block's rendering."""


@dataclass(frozen=True)
class Metric:
    """A metric, as Prometheus shows it."""

    name: str
    kind: Kind
    description: str


SESSIONS: Final = Metric("segue_sessions", "gauge", "Sessions that have a line.")
WAITING: Final = Metric("segue_sessions_waiting", "gauge", "Sessions whose line was lost.")
QUEUE: Final = Metric(
    "segue_queue_blocks", "gauge", "Blocks that were asked for, not rendered yet."
)
BLOCKS: Final = Metric("segue_blocks", "counter", "Blocks rendered.")
LATE: Final = Metric("segue_late_blocks", "counter", "Blocks that took longer than they last.")
HANDED: Final = Metric(
    "segue_sessions_taken_over", "counter", "Sessions taken over from a replica."
)
SECONDS: Final = Metric("segue_block_seconds", "histogram", "Seconds that a block took.")
METRICS: Final = (SESSIONS, WAITING, QUEUE, BLOCKS, LATE, HANDED, SECONDS)


class BlockCount:
    """Blocks since the last reading. `add` and `fail` may be called from any thread.

    faults: of the engine, one after another without a block between them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: list[float] = []
        self._late = 0
        self.faults = 0

    def add(self, seconds: float, lasts: float) -> None:
        """Count a block that took `seconds` and lasts `lasts`."""
        with self._lock:
            self._seconds.append(seconds)
            self._late += seconds > lasts
            self.faults = 0

    def fail(self) -> None:
        """Count a fault of the engine."""
        with self._lock:
            self.faults += 1

    def take(self) -> tuple[list[float], int]:
        """Seconds of each block since the last call, and how many were late."""
        with self._lock:
            taken = self._seconds, self._late
            self._seconds, self._late = [], 0
        return taken


class Counted(Protocol):
    """Session, as far as the statistics go.

    queue: blocks asked for and not rendered yet. rendering_since: time in seconds of
    `time.perf_counter` at which the block was begun that is being rendered.
    """

    rendering_since: float | None

    @property
    def queue(self) -> int: ...


@dataclass(frozen=True)
class Reading:
    """Values of the metrics: gauges as they stand, counters and observations since the last one."""

    gauges: dict[str, float]
    counts: dict[str, float]
    observations: dict[str, list[float]]


class ServerStatistics:
    """Statistics of a server."""

    def __init__(self) -> None:
        self.blocks = BlockCount()
        self.taken_over = 0

    def read(self, sessions: Iterable[tuple[Counted, bool]]) -> Reading:
        """Reading. sessions: each, and whether it has a line."""
        known = list(sessions)
        seconds, late = self.blocks.take()
        handed, self.taken_over = self.taken_over, 0
        playing = sum(line for _, line in known)
        gauges = {
            SESSIONS.name: float(playing),
            WAITING.name: float(len(known) - playing),
            QUEUE.name: float(sum(session.queue for session, line in known if line)),
        }
        counts = {
            BLOCKS.name: float(len(seconds)),
            LATE.name: float(late),
            HANDED.name: float(handed),
        }
        return Reading(gauges, counts, {SECONDS.name: seconds})

    def illness(self, sessions: Iterable[Counted], now: float) -> str | None:
        """What is wrong with the engine, so that it should be started anew; None for nothing."""
        if self.blocks.faults >= MAX_FAULTS:
            return f"the engine failed {self.blocks.faults} times in a row."
        began = [each.rendering_since for each in sessions]
        longest = max((now - at for at in began if at is not None), default=0.0)
        if longest >= HUNG_SECONDS:
            return f"the engine has been at one block for {longest:.0f} s."
        return None

"""Performance log: controls and prompts of each planned block, at plan positions.

As the plan is rewritten, so is the log: a block that replaces others replaces their records. Files
hold what sounded, in the format of `app.performance.file`. The log reaches back as far as the
capture.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.performance.writer import PerformanceWriter
from models.engine.controls import Controls
from models.engine.hearing import HeardPlace
from models.engine.prompts import Prompt
from models.music.score import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class SteeringRecord:
    """Controls of the block at `position`, and what happened at its start."""

    position: int
    frames: int
    controls: Controls
    prompts: tuple[Prompt, ...] = ()
    clear: bool = False
    moment: int | None = None
    continue_from: str = ""
    heard: HeardPlace | None = None


class PerformanceLog:
    """Steering of a performance. Safe to use from several threads."""

    def __init__(self) -> None:
        self.engine = ""
        self.seed = 0
        self.weights: str | None = None
        self._lock = threading.Lock()
        self._blocks: list[SteeringRecord] = []

    def begin(self, engine: str, seed: int, position: int, weights: str | None = None) -> None:
        """Start a fresh stream of an engine at a position. weights: their identity, if known."""
        with self._lock:
            self.engine, self.seed, self.weights = engine, seed, weights
            self._cut(position)

    def put(
        self,
        position: int,
        frames: int,
        controls: Controls,
        prompts: Sequence[Prompt] = (),
        *,
        clear: bool = False,
        moment: int | None = None,
        continue_from: str = "",
        heard: HeardPlace | None = None,
    ) -> None:
        """Record a planned block; it replaces what was planned there."""
        new = SteeringRecord(
            position, frames, controls, tuple(prompts), clear, moment, continue_from, heard
        )
        with self._lock:
            low = bisect.bisect_left(self._blocks, position, key=lambda b: b.position)
            high = bisect.bisect_left(self._blocks, position + frames, key=lambda b: b.position)
            self._blocks[low:high] = [new]

    def _cut(self, position: int) -> None:
        low = bisect.bisect_left(self._blocks, position, key=lambda b: b.position)
        del self._blocks[low:]

    def forget(self, before: int) -> None:
        """Drop records that end before a position."""
        with self._lock:
            high = bisect.bisect_right(self._blocks, before, key=lambda b: b.position) - 1
            del self._blocks[: max(0, high)]

    def between(self, start: int, stop: int) -> list[SteeringRecord]:
        """Records of blocks that begin before `stop` and end behind `start`, in order."""
        with self._lock:
            low = bisect.bisect_right(self._blocks, start, key=lambda b: b.position) - 1
            high = bisect.bisect_left(self._blocks, stop, key=lambda b: b.position)
            return [b for b in self._blocks[max(0, low) : high] if b.position + b.frames > start]

    def save(self, path: Path, start: int, stop: int) -> None:
        """Write the records between two positions to a new file. Raises OSError."""
        file = PerformanceFile(path, self, start)
        try:
            file.follow(stop)
            file.finish(stop)
        finally:
            file.close()


class PerformanceFile:
    """Performance file that grows while the music plays; each line is on disk at once.

    input: name of the file that the input is recorded into, and its first frame on the input's
    clock; None where it is not recorded, and nothing of it is written then.
    """

    def __init__(
        self, path: Path, log: PerformanceLog, start: int, input: tuple[str, int] | None = None
    ) -> None:
        self.path = path
        self.start = start
        self._log = log
        self._next = start
        self._first = True
        self._last: SteeringRecord | None = None
        self._input = input
        self._writer = PerformanceWriter(
            path, log.engine, log.seed, log.weights, None if input is None else input[0]
        )

    @property
    def next(self) -> int:
        """Position up to which the file is written."""
        return self._next

    def follow(self, read: int) -> None:
        """Write the blocks that begin before the reader's position."""
        for block in self._log.between(self._next, read):
            if block.position < self._next and not self._first:
                continue
            self._record(block)
            self._next = block.position + 1
            self._first = False

    def _record(self, block: SteeringRecord) -> None:
        began = block.position >= self.start
        moment = None
        if began and block.moment is not None and block.moment >= self.start:
            moment = (block.moment - self.start) / SAMPLE_RATE
        self._writer.record(
            max(0, block.position - self.start) / SAMPLE_RATE,
            block.controls,
            block.prompts,
            clear=block.clear and began,
            moment=moment,
            continue_from=block.continue_from or None if began else None,
            heard=self._heard(block),
        )
        self._last = block

    def _heard(self, block: SteeringRecord) -> HeardPlace | None:
        if self._input is None or block.heard is None:
            return None
        return block.heard._replace(origin=block.heard.origin - self._input[1])

    def finish(self, stop: int) -> None:
        """Write the last line, the end."""
        if self._last is not None:
            seconds = max(0, stop - self.start) / SAMPLE_RATE
            self._writer.record(seconds, self._last.controls, self._last.prompts, end=True)

    def close(self) -> None:
        self._writer.close()

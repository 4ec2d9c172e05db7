"""What is planned, and where to go back to when a control changes. Inference lane. Pure.

The plan is a row of blocks. Of each the stream's snapshot from before it was rendered is kept, so
that its boundary is a place to go back to. Up to `head` the blocks are what the newest controls
ask for; behind it lies what is left of an older plan, the reserve, which plays if the engine
stalls and whose boundaries are the last resort when everything before has come too close.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.performance.moment import Moment
from models.engine.interface import ScoreInfo


@dataclass(frozen=True)
class PlannedBlock:
    """A block of the plan: frames position..stop, and the stream's moment before it.

    skip: frames at the block's front that were cut off (a loop or a moment began within it).
    looped: frames of a held loop that had been written before this block; None outside a loop.
    """

    position: int
    frames: int
    moment: Any
    skip: int = 0
    looped: int | None = None
    score: ScoreInfo | None = None

    @property
    def stop(self) -> int:
        return self.position + self.frames

    def moment_at(self, position: int, engine: str) -> Moment:
        """The moment of what is heard at a position within the block."""
        return Moment(position, self.moment, self.skip + position - self.position, engine)


@dataclass(frozen=True)
class RewriteTarget:
    """Where the next block goes. join: the first frame of it that is to be heard.

    index: of the planned block to go back to, None to go on at the head.
    """

    position: int
    join: int
    index: int | None = None


@dataclass
class BlockPlan:
    """The row of blocks. Positions are frames; they only grow."""

    blocks: list[PlannedBlock] = field(default_factory=list)
    head: int = 0

    def boundaries(self) -> list[int]:
        return [block.position for block in self.blocks]

    def add(self, block: PlannedBlock) -> None:
        """A block was written: it replaces what it covers, and the head moves behind it."""
        row = [
            b if b.stop <= block.position else replace(b, frames=block.position - b.position)
            for b in self.blocks
            if b.position < block.position
        ]
        rest = [b for b in self.blocks if b.position >= block.stop]
        self.blocks = [*row, block, *rest]
        self.head = block.stop

    def heard(self, read: int) -> list[PlannedBlock]:
        """Take out and return the blocks that have been heard to their end."""
        gone = [block for block in self.blocks if block.stop <= read]
        if gone:
            self.blocks = [block for block in self.blocks if block.stop > read]
        return gone

    def cut(self, position: int) -> None:
        """Forget everything from a position on; the head goes there."""
        self.blocks = [block for block in self.blocks if block.position < position]
        self.head = position

    def at(self, position: int) -> PlannedBlock | None:
        """The planned block that covers a position."""
        index = bisect.bisect_right(self.boundaries(), position) - 1
        if index < 0 or self.blocks[index].stop <= position:
            return None
        return self.blocks[index]

    def target(self, commit: int, deadline: int, fade: int) -> RewriteTarget | None:
        """Where to go back to so that new controls are heard soon and nothing clicks.

        commit: the first position that can still be rewritten when the next block is ready.
        deadline: the position by which the change should be heard. fade: frames that a crossfade
        needs. The first boundary from commit on is best, as nothing of the music is lost; where it
        comes after the deadline, the block in which commit lies is rendered again and joined in
        its middle. None: nothing planned can be changed any more; go on at the plan's end.
        """
        rows = self.boundaries()
        index = bisect.bisect_left(rows, commit)
        boundary: RewriteTarget | None = None
        if index < len(rows):
            if rows[index] >= self.head >= commit:
                boundary = RewriteTarget(self.head, self.head)
            else:
                boundary = RewriteTarget(rows[index], rows[index], index)
        elif self.head >= commit:
            boundary = RewriteTarget(self.head, self.head)
        if boundary is not None and boundary.join <= deadline:
            return boundary
        within = index - 1
        if within >= 0:
            block = self.blocks[within]
            if block.position < commit and block.stop - commit >= 2 * fade:
                return RewriteTarget(block.position, commit, within)
        return boundary


def commit_point(read: int, margin: int, render_frames: float, slack: int) -> int:
    """The first position that can still be rewritten by a block that is started now.

    read: the reader's position. margin: frames ahead of it that are not touched. render_frames:
    how far the reader gets while the block is rendered. slack: for what cannot be foreseen.
    """
    return int(read + margin + render_frames + slack)


def deadline(read: int, promised: float, waited: float, latency: float, rate: int) -> int:
    """The position that is heard when the promised delay from knob to sound is over.

    promised, waited, latency: seconds (the whole delay, what of it has passed, the device's own).
    """
    return int(read + (promised - waited - latency) * rate)


def loop_length(
    bpm: float | None, beats_per_bar: int, rate: int, shortest: float = 1.5, longest: float = 10.0
) -> int:
    """Frames of a loop to hold: as many whole bars, doubled while short, as lie in the range.

    Without a tempo, about four seconds.
    """
    if not bpm:
        return 4 * rate
    bar = beats_per_bar * 60.0 / bpm
    bars = 1
    while bars * bar * 2 <= 8.0 and bars < 4:
        bars *= 2
    while bars * bar < shortest:
        bars *= 2
    seconds = bars * bar
    return round(min(seconds, longest) * rate)


def bar_points(blocks: Sequence[PlannedBlock], block_frames: int) -> list[tuple[int, float]]:
    """(position, bars) of the blocks whose score counts bars, for `bar_after`."""
    points = []
    for block in blocks:
        if block.score is not None and block.score.bars is not None:
            at = block_frames if block.score.bars_at is None else block.score.bars_at
            points.append((block.position + at - block.skip, block.score.bars))
    return points


def bar_after(points: Sequence[tuple[int, float]], after: int) -> int | None:
    """The first position at or behind `after` at which a bar begins, by what the engine told.

    points: (position, bars since the start) in the order of positions; between two of them the
    bars go on evenly. None where they do not reach that far, or go back in between.
    """
    for (left, bars), (right, more) in itertools.pairwise(points):
        if right <= after or more <= bars or right <= left:
            continue
        pace = (more - bars) / (right - left)
        here = bars + pace * (max(after, left) - left)
        bar = math.ceil(here - 1e-6)
        if bar <= more + 1e-6:
            return round(left + (bar - bars) / pace)
    return None

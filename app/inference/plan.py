"""Plan of blocks, and the choice of where to rewrite it when a control changes.

Each block keeps the stream's snapshot from before it was rendered, so that the plan can be rendered
again from its boundary. Up to `head` the blocks follow the newest controls; behind it lies the rest
of an older plan, the reserve, which plays if the engine stalls and offers boundaries where all
others have come too close to the reader.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from app.inference.messages import ControlRequest, ControlTask, HeldLoop, RewriteTask
from app.performance.moment import Moment
from models.engine.controls import Controls
from models.engine.hearing import HeardPlace, Hearing
from models.engine.interface import Audio, ScoreInfo, Snapshot

MARGIN: Final = 384
"""Frames ahead of the reader, besides what it takes at a time, that are not rewritten: time from
the choice of a join to the offer of what begins there. Who comes later has to choose again."""
RECENT: Final = 4
"""Blocks that are remembered behind the reader."""


@dataclass(frozen=True)
class PlannedBlock:
    """Block of the plan: frames position..stop, and the stream's snapshot before it.

    skip: frames cut off at its front, where a loop or a moment began within it.
    looped: frames of the held loop written before this block; None outside a loop.
    controls: that it was rendered under. hearing: what had been played in then.
    """

    position: int
    frames: int
    snapshot: Snapshot
    skip: int = 0
    looped: int | None = None
    score: ScoreInfo | None = None
    controls: Controls | None = None
    hearing: Hearing | None = None

    @property
    def stop(self) -> int:
        return self.position + self.frames

    @property
    def heard(self) -> HeardPlace | None:
        """What it heard of the input; None where no send is open."""
        listens = self.controls is not None and (self.controls.memory or self.controls.echo)
        return self.hearing.place if self.hearing is not None and listens else None

    def moment_at(self, position: int, engine: str) -> Moment:
        """Moment of a position within the block."""
        return Moment(position, self.snapshot, self.skip + position - self.position, engine)


@dataclass(frozen=True)
class RenderedBlock:
    """Block that waits to be written. join: first frame that sounds. task: its rewrite, if any.

    request: that it follows. after: the stream's snapshot behind it. renders: blocks of the engine
    that it took.
    """

    block: PlannedBlock
    frames: Audio
    join: int
    task: RewriteTask | None
    controls: Controls
    request: ControlRequest
    after: Snapshot = None
    renders: int = 1


@dataclass(frozen=True)
class RewriteTarget:
    """Place of the next block.

    position: of its first frame. join: first frame of it that sounds. index: planned block to
    render again, None to go on at the head.
    """

    position: int
    join: int
    index: int | None = None


@dataclass(frozen=True)
class BlockOrder:
    """Block that is asked for: at a target, under a request.

    task: its rewrite, if any. skip: frames to cut off at its front. since: time at which it was
    first asked for, in seconds.
    """

    target: RewriteTarget
    task: RewriteTask | None
    skip: int
    request: ControlRequest
    since: float

    def stands(self, task: RewriteTask | None, waits: bool, head: int) -> bool:
        """Whether it is still wanted, where an engine elsewhere has not sent it yet.

        To ask anew is to wait for the whole journey once more.

        Args:
            task: of the plan now; waits: until the plan is longer.
            head: of the plan.

        """
        if self.task is None:
            return (task is None or waits) and self.target.position == head
        return isinstance(self.task, ControlTask) and isinstance(task, ControlTask)


@dataclass
class BlockPlan:
    """Planned blocks in the order of their positions, in frames. recent: the last ones played."""

    blocks: list[PlannedBlock] = field(default_factory=list)
    head: int = 0
    recent: list[PlannedBlock] = field(default_factory=list)

    def boundaries(self) -> list[int]:
        return [block.position for block in self.blocks]

    @property
    def echo_reach(self) -> int:
        """Frames of plan before the reader that need nothing more of the input for the echo."""
        newest = self.at(self.head - 1)
        return 0 if newest is None or newest.hearing is None else newest.hearing.reach

    def add(self, block: PlannedBlock) -> None:
        """Add a block that was written: it replaces what it covers, and the head follows it."""
        row = [
            b if b.stop <= block.position else replace(b, frames=block.position - b.position)
            for b in self.blocks
            if b.position < block.position
        ]
        rest = [b for b in self.blocks if b.position >= block.stop]
        self.blocks = [*row, block, *rest]
        self.head = block.stop

    def pop_played(self, read: int) -> list[PlannedBlock]:
        """Remove and return the blocks that the reader has passed."""
        played = [block for block in self.blocks if block.stop <= read]
        if played:
            self.blocks = [block for block in self.blocks if block.stop > read]
            self.recent = [*self.recent, *played][-RECENT:]
        return played

    def cut(self, position: int) -> None:
        """Remove everything from a position on; the head goes there."""
        self.blocks = [block for block in self.blocks if block.position < position]
        self.head = position

    def at(self, position: int) -> PlannedBlock | None:
        """Planned block that covers a position."""
        index = bisect.bisect_right(self.boundaries(), position) - 1
        if index < 0 or self.blocks[index].stop <= position:
            return None
        return self.blocks[index]

    def loop_at(self, position: int, bpm: float | None, rate: int) -> HeldLoop:
        """Loop of whole bars that ends at a position. bpm: asked for, None for the score's."""
        planned = self.at(position)
        return HeldLoop(loop_length(planned.score if planned else None, bpm, rate))

    def next_bar(self, block_frames: int, after: int) -> int | None:
        """Position from `after` on at which a bar begins; None where none is known."""
        return bar_after(bar_points(self.blocks, block_frames), after)

    def target(self, commit: int, deadline: int, fade: int) -> RewriteTarget | None:
        """Where to rewrite the plan so that new controls sound soon and nothing clicks.

        The first boundary from `commit` on is best, as it loses nothing of the music; where it
        comes after the deadline, the block that holds `commit` is rendered again and joined in
        its middle.

        Args:
            commit: first position that can still be rewritten when the next block is ready.
            deadline: position by which the change should sound.
            fade: frames that a crossfade needs.

        Returns:
            The target; None where nothing planned can be changed: go on at the plan's end.

        """
        boundaries = self.boundaries()
        index = bisect.bisect_left(boundaries, commit)
        boundary: RewriteTarget | None = None
        if index < len(boundaries):
            if boundaries[index] >= self.head >= commit:
                boundary = RewriteTarget(self.head, self.head)
            else:
                boundary = RewriteTarget(boundaries[index], boundaries[index], index)
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
    """First position that a block which is started now can still rewrite, in frames.

    read: the reader's position. margin: frames ahead of it that are never touched.
    render_frames: how far the reader gets while the block is rendered. slack: reserve.
    """
    return int(read + margin + render_frames + slack)


def deadline(read: int, promised: float, waited: float, latency: float, rate: int) -> int:
    """Plan position that sounds when the promised delay from knob to sound is over.

    promised, waited, latency: seconds: the whole delay, what of it has passed, the device's own.
    """
    return int(read + (promised - waited - latency) * rate)


def loop_length(
    score: ScoreInfo | None,
    bpm: float | None,
    rate: int,
    shortest: float = 1.5,
    longest: float = 10.0,
) -> int:
    """Frames of a held loop: whole bars within `shortest` to `longest` seconds, a power of two.

    Four seconds without a tempo, which is `bpm` or else the score's.
    """
    score = score or ScoreInfo()
    tempo = bpm or score.tempo
    if not tempo:
        return 4 * rate
    bar = score.beats_per_bar * 60.0 / tempo
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
    """First plan position from `after` on at which a bar begins; None where none is known.

    points: (position, bars since the start) in the order of positions, interpolated linearly.
    """
    for (left, bars), (right, more) in itertools.pairwise(points):
        if right <= after or more <= bars or right <= left:
            continue
        slope = (more - bars) / (right - left)
        here = bars + slope * (max(after, left) - left)
        bar = math.ceil(here - 1e-6)
        if bar <= more + 1e-6:
            return round(left + (bar - bars) / slope)
    return None

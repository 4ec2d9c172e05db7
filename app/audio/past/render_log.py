"""Render log: how the blocks that were heard were rendered and joined, to render them once more.

The same snapshot, controls and hearing give the same block, so a record of them stands for its
sound and its stems. A snapshot is kept once in a while; between two of them a record knows the one
that it follows. What a rewrite replaces before it is heard is forgotten, as in the score log.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.audio.splice import CROSSFADED, RESTORED, WriteResult
from models.engine.controls import Controls
from models.engine.hearing import Hearing
from models.engine.interface import Engine, Snapshot
from models.music.hearing.transcript import Transcript
from models.music.hearing.transcript_change import KeptTranscript, TranscriptKeeper

DEPTH: Final = 240
"""Blocks between two kept snapshots; as many are rendered at the most before a past begins."""
PLACES: Final = 96
"""Places in the stream that are known by their snapshot: more than a plan has blocks."""


@dataclass(frozen=True, slots=True)
class RenderedFrom:
    """What a block was rendered from, and where the stream was then.

    controls: of the block. position, transcript, known: of what was played in, None where nothing
    was remembered; its sound is not kept, as the parts do not depend on it. before, after:
    snapshots of the stream. renders: blocks of the engine.
    """

    controls: Controls
    played_in: tuple[int, Transcript, int] | None
    before: Snapshot
    after: Snapshot
    renders: int = 1


def remembered(hearing: Hearing | None, controls: Controls) -> tuple[int, Transcript, int] | None:
    """What a block with these controls remembers of a hearing."""
    if hearing is None or not controls.memory:
        return None
    return hearing.position, hearing.transcript, hearing.known


@dataclass(eq=False, slots=True)
class RenderRecord:
    """A block in the plan.

    number: in the order of writing. position: of its first frame in the plan. frames: that were
    written; skip: frames of the engine's block that were cut off before them. source: the record
    that it follows, or the snapshot that it began from. follows: number of the one before, if it
    is known. result: how it was joined; reserve: frames at its end that stayed crossfaded with an
    older plan. start, stop: where it may be heard.
    """

    number: int
    position: int
    skip: int
    frames: int
    renders: int
    controls: Controls
    played_in: tuple[int, KeptTranscript, int] | None
    source: RenderRecord | Snapshot
    follows: int | None
    depth: int
    result: WriteResult
    reserve: int
    start: int
    stop: int


class RenderLog:
    """Records of a performance, in the order of writing. Safe to use from several threads.

    on: whether records are wanted. engine: that renders; None while there is none.
    """

    def __init__(self) -> None:
        self.on = False
        self.engine: Engine | None = None
        self._lock = threading.Lock()
        self._past: deque[RenderRecord] = deque()
        self._open: list[RenderRecord] = []
        self._places: OrderedDict[int, tuple[Snapshot, RenderRecord]] = OrderedDict()
        self._number = 0
        self._transcripts = TranscriptKeeper()

    def of(self, engine: Engine) -> RenderLog:
        """This log, of an engine; kept where that has parts, and is here to render them again."""
        self.engine = engine if engine.info.parts and not engine.info.remote else None
        return self

    def put(
        self, position: int, frames: int, skip: int, origin: RenderedFrom, result: WriteResult,
        read: int,
    ) -> None:  # fmt: skip
        """Add a block that was written.

        Args:
            position: plan position of its first frame.
            frames: of the plan.
            skip: frames of the engine's block before it.
            origin: what it was rendered from.
            result: how it was joined.
            read: the reader's position.

        """
        known = self._places.get(id(origin.before))
        # What lasts has none of the echo, which is not rendered again.
        source: RenderRecord | Snapshot = (
            origin.before if self.engine is None else self.engine.moment_of(origin.before)
        )
        follows, depth = None, 0
        if known is not None and known[0] is origin.before:
            follows = known[1].number
            if known[1].depth < DEPTH:
                source, depth = known[1], known[1].depth + 1
        played_in: tuple[int, KeptTranscript, int] | None = None
        if origin.played_in is not None:
            at, transcript, until = origin.played_in
            played_in = at, self._transcripts.keep(transcript), until
        new = RenderRecord(
            self._number, position, skip, frames, origin.renders, origin.controls,
            played_in, source, follows, depth, result, result.reserve, result.join,
            position + frames,
        )  # fmt: skip
        self._number += 1
        self._places[id(origin.after)] = (origin.after, new)
        while len(self._places) > PLACES:
            self._places.popitem(last=False)
        with self._lock:
            self._past.extend(record for record in self._open if record.stop <= read)
            self._open = [record for record in self._open if record.stop > read]
            self._open = [*self._left(new), new]

    def _left(self, new: RenderRecord) -> Iterator[RenderRecord]:
        """What may still be heard of the records that may change, now that there is a new one."""
        start, faded = new.start, 0
        followed: RenderRecord | None = None
        if new.result.seam == RESTORED and self._open:
            followed = self._open[-1]
            start, followed.reserve = followed.stop - followed.reserve, 0
        elif new.result.seam == CROSSFADED:
            faded = new.result.faded
        behind = new.stop - new.reserve
        for record in self._open:
            if record is not followed:
                ends = record.stop > max(new.stop, behind) or (new.reserve and record.stop > behind)
                if record.start >= start + faded:  # its beginning is gone
                    record.start = max(record.start, behind) if ends else record.stop
                elif not ends:
                    record.stop = min(record.stop, start + faded)
            if record.start < record.stop:
                yield record

    def cut(self, position: int) -> None:
        """Forget what was planned from a position on."""
        with self._lock:
            for record in self._open:
                record.stop = min(record.stop, position)
            self._open = [record for record in self._open if record.start < record.stop]

    def forget(self, before: int) -> None:
        """Drop what ends before a position."""
        with self._lock:
            while self._past and self._past[0].stop <= before:
                self._past.popleft()

    def between(self, start: int, stop: int) -> list[RenderRecord]:
        """Records that may be heard between two positions, in the order of writing."""
        with self._lock:
            found = [r for r in (*self._past, *self._open) if r.start < stop and r.stop > start]
        return sorted(found, key=lambda record: record.number)

"""Score log: the score of each planned block, at plan positions.

As the plan is rewritten, so is the log: what a block replaces is forgotten, and the rest of an
older plan behind it stays, since it plays if the engine stalls. What lies behind the reader is what
was heard.
"""

from __future__ import annotations

import bisect
import threading
from dataclasses import dataclass, replace

from models.engine.interface import NoteEvent, ScoreInfo


@dataclass(frozen=True, slots=True)
class ScoreSpan:
    """Frames start..stop in which the block sounds whose first frame is at `position`."""

    position: int
    start: int
    stop: int
    score: ScoreInfo


def notes_of(span: ScoreSpan) -> tuple[dict[tuple[str, int], NoteEvent], list[NoteEvent]]:
    """The notes that are on where a span begins, by part and pitch, and the events within it.

    Frames of the events count from `span.position`.
    """
    held = {(note.part, note.pitch): note for note in span.score.held}
    events: list[NoteEvent] = []
    for event in span.score.events:
        at = span.position + event.frame
        if at >= span.stop:
            break
        if at >= span.start:
            events.append(event)
        elif event.velocity:
            held[event.part, event.pitch] = event
        else:
            held.pop((event.part, event.pitch), None)
    return held, events


class ScoreLog:
    """Scores and marks of a performance. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[ScoreSpan] = []
        self._marks: list[tuple[int, str]] = []

    def put(self, position: int, start: int, stop: int, score: ScoreInfo) -> None:
        """Add a planned block; it replaces what was planned for start..stop.

        position: of the block's first frame, which may lie before `start`.
        """
        if start >= stop:
            return
        with self._lock:
            low = bisect.bisect_right(self._spans, start, key=lambda span: span.stop)
            high = bisect.bisect_left(self._spans, stop, key=lambda span: span.start)
            rest = []
            for span in self._spans[low:high]:
                if span.start < start:
                    rest.append(replace(span, stop=start))
            rest.append(ScoreSpan(position, start, stop, score))
            for span in self._spans[low:high]:
                if span.stop > stop:
                    rest.append(replace(span, start=stop))
            self._spans[low:high] = rest

    def mark(self, position: int, text: str) -> None:
        """Add a mark, such as the name of a scene that begins to play."""
        with self._lock:
            self._marks.append((position, text))

    def forget(self, before: int) -> None:
        """Drop what ends before a position."""
        with self._lock:
            del self._spans[: bisect.bisect_right(self._spans, before, key=lambda span: span.stop)]
            self._marks = [mark for mark in self._marks if mark[0] >= before]

    def between(self, start: int, stop: int) -> list[ScoreSpan]:
        """What sounds between two positions, in order, cut to them."""
        with self._lock:
            low = bisect.bisect_right(self._spans, start, key=lambda span: span.stop)
            high = bisect.bisect_left(self._spans, stop, key=lambda span: span.start)
            return [
                replace(span, start=max(span.start, start), stop=min(span.stop, stop))
                for span in self._spans[low:high]
            ]

    def marks(self, start: int, stop: int) -> list[tuple[int, str]]:
        """The marks between two positions, in order."""
        with self._lock:
            return sorted(mark for mark in self._marks if start <= mark[0] < stop)

"""Transcript: what was played in, as notes, hits and chroma. Pure and immutable.

Times are seconds of the input's own clock. A transcript says up to where it has heard; what is
later has not been played yet, which is not the same as silence.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.tracking.chroma import STEP_SECONDS

KINDS: Final = ("pitched", "low", "mid", "high")
"""Kinds of hits: the beginning of a note, or a drum-like sound by where its energy lies."""
KEPT_SECONDS: Final = 100.0
"""Longer than sixteen bars of the slowest usual tempo."""


@dataclass(frozen=True)
class HeardNote:
    """A note of one voice: it sounds from `start` to `stop` seconds at a MIDI pitch with fractions;
    `level` in dB of full scale.
    """

    start: float
    stop: float
    pitch: float
    level: float = -20.0


@dataclass(frozen=True)
class HeardHit:
    """The beginning of a sound at `time` seconds: strength 0 to 1, and one of KINDS."""

    time: float
    strength: float
    kind: str


@dataclass(frozen=True)
class HeardChroma:
    """Strength of the twelve pitch classes, C first, around `time` seconds; zeros in silence."""

    time: float
    classes: tuple[float, ...]


@dataclass(frozen=True)
class Transcript:
    """Notes, hits and chroma in the order of their times, heard up to `until` seconds."""

    until: float = 0.0
    notes: tuple[HeardNote, ...] = ()
    hits: tuple[HeardHit, ...] = ()
    chroma: tuple[HeardChroma, ...] = ()

    def recent(self) -> Transcript:
        """Without what is older than KEPT_SECONDS."""
        first = self.until - KEPT_SECONDS
        if not self.chroma or self.chroma[0].time > first - 5.0:
            return self
        return Transcript(
            self.until,
            tuple(note for note in self.notes if note.stop > first),
            tuple(hit for hit in self.hits if hit.time > first),
            tuple(chroma for chroma in self.chroma if chroma.time > first),
        )

    def note_at(self, time: float) -> HeardNote | None:
        """The note that sounds at a time."""
        index = bisect.bisect_right(self.notes, time, key=lambda note: note.start) - 1
        if index < 0 or self.notes[index].stop <= time:
            return None
        return self.notes[index]

    def notes_from(self, start: float, stop: float) -> Sequence[HeardNote]:
        """Notes that begin from `start` to before `stop`."""
        low = bisect.bisect_left(self.notes, start, key=lambda note: note.start)
        high = bisect.bisect_left(self.notes, stop, key=lambda note: note.start)
        return self.notes[low:high]

    def hits_from(self, start: float, stop: float) -> Sequence[HeardHit]:
        """Hits from `start` to before `stop`."""
        low = bisect.bisect_left(self.hits, start, key=lambda hit: hit.time)
        high = bisect.bisect_left(self.hits, stop, key=lambda hit: hit.time)
        return self.hits[low:high]

    def chroma_between(self, start: float, stop: float) -> NDArray[np.float64]:
        """(12,) mean strength of the pitch classes from `start` to `stop`, of length 1 or zero."""
        low = bisect.bisect_left(self.chroma, start, key=lambda row: row.time)
        high = bisect.bisect_left(self.chroma, stop, key=lambda row: row.time)
        rows = self.chroma[low : max(high, low + 1)]
        if not rows or rows[0].time > stop + STEP_SECONDS:
            return np.zeros(12)
        total = np.sum([row.classes for row in rows], axis=0)
        length = float(np.linalg.norm(total))
        return np.asarray(total / length if length > 0 else total, np.float64)

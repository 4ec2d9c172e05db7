"""Change of a transcript: what was written down since.

A pipe carries no more than that, and many transcripts that follow one another take little memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from models.music.hearing.transcript import HeardChroma, HeardHit, HeardNote, Transcript

Event = TypeVar("Event")

CHAIN: Final = 24
"""Changes behind each other before a transcript is kept whole again: as many are undone at once."""


@dataclass(frozen=True)
class Addition(Generic[Event]):
    """How a sequence goes on: without its `dropped` oldest, the next `kept`, and then `new`."""

    dropped: int
    kept: int
    new: tuple[Event, ...]

    def to(self, before: Sequence[Event]) -> tuple[Event, ...]:
        """The sequence after the one before."""
        return (*before[self.dropped : self.dropped + self.kept], *self.new)


@dataclass(frozen=True)
class TranscriptChange:
    """How a transcript goes on: up to `until` seconds, and each of its sequences."""

    until: float
    notes: Addition[HeardNote]
    hits: Addition[HeardHit]
    chroma: Addition[HeardChroma]

    def to(self, before: Transcript) -> Transcript:
        """The transcript after the one before."""
        return Transcript(
            self.until,
            self.notes.to(before.notes),
            self.hits.to(before.hits),
            self.chroma.to(before.chroma),
        )


def addition(before: Sequence[Event], after: tuple[Event, ...]) -> Addition[Event]:
    """How `before` becomes `after`, which holds the same objects where nothing has changed."""
    dropped = next((i for i, each in enumerate(before) if after and each is after[0]), len(before))
    kept = min(len(before) - dropped, len(after))
    while kept and before[dropped + kept - 1] is not after[kept - 1]:
        kept -= 1
    return Addition(dropped, kept, after[kept:])


def transcript_change(before: Transcript, after: Transcript) -> TranscriptChange:
    """How a transcript becomes another that went on from it."""
    return TranscriptChange(
        after.until,
        addition(before.notes, after.notes),
        addition(before.hits, after.hits),
        addition(before.chroma, after.chroma),
    )


@dataclass(frozen=True, slots=True)
class KeptTranscript:
    """A transcript, as its change since another one; since an empty one where `before` is None."""

    change: TranscriptChange
    before: KeptTranscript | None = None
    depth: int = 0

    def transcript(self) -> Transcript:
        """The transcript itself."""
        changes, kept = [self.change], self.before
        while kept is not None:
            changes.append(kept.change)
            kept = kept.before
        found = Transcript()
        for change in reversed(changes):
            found = change.to(found)
        return found


class TranscriptKeeper:
    """Keeps transcripts that follow one another."""

    def __init__(self) -> None:
        self._last: tuple[Transcript, KeptTranscript] | None = None

    def keep(self, transcript: Transcript) -> KeptTranscript:
        """A transcript in its short form; the newest of those that were kept may be given again."""
        if self._last is not None and self._last[0] is transcript:
            return self._last[1]
        if self._last is None or self._last[1].depth >= CHAIN:
            kept = KeptTranscript(transcript_change(Transcript(), transcript))
        else:
            before, last = self._last
            kept = KeptTranscript(transcript_change(before, transcript), last, last.depth + 1)
        self._last = transcript, kept
        return kept

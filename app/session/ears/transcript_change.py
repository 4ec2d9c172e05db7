"""Change of a transcript: what was written down since, so that a pipe carries no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from models.music.hearing.transcript import HeardChroma, HeardHit, HeardNote, Transcript

Event = TypeVar("Event")


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

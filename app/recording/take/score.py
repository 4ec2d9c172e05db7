"""Score of a take: the notes, the grid and the changes that were heard.

A note that sounds where the music leaps (a splice of the plan, a moment) ends there; one that the
new music is holding begins there. Drum hits are too short to be held.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.performance.score_log import ScoreSpan, notes_of
from app.recording.take.grid import Anchor, Grid, make_grid
from app.recording.take.notes import NoteTable, TakeNote
from models.engine.interface import ScoreInfo

LATE: Final = 4800
"""Frames behind a block's end at which its last step may be heard, by an engine's delay."""


@dataclass(frozen=True)
class Marker:
    """Text at a frame of the take."""

    frame: int
    text: str


@dataclass(frozen=True)
class InstrumentChange:
    """InstrumentChange of a part from a frame of the take on, and its General MIDI program."""

    frame: int
    part: str
    name: str
    program: int


@dataclass(frozen=True)
class TakeScore:
    """Score of a take of so many frames. keys: as in `Controls.key`, where they change."""

    frames: int
    grid: Grid
    notes: NoteTable = field(default_factory=NoteTable)
    keys: tuple[Marker, ...] = ()
    markers: tuple[Marker, ...] = ()
    instruments: tuple[InstrumentChange, ...] = ()

    def parts(self, order: Sequence[str]) -> list[str]:
        """The parts that play or have an instrument, in this order."""
        found = self.notes.parts | {entry.part for entry in self.instruments}
        return [part for part in order if part in found]


@dataclass
class ScoreGatherer:
    """Gatherer of a take's score, span by span. start: plan position of the take's first frame."""

    start: int
    notes: NoteTable = field(default_factory=NoteTable)
    anchors: list[Anchor] = field(default_factory=list)
    keys: list[Marker] = field(default_factory=list)
    sections: list[Marker] = field(default_factory=list)
    instruments: list[InstrumentChange] = field(default_factory=list)
    marks: list[Marker] = field(default_factory=list)
    _on: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    _key: str | None = None
    _section: str = ""
    _sounds: dict[str, str] = field(default_factory=dict)

    def add(self, spans: Iterable[ScoreSpan]) -> None:
        """Add what was heard next."""
        for span in spans:
            self._changes(span.start - self.start, span.score)
            self._anchor(span)
            self._notes(span)

    def mark(self, position: int, text: str) -> None:
        """Add a marker at a plan position."""
        self.marks.append(Marker(max(0, position - self.start), text))

    def score(self, stop: int) -> TakeScore:
        """The score up to a plan position; more may be added behind it."""
        frames = stop - self.start
        notes = self.notes.copy()
        for (part, pitch), (at, velocity) in self._on.items():
            notes.append(TakeNote(at, max(frames, at + 1), part, pitch, velocity))
        markers = sorted([*self.sections, *self.marks], key=lambda marker: marker.frame)
        return TakeScore(
            frames, make_grid(self.anchors), notes.in_order(), tuple(self.keys), tuple(markers),
            tuple(self.instruments),
        )  # fmt: skip

    def copy(self) -> ScoreGatherer:
        """A copy to make a score of while more is added to this one."""
        return ScoreGatherer(
            self.start, self.notes.copy(), self.anchors[:], self.keys[:], self.sections[:],
            self.instruments[:], self.marks[:], dict(self._on),
        )  # fmt: skip

    def _changes(self, frame: int, score: ScoreInfo) -> None:
        if score.key and score.key != self._key:
            self._key = score.key
            self.keys.append(Marker(frame, score.key))
        if score.section and score.section != self._section:
            self._section = score.section
            self.sections.append(Marker(frame, score.section))
        for part, name in score.instruments.items():
            if self._sounds.get(part) != name:
                self._sounds[part] = name
                self.instruments.append(
                    InstrumentChange(frame, part, name, score.programs.get(part, 0))
                )

    def _anchor(self, span: ScoreSpan) -> None:
        score = span.score
        if score.beat is None or score.bars is None or score.bars_at is None or not score.tempo:
            return
        at = span.position + score.bars_at
        if span.start <= at <= span.stop + LATE:
            anchor = Anchor(
                at - self.start, score.beat, score.bars, score.tempo, score.beats_per_bar
            )
            # Of the rest the grid needs none, and a block is told of with each of its parts.
            first = not self.anchors or self.anchors[-1].frame < 0
            if first or (anchor.on_beat and anchor != self.anchors[-1]):
                self.anchors.append(anchor)

    def _notes(self, span: ScoreSpan) -> None:
        held, events = notes_of(span)
        here = span.start - self.start
        for key in [key for key in self._on if key not in held]:
            self._end(key, here)
        for (part, pitch), note in held.items():
            if (part, pitch) not in self._on and part != "drums":
                self._on[(part, pitch)] = (here, note.velocity)
        for event in events:
            frame, key = span.position + event.frame - self.start, (event.part, event.pitch)
            self._end(key, frame)
            if event.velocity:
                self._on[key] = (frame, event.velocity)

    def _end(self, key: tuple[str, int], frame: int) -> None:
        begun = self._on.pop(key, None)
        if begun is not None and frame > begun[0]:
            self.notes.append(TakeNote(begun[0], frame, *key, begun[1]))

"""State of the arranger: immutable, so that a snapshot is a reference."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.music.hearing.sketch import Sketch
from models.music.score import PARTS
from models.segue.arranger.clock import Clock, Tick
from models.segue.arranger.form.form_plan import FormPlan
from models.segue.arranger.form.themes import Theme
from models.segue.arranger.parts.state import NO_PATTERNS, HeldBars, PartPatterns
from models.segue.arranger.steps import SECTIONS, WIDTH, Setting
from models.segue.arranger.tonal_balance import NO_WEIGHTS, Weights
from models.segue.arranger.voices import Voices

Row = NDArray[np.uint8]
CHUNK: Final = 64
CHUNKS: Final = 48  # about six minutes at eight steps a second


@dataclass(frozen=True)
class History:
    """Rows written so far, WIDTH columns and the active parts' bits; old ones are forgotten.

    Full chunks are shared by all states that come after; appending copies the last one only.
    """

    chunks: tuple[Row, ...] = ()
    forgotten: int = 0  # chunks
    length: int = 0  # rows written in all

    def append(self, row: Row) -> History:
        """With one more row (WIDTH + 1,)."""
        chunks = self.chunks
        if self.length % CHUNK == 0:
            chunks = (*chunks, row[None])
        else:
            chunks = (*chunks[:-1], np.concatenate([chunks[-1], row[None]]))
        drop = max(0, len(chunks) - CHUNKS)
        return History(chunks[drop:], self.forgotten + drop, self.length + 1)

    def replaced(self, first: int, rows: list[Row]) -> History:
        """With other rows from row `first` on; those that are forgotten stay so."""
        chunks = list(self.chunks)
        for start in range(first // CHUNK, (first + len(rows) - 1) // CHUNK + 1):
            if 0 <= start - self.forgotten < len(chunks):
                chunk = chunks[start - self.forgotten].copy()
                for index in range(len(chunk)):
                    if 0 <= start * CHUNK + index - first < len(rows):
                        chunk[index] = rows[start * CHUNK + index - first]
                chunks[start - self.forgotten] = chunk
        return replace(self, chunks=tuple(chunks))

    def get(self, index: int) -> Row | None:
        """Row `index` since the start of the stream, or None where there is none."""
        if not 0 <= index < self.length:
            return None
        chunk = index // CHUNK - self.forgotten
        return self.chunks[chunk][index % CHUNK] if chunk >= 0 else None


EAGER: Final = 6
"""Bars that parts count as having been away when a stream begins: the band starts playing."""


@dataclass(frozen=True)
class Form:
    """Position in the form. `heard`: for each section the rows of its last occurrence."""

    section: int = SECTIONS.index("other")
    start: int = 0  # row at which the section began
    bar: int = 0  # bars since then
    active: int = 0  # bits of the parts that sound in this bar
    heard: tuple[tuple[int, int, int], ...] = ()  # (section, first row, row after the last)
    steady: int = 0  # bars since the last thin section
    missed: tuple[int, ...] = (EAGER,) * len(PARTS)  # bars since each part was last active

    def sounded(self, active: int, thin: bool) -> Form:
        """The form with a bar in which the parts of `active` (bits) sound; thin: by intention."""
        missed = tuple(0 if active >> i & 1 else bars + 1 for i, bars in enumerate(self.missed))
        return replace(self, active=active, missed=missed, steady=0 if thin else self.steady + 1)

    def returns(self, step: int) -> int:
        """Row of the same place in this section's previous occurrence, or -1."""
        return self.place_of(self.section, step - self.start)

    def place_of(self, section: int, offset: int) -> int:
        """Row `offset` steps into the last occurrence of a section, or -1."""
        for name, first, end in self.heard:
            if name == section and first + offset < end:
                return first + offset
        return -1

    def enter(self, section: int, step: int) -> Form:
        """The form after another section has begun at row `step`."""
        others = tuple(entry for entry in self.heard if entry[0] != self.section)
        heard = (*others, (self.section, self.start, step)) if step > self.start else others
        return replace(self, section=section, start=step, bar=0, heard=heard)


@dataclass(frozen=True)
class StartedSketch:
    """A sketch and the beat of the stream at which it began."""

    sketch: Sketch
    beat: float


@dataclass(frozen=True)
class State:
    """State of the arranger: what its next block depends on, besides style and controls."""

    seed: int
    tonic: int
    hidden: Tensor  # (layers, 2, hidden): with the style, and without
    output: Tensor  # (2, hidden) of the last step
    frames: int = 0  # frames of score given out
    clock: Clock = field(default_factory=Clock)
    history: History = field(default_factory=History)
    floor: int = 0  # rows before this one are of another metre
    form: Form = field(default_factory=Form)
    setting: Setting | None = None
    chosen_for: object = None  # what the setting was chosen for
    style: bytes = b""  # the style that the music so far belongs to
    style_step: int = 0  # row at which the style last changed
    symbol: int = 0  # chord that sounds, + 1
    voices: Voices = field(default_factory=Voices)
    ticks: tuple[Tick, ...] = ()  # the last step written
    timbres: tuple[Setting, ...] = ()  # setting of each of `ticks`
    symbols: tuple[int, ...] = ()  # chord of each of `ticks`, + 1
    key: tuple[int, str] = (0, "major")
    notes: tuple[int, ...] = ()  # keys held when the last step was written
    busy: float = 0.0  # measured onset density, onsets per second
    push: float = 0.0  # what the density control has learned to add
    silence: float = 0.0  # seconds since something audible was written
    tones: Weights = NO_WEIGHTS  # pitch classes of the last seconds
    base: Setting | None = None  # setting whose metre, tempo and mode stay when prompts change
    tempo: float = 0.0  # tempo at auto, gliding to the base's; 0 before the first step
    asked: tuple[float | None, str | None] | None = None  # bpm and key controls that have arrived
    plan: FormPlan = field(default_factory=FormPlan)
    plan_style: bytes = b""  # the style that the form was chosen for
    themes: tuple[Theme, ...] = ()
    due: bool = False  # the next section comes with the next bar
    fill_due: bool = False  # a fill begins with the next step
    triggers: tuple[bool, bool] = (False, False)  # fill and next_section at the last block
    fill: tuple[int, int] = (-1, -1)  # first row of a fill, and the row after its last
    sketches: tuple[StartedSketch, ...] = ()  # that the controls had in the last step
    patterns: PartPatterns = NO_PATTERNS  # locks and re-rolls of parts
    loop: HeldBars | None = None  # bars that are held

    def with_(self, **changes: object) -> State:
        """A copy with some fields replaced; as `dataclasses.replace`, in a tenth of its time."""
        if not changes.keys() <= self.__dataclass_fields__.keys():
            raise TypeError(f"a state has no {', '.join(changes.keys() - vars(self).keys())}")
        copy = object.__new__(State)
        copy.__dict__.update(self.__dict__, **changes)
        return copy


def empty_row() -> Row:
    """Row (WIDTH + 1,) in which every part rests."""
    return np.zeros(WIDTH + 1, np.uint8)

"""Edits of a sketch with the mouse, and the beats at which one is sung. Pure."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from models.engine.interface import ScoreInfo
from models.music.hearing.sketch import Sketch, SketchHit, SketchNote, on_grid
from models.music.score import SAMPLE_RATE

GRID: Final = 4
"""Places of a beat on which the mouse puts things."""
LENGTHS: Final = (1, 2, 4, 8)
"""Bars of a sketch."""
KIT: Final = ("kick", "snare", "hat")
"""Drums that can be drawn, from the bottom."""
KEPT: Final = 60 * SAMPLE_RATE


def blank(part: str, bars: int, beats_per_bar: int = 4, number: int = 0) -> Sketch:
    """A sketch without anything in it."""
    return Sketch(part, float(bars * beats_per_bar), number=number)


def drawn(sketch: Sketch, path: Sequence[tuple[float, float]]) -> Sketch:
    """The sketch with a line that was drawn, as (beat, pitch) of the mouse: a note for as long as
    the pitch stays, instead of what was under it.
    """
    low = max(0.0, min(beat for beat, _ in path))
    high = min(sketch.beats, max(beat for beat, _ in path))
    first = int(low * GRID)
    last = max(first + 1, min(int(np.ceil(high * GRID - 1e-6)), int(sketch.beats * GRID)))
    pitches: list[int] = []
    for cell in range(first, last):
        inside = [pitch for beat, pitch in path if cell <= beat * GRID < cell + 1]
        middle = (cell + 0.5) / GRID
        near = min(path, key=lambda point: abs(point[0] - middle))[1]
        pitches.append(round(float(np.median(inside)) if inside else near))
    notes = [n for n in sketch.notes if not first / GRID <= n.beat < last / GRID]
    start = 0
    for index in range(1, len(pitches) + 1):
        if index == len(pitches) or pitches[index] != pitches[start]:
            beat, length = (first + start) / GRID, (index - start) / GRID
            notes.append(SketchNote(beat, length, float(pitches[start])))
            start = index
    return replace(sketch, notes=tuple(sorted(notes, key=lambda n: n.beat)))


def moved(sketch: Sketch, index: int, beats: float, semitones: int) -> Sketch:
    """The sketch with one of its notes, or hits, elsewhere."""
    if sketch.part == "drums":
        hit = sketch.hits[index]
        row = min(max(KIT.index(hit.drum) + semitones, 0), len(KIT) - 1) if hit.drum in KIT else 0
        hits = list(sketch.hits)
        hits[index] = replace(hit, beat=_within(sketch, hit.beat + beats), drum=KIT[row])
        return replace(sketch, hits=tuple(hits))
    note = sketch.notes[index]
    pitch = min(max(note.pitch + semitones, 21.0), 108.0)
    notes = [*sketch.notes[:index], *sketch.notes[index + 1 :]]
    notes.append(replace(note, beat=_within(sketch, note.beat + beats), pitch=pitch))
    return replace(sketch, notes=tuple(sorted(notes, key=lambda n: n.beat)))


def without(sketch: Sketch, index: int) -> Sketch:
    """The sketch without one of its notes, or hits."""
    if sketch.part == "drums":
        return replace(sketch, hits=(*sketch.hits[:index], *sketch.hits[index + 1 :]))
    return replace(sketch, notes=(*sketch.notes[:index], *sketch.notes[index + 1 :]))


def struck(sketch: Sketch, beat: float, drum: str) -> Sketch:
    """The sketch with one more hit, on the grid."""
    place = _within(sketch, int(beat * GRID) / GRID)
    return replace(sketch, hits=(*sketch.hits, SketchHit(place, drum)))


def of_length(sketch: Sketch, beats: float) -> Sketch:
    """The sketch with another length; what lies behind its end goes."""
    return replace(
        sketch,
        beats=beats,
        notes=tuple(
            replace(n, length=min(n.length, beats - n.beat)) for n in sketch.notes if n.beat < beats
        ),
        hits=tuple(h for h in sketch.hits if h.beat < beats),
    )


def for_part(sketch: Sketch, part: str) -> Sketch:
    """The sketch for another part; a line becomes no groove, nor the other way."""
    if (part == "drums") != (sketch.part == "drums"):
        return replace(sketch, part=part, notes=(), hits=())
    return replace(sketch, part=part)


def quantised(sketch: Sketch) -> Sketch:
    """The sketch with everything on the nearest sixteenth."""
    return on_grid(sketch, GRID)


def _within(sketch: Sketch, beat: float) -> float:
    return min(max(beat, 0.0), sketch.beats - 1 / GRID)


@dataclass
class HeardBeats:
    """Beats of the planned music by plan position, the newest plan's.

    points: (plan position, beats since the start), rising. beats_per_bar: of the last block.
    """

    points: list[tuple[int, float]] = field(default_factory=list)
    beats_per_bar: int = 4

    def put(self, origin: int, join: int, frames: int, score: ScoreInfo) -> None:
        """Note a planned block's score.

        Args:
            origin: plan position of frame 0 of the score's block.
            join: first plan position at which it sounds.
            frames: of a block.
            score: of the block.

        """
        if score.bars is None:
            return
        at = origin + (frames if score.bars_at is None else score.bars_at)
        low = bisect.bisect_left(self.points, (join, -1.0))
        del self.points[low:]
        if self.points and at <= self.points[-1][0]:
            return
        self.beats_per_bar = score.beats_per_bar
        self.points.append((at, score.bars * score.beats_per_bar))
        if self.points[0][0] < at - KEPT:
            del self.points[: len(self.points) // 2]

    def around(self, start: int, stop: int) -> list[tuple[int, float]]:
        """Points from before `start` to behind `stop`; fewer than two where none are known."""
        low = max(0, bisect.bisect_left(self.points, (start, -1.0)) - 1)
        high = bisect.bisect_right(self.points, (stop, 0.0)) + 1
        return self.points[low:high]

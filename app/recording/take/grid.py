"""Grid: tempo map and metre of a piece, from where its beats were heard.

Beats that were heard become the beats of the grid, within a fraction of a millisecond. Where the
piece begins within a bar, and where it leaps to another place, a bar of whole beats with a tempo of
its own fills the gap, so that the bar lines that are heard are those of the grid. A beat of the
metre counts as a quarter note.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE

Floats = NDArray[np.float64]

TOLERANCE: Final = 24
"""Frames by which a beat of the grid may differ from the one heard before the tempo changes."""
WHOLE: Final = 1e-4
LEAP: Final = 1.8
"""Ratio of the tempo between two beats to the one written, from which the music has leapt."""
SMALL: Final = 0.02
"""Beats by which a beat of the grid may be longer without anybody noticing."""
MAX_NUMERATOR: Final = 32
US_OF_FRAME: Final = 1e6 / SAMPLE_RATE


@dataclass(frozen=True)
class Anchor:
    """Place in beats and bars that was heard at a frame; tempo and beats in a bar there."""

    frame: int
    beats: float
    bars: float
    bpm: float = 120.0
    beats_per_bar: int = 4

    @property
    def on_beat(self) -> bool:
        return abs(self.beats - round(self.beats)) < WHOLE

    @property
    def on_bar(self) -> bool:
        return abs(self.bars - round(self.bars)) < WHOLE


@dataclass(frozen=True)
class TempoSegment:
    """Constant tempo from a beat on, which is at `frame`; microseconds of a beat, as MIDI has it"""

    beat: int
    frame: float
    microseconds: int

    @property
    def bpm(self) -> float:
        return 60e6 / self.microseconds

    @property
    def frames_per_beat(self) -> float:
        return self.microseconds / US_OF_FRAME


@dataclass(frozen=True)
class Grid:
    """Tempo map and metre: tempos from beat 0 on; (beat, beats in a bar) where that changes."""

    tempos: tuple[TempoSegment, ...]
    metres: tuple[tuple[int, int], ...] = ((0, 4),)

    def beat_at(self, frame: float) -> float:
        """Place of a frame in beats."""
        index = max(0, bisect.bisect_right(self.tempos, frame, key=lambda t: t.frame) - 1)
        tempo = self.tempos[index]
        return tempo.beat + (frame - tempo.frame) / tempo.frames_per_beat

    def beats_at(self, frames: Floats) -> Floats:
        """Places of frames in beats; shapes (n,)."""
        places = np.array([tempo.frame for tempo in self.tempos])
        index = np.maximum(0, np.searchsorted(places, frames, side="right") - 1)
        beats = np.array([tempo.beat for tempo in self.tempos], np.float64)
        lengths = np.array([tempo.frames_per_beat for tempo in self.tempos])
        found: Floats = beats[index] + (frames - places[index]) / lengths[index]
        return found

    def frame_at(self, beat: float) -> float:
        """Frame of a place in beats."""
        index = max(0, bisect.bisect_right(self.tempos, beat, key=lambda t: t.beat) - 1)
        tempo = self.tempos[index]
        return tempo.frame + (beat - tempo.beat) * tempo.frames_per_beat


def make_grid(anchors: Iterable[Anchor]) -> Grid:
    """Grid of a piece that begins at frame 0, from anchors in the order of their frames."""
    every = [anchor for anchor in anchors if anchor.frame >= 0]
    points: list[tuple[int, int, float]] = [(0, 0, every[0].bpm if every else 120.0)]
    lines: list[tuple[int, int]] = []
    for run in _runs([anchor for anchor in every if anchor.on_beat]):
        first = next((i for i, anchor in enumerate(run) if anchor.on_bar), None)
        if first is None:
            continue
        begin = run[first]
        frame, beat, _ = points[-1]
        if not lines:
            lines.append((0, begin.beats_per_bar))
            points[-1] = (frame, beat, begin.bpm)
        gap = (begin.frame - frame) / SAMPLE_RATE * begin.bpm / 60
        # Less than half a beat is no bar of its own: the bar that follows is so much longer.
        within = SMALL < gap < 0.5
        if gap >= 0.5:
            beat += max(1, round(gap))
            points.append((begin.frame, beat, begin.bpm))
        lines.append((beat, begin.beats_per_bar))
        for anchor in run[first + 1 :]:
            at = beat + round(anchor.beats - begin.beats)
            told_twice = at <= points[-1][1]  # a little apart, as where a tempo is followed
            if told_twice or (within and not anchor.on_bar):
                continue
            within = False
            points.append((anchor.frame, at, anchor.bpm))
            if anchor.on_bar:
                lines.append((at, anchor.beats_per_bar))
    return Grid(_tempos(points), _metres(lines))


def _runs(anchors: Sequence[Anchor]) -> list[list[Anchor]]:
    """Stretches of anchors without a leap."""
    runs: list[list[Anchor]] = []
    for anchor in anchors:
        last = runs[-1][-1] if runs else None
        if last is None or _leapt(last, anchor):
            runs.append([anchor])
        elif anchor.frame > last.frame:
            runs[-1].append(anchor)
    return runs


def _leapt(last: Anchor, now: Anchor) -> bool:
    seconds, beats = (now.frame - last.frame) / SAMPLE_RATE, now.beats - last.beats
    if abs(beats) < WHOLE and abs(seconds) * SAMPLE_RATE <= TOLERANCE:
        return False  # told twice
    if beats < WHOLE or seconds <= 0:
        return True
    ratio = 60 * beats / seconds / now.bpm
    other = 60 * beats / seconds / last.bpm
    return not (min(ratio, other) < LEAP and max(ratio, other) > 1 / LEAP)


def _tempos(points: Sequence[tuple[int, int, float]]) -> tuple[TempoSegment, ...]:
    """Tempo map through (frame, beat, tempo as written), of as few tempos as are needed."""
    tempos: list[TempoSegment] = []
    for (_, last, written), (frame, beat, _) in itertools.pairwise(points):
        at = 0.0
        if tempos:
            tempo = tempos[-1]
            if abs(tempo.frame + (beat - tempo.beat) * tempo.frames_per_beat - frame) <= TOLERANCE:
                continue
            at = tempo.frame + (last - tempo.beat) * tempo.frames_per_beat
        segment = TempoSegment(last, at, _microseconds(60e6 / written))
        if abs(at + (beat - last) * segment.frames_per_beat - frame) > TOLERANCE:
            exact = (frame - at) * US_OF_FRAME / (beat - last)
            segment = TempoSegment(last, at, _microseconds(exact))
        tempos.append(segment)
    if not tempos:
        tempos.append(TempoSegment(0, 0.0, _microseconds(60e6 / points[0][2])))
    return tuple(tempos)


def _microseconds(exact: float) -> int:
    return min(max(round(exact), 1), 0xFFFFFF)


def _metres(lines: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """(beat, beats in a bar) where that changes, so that all bar lines are where they should."""
    marks: list[tuple[int, int]] = []
    for (beat, metre), (following, _) in itertools.pairwise(lines):
        rest = (following - beat) % metre
        if rest:
            odd = following - beat if following - beat <= MAX_NUMERATOR else rest
            marks.append((beat, odd))
            beat += odd
        if beat < following:
            marks.append((beat, metre))
    marks.append(lines[-1] if lines else (0, 4))
    out: list[tuple[int, int]] = []
    for mark in marks:
        if not out or out[-1][1] != mark[1]:
            out.append(mark)
    return tuple(out)

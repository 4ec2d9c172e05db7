"""Counts of what music does: the statistics from which an idiom is learned. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import QUALITIES
from models.segue.arranger.steps import BPM_BINS

PLACES: Final = 16
"""Places of a bar of four beats."""
TRIADS: Final = 24
"""Roots from the tonic, major-like and minor-like: 2 * root + 1 where its third is minor."""
WIDEST: Final = 7
"""Semitones of the widest step of a line; wider ones are often another voice's."""
STEPS: Final = 2 * WIDEST + 1
MINOR_QUALITIES: Final = frozenset(name for name, steps in QUALITIES.items() if 3 in steps)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MusicCounts:
    """What was counted in some music.

    Attributes:
        onsets: (PLACES,) sounds that began at each place of the bar.
        bars: how many bars those are of.
        chords: (TRIADS, TRIADS) changes from a chord to another.
        beats: beats in which a chord sounded.
        tones: (12,) seconds of each pitch class, from the tonic.
        steps: (STEPS,) of lines, from a note to the next, -WIDEST to WIDEST semitones.
        tempo: (BPM_BINS,) seconds at each tempo.
        modes: (2,) seconds in major, and in minor.

    """

    onsets: Array = field(default_factory=lambda: np.zeros(PLACES))
    bars: float = 0.0
    chords: Array = field(default_factory=lambda: np.zeros((TRIADS, TRIADS)))
    beats: float = 0.0
    tones: Array = field(default_factory=lambda: np.zeros(12))
    steps: Array = field(default_factory=lambda: np.zeros(STEPS))
    tempo: Array = field(default_factory=lambda: np.zeros(BPM_BINS))
    modes: Array = field(default_factory=lambda: np.zeros(2))

    def __add__(self, other: MusicCounts) -> MusicCounts:
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return MusicCounts(*(one + two for one, two in pairs))


def total(counts: Iterable[MusicCounts]) -> MusicCounts:
    """The sum of counts."""
    return sum(counts, MusicCounts())


def triad(root: int, quality: str) -> int:
    """Index of a chord in TRIADS, its root counted from the tonic."""
    return 2 * (root % 12) + (quality in MINOR_QUALITIES)


def line_steps(pitches: Iterable[int]) -> Array:
    """(STEPS,) the steps of a line; wider ones are left out."""
    line = np.array(list(pitches), np.int64)
    steps = np.diff(line)
    steps = steps[np.abs(steps) <= WIDEST]
    return np.bincount(steps + WIDEST, minlength=STEPS).astype(float)

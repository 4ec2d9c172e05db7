"""Rhythm patterns: which sounds begin where in a bar, learned from the corpus.

After Krebs, Böck and Widmer, "Rhythmic pattern modeling for beat and downbeat tracking in musical
audio" (ISMIR 2013): spectral flux in three bands, relative to its own mean, is quantised to a code;
a pattern gives the chance of each code at each twelfth of a beat of its bar. Some patterns have
four beats, some three.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.tracking.front_end import HOP_SECONDS, Line

PLACES: Final = 12  # of a beat
METRES: Final = (4, 3)
EDGES: Final = (0, 3, 10, 24)  # mel bands of the three bands
WIDTHS: Final = np.diff(EDGES).astype(np.float32)
FEATURES: Final = len(EDGES) - 1
FRAME: Final = 2 * HOP_SECONDS
MEMORY: Final = 5.0  # seconds of the mean that flux is relative to
LEAST: Final = 0.015  # of that mean
LATENESS: Final = 0.025
"""Seconds from a sound's beginning to the end of the frame in which it shows."""


@dataclass(frozen=True, eq=False)
class RhythmPatterns:
    """Patterns.

    Attributes:
        codebook: (codes, FEATURES) centres.
        four: (patterns, 4 * PLACES, codes) chances of each code.
        three: (patterns, 3 * PLACES, codes).

    """

    codebook: Line
    four: Line
    three: Line

    @cached_property
    def rows(self) -> tuple[tuple[int, int], ...]:
        """Metre and beat of each row of `chances`: a row is one beat of one pattern."""
        return tuple(
            (metre, beat)
            for metre, table in zip(METRES, (self.four, self.three), strict=True)
            for _ in range(len(table))
            for beat in range(metre)
        )

    @cached_property
    def chances(self) -> Line:
        """(codes, PLACES + 1, rows) the last place is the first one of the beat that follows."""
        parts = []
        for metre, table in zip(METRES, (self.four, self.three), strict=True):
            beats = table.reshape(len(table), metre, PLACES, -1)
            after = np.roll(beats, -1, axis=1)[:, :, :1]
            whole = np.concatenate([beats, after], axis=2)
            parts.append(whole.reshape(-1, PLACES + 1, table.shape[-1]))
        return np.ascontiguousarray(np.concatenate(parts).transpose(2, 1, 0), np.float32)

    def code(self, features: Line) -> int:
        """The code nearest to (FEATURES,) features."""
        away = self.codebook - features
        return int((away * away).sum(axis=1).argmin())


@dataclass(frozen=True)
class FluxState:
    """Mean of the flux, and how much of its memory is filled."""

    mean: float = 0.0
    filled: float = 0.0


def flux_features(state: FluxState, rise: Line) -> tuple[FluxState, Line]:
    """Features (FEATURES,) of the rise (BANDS,) of a frame of 20 ms, and the state after it."""
    bands = (np.add.reduceat(rise, EDGES[:-1]) / WIDTHS).tolist()
    share = FRAME / MEMORY
    filled = state.filled + share * (1 - state.filled)
    mean = state.mean + share * (sum(bands) / FEATURES - state.mean)
    scale = max(mean / filled, LEAST)
    features = np.log1p(np.array(bands) / scale).astype(np.float32)
    return FluxState(mean, filled), features


def place_codes(
    codes: NDArray[np.int64], places: NDArray[np.int64], places_in_bar: int, size: int
) -> NDArray[np.float64]:
    """(places_in_bar, size) how often each code stands at each place of a bar."""
    counts = np.zeros((places_in_bar, size))
    np.add.at(counts, (places, codes), 1.0)
    return counts

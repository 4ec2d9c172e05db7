"""Chords and the scales that go with them. Pure logic."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from models.music.score import MODES, QUALITIES, QUALITY_NAMES

MINOR_LIKE: Final = frozenset({"minor", "dorian", "phrygian", "harmonic_minor", "pentatonic_minor"})
"""Modes with a minor third that a key finder should call minor."""


@lru_cache(maxsize=1024)
def chord_intervals(symbol: int) -> tuple[int, ...]:
    """Pitch classes of a chord symbol relative to the tonic, root first."""
    root, quality = divmod(symbol, len(QUALITIES))
    return tuple((root + step) % 12 for step in QUALITIES[QUALITY_NAMES[quality]])


@lru_cache(maxsize=1024)
def scale_of(mode: str, symbol: int) -> tuple[int, ...]:
    """The mode's notes relative to the tonic, bent to the chord that sounds.

    A note of the mode gives way to a chord tone a semitone off (the raised seventh over V in
    minor), as a player would; otherwise the mode stays as it is.
    """
    scale = set(MODES[mode])
    if symbol >= 0:
        for tone in chord_intervals(symbol):
            if tone not in scale:
                if tone - 1 in scale and tone - 1 not in chord_intervals(symbol) and tone - 1:
                    scale.discard(tone - 1)
                elif tone + 1 in scale and tone + 1 not in chord_intervals(symbol):
                    scale.discard(tone + 1)
                scale.add(tone)
    return tuple(sorted(scale))

"""Tonal balance: bias towards the notes that tell the key from its nearest rival.

A network that keeps to the scale may still dwell on a neighbour of the tonic, or leave out the
third. The composer throws such songs away (`models.music.tonality.agrees`); who plays live cannot,
but can act in time. The pitch classes of the last seconds are correlated with Krumhansl and
Kessler's profiles (Krumhansl, "Cognitive foundations of musical pitch", 1990, chapter 4); while the
key does not lead by MARGIN, the odds of notes are moved along the difference of the key's profile
and that of the rival, which is the direction in which the lead grows fastest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.harmony import MINOR_LIKE
from models.music.tonality import key_correlations, key_profiles
from models.segue.arranger.clock import Tick
from models.segue.arranger.voices import Voices

Weights = tuple[float, ...]
"""Loudness-weighted seconds of the twelve pitch classes, counted from the tonic."""
NO_WEIGHTS: Final[Weights] = (0.0,) * 12
MEMORY: Final = 16.0  # seconds over which pitch classes are remembered
MARGIN: Final = 0.25  # lead in correlation from which the key counts as clear
GAIN: Final = 1.5  # log-odds on the most telling note when the key does not lead at all
LONGEST: Final = 1.0  # seconds of a note that count, as long notes fade
ENOUGH: Final = 2.0  # seconds of notes from which a lead is believed


def follow(
    weights: Weights, notes: Iterable[tuple[float, float, int, int]], tonic: int, seconds: float
) -> Weights:
    """The weights after `seconds` more.

    Args:
        weights: before.
        notes: (seconds since the note began, seconds that it sounds in this stretch, MIDI note,
            velocity) of what sounds.
        tonic: pitch class 0 to 11 that weights are counted from.
        seconds: length of the stretch.

    """
    out = np.array(weights) * np.exp(-seconds / MEMORY)
    for age, length, pitch, velocity in notes:
        out[(pitch - tonic) % 12] += min(length, max(0.0, LONGEST - age)) * velocity / 100.0
    return tuple(float(v) for v in out)


def sounding_notes(voices: Voices, tick: Tick) -> Iterator[tuple[float, float, int, int]]:
    """What sounds in a step, as `follow` takes it; drums left out."""
    for note in voices.notes:
        if note.part and note.off > tick.start:
            length = min(note.off, tick.end) - max(note.on, tick.start)
            yield tick.start - note.on, length, note.pitch, note.velocity


def pull(weights: Weights, mode: str) -> NDArray[np.float32]:
    """(12,) log-odds for notes counted from the tonic; zeros where the key leads clearly."""
    totals = np.array(weights)
    if totals.sum() <= 0:
        return np.zeros(12, np.float32)
    scores = key_correlations(totals)
    own = 12 if mode in MINOR_LIKE else 0
    lead = scores[own] - np.delete(scores, own).max()
    rivals = scores.copy()
    rivals[own] = -np.inf
    need = float(np.clip(1.0 - lead / MARGIN, 0.0, 2.0)) * min(1.0, totals.sum() / ENOUGH)
    profiles = key_profiles()
    direction = profiles[own] - profiles[int(np.argmax(rivals))]
    return np.asarray(GAIN * need * direction / np.abs(direction).max(), np.float32)

"""Harmony of the keys that the performer holds.

Two keys or more are the chord itself; one key is the root of the triad that the mode has there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from models.music.score import MODES, QUALITIES, chord_pitch_classes, chord_symbol
from models.music.voicing import chord_register, voice


@dataclass(frozen=True)
class HeldHarmony:
    """Harmony of held keys: `symbol` relative to the tonic, absolute pitch classes, and the keys
    themselves (empty where a single key stands for a triad).
    """

    symbol: int
    classes: tuple[int, ...]
    root: int
    keys: tuple[int, ...]


@lru_cache(maxsize=1024)
def held_harmony(notes: tuple[int, ...], tonic: int, mode: str) -> HeldHarmony | None:
    """The harmony of held MIDI notes in a key; None when no key is held."""
    if not notes:
        return None
    classes = sorted({note % 12 for note in notes})
    bass = min(notes) % 12
    if len(classes) == 1:
        symbol = triad(bass, tonic, mode)
        return HeldHarmony(symbol, chord_pitch_classes(symbol, tonic), bass, ())
    best, best_cost = 0, float("inf")
    for root in range(12):
        for quality, steps in QUALITIES.items():
            tones = {(root + step) % 12 for step in steps}
            missing = len(tones - set(classes))
            strange = len(set(classes) - tones)
            cost = missing + 2.0 * strange - 0.5 * (root == bass) + 0.01 * len(tones)
            if cost < best_cost:
                best, best_cost = chord_symbol(root - tonic, quality), cost
    return HeldHarmony(best, tuple(classes), bass, notes)


def triad(root: int, tonic: int, mode: str) -> int:
    """Symbol of the triad on an absolute pitch class that fits the mode best."""
    scale = {(tonic + step) % 12 for step in MODES[mode]}
    for quality in ("maj", "min", "dim"):
        if all((root + step) % 12 in scale for step in QUALITIES[quality]):
            return chord_symbol(root - tonic, quality)
    return chord_symbol(root - tonic, "maj" if (root + 4) % 12 in scale else "min")


def snap(pitch: int, classes: Sequence[int]) -> int:
    """The nearest MIDI note of the pitch classes; the lower of two."""
    for distance in range(7):
        for candidate in (pitch - distance, pitch + distance):
            if candidate % 12 in classes:
                return candidate
    return pitch


def voice_held(
    held: HeldHarmony, tonic: int, instrument: str, previous: tuple[int, ...] | None
) -> tuple[int, ...]:
    """Pitches of the chord part while keys are held: the keys, moved by octaves to where the
    instrument plays chords; of a single key, the voicing of its triad.
    """
    if not held.keys:
        return voice(held.symbol, tonic, instrument, previous)
    low, high = chord_register(instrument)
    mean = sum(held.keys) / len(held.keys)
    shift = 12 * round(((low + high) / 2 - mean) / 12)
    if low - 5 <= min(held.keys) and max(held.keys) <= high + 5:
        shift = 0
    return tuple(sorted({min(108, max(21, key + shift)) for key in held.keys}))

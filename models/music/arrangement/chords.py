"""Chords found from notes: the most likely course of chords, a beat or half a bar at a time.

Templates of pitch classes are compared with what sounds in each beat, and the course with the best
sum of likenesses is sought, where a change costs something (Viterbi; Sheh and Ellis, "Chord
segmentation and recognition using EM-trained hidden Markov models", 2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.arrangement.midi_reader import MidiNote
from models.music.score import QUALITIES, QUALITY_NAMES

CHANGE: Final = 0.35  # cost of another chord, off the bar
ON_BAR: Final = 0.12  # and on one
BASS: Final = 0.5  # weight of the lowest note, as a root
RARE: Final = {
    "maj": 0.0, "min": 0.0, "7": 0.05, "maj7": 0.06, "min7": 0.05, "sus": 0.09, "5": 0.08,
    "dim": 0.08, "aug": 0.12, "6": 0.1, "half_dim": 0.1, "9": 0.12, "maj9": 0.12, "min9": 0.12,
}  # fmt: skip
"""What a chord must be better by, as a likeness, to be taken for less common."""


def chords_of(
    notes: Sequence[MidiNote], beats: int, beats_per_bar: float
) -> list[tuple[float, int, str]]:
    """Chords of a stretch of music.

    Args:
        notes: pitched, in beats from its beginning.
        beats: its length.
        beats_per_bar: of the metre.

    Returns:
        Beat, root (pitch class 0..11) and quality of each chord where it begins; a stretch in
        which nothing sounds keeps the one before.

    """
    if not notes or beats < 1:
        return []
    classes, bass = chroma_of(notes, beats)
    likeness = _likeness(classes, bass)
    change = np.full(beats, CHANGE)
    bar = max(1.0, beats_per_bar)
    change[[b for b in range(beats) if abs(b / bar - round(b / bar)) * bar < 0.5]] = ON_BAR
    best = likeness[0].copy()
    back = np.zeros((beats, likeness.shape[1]), np.int64)
    for beat in range(1, beats):
        leap = int(best.argmax())
        stay = best >= best[leap] - change[beat]
        back[beat] = np.where(stay, np.arange(len(best)), leap)
        best = np.where(stay, best, best[leap] - change[beat]) + likeness[beat]
    state = int(best.argmax())
    course = [state]
    for beat in range(beats - 1, 0, -1):
        state = int(back[beat, state])
        course.append(state)
    course.reverse()
    found: list[tuple[float, int, str]] = []
    for beat, state in enumerate(course):
        root, quality = divmod(state, len(QUALITY_NAMES))
        if not found or found[-1][1:] != (root, QUALITY_NAMES[quality]):
            found.append((float(beat), root, QUALITY_NAMES[quality]))
    return found


def chroma_of(
    notes: Sequence[MidiNote], beats: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(beats, 12) how long each pitch class sounds in each beat, and which is the lowest note's."""
    classes, bass = np.zeros((beats, 12)), np.zeros((beats, 12))
    lowest = np.full(beats, 128)
    for note in notes:
        first, last = int(max(note.beat, 0.0)), min(beats, int(np.ceil(note.beat + note.length)))
        for beat in range(first, last):
            share = min(note.beat + note.length, beat + 1) - max(note.beat, beat)
            if share <= 0.02:
                continue
            classes[beat, note.pitch % 12] += share * (0.5 + note.velocity / 254)
            if note.pitch <= lowest[beat]:
                if note.pitch < lowest[beat]:
                    bass[beat] = 0.0
                lowest[beat] = note.pitch
                bass[beat, note.pitch % 12] = 1.0
    return classes, bass


def _likeness(classes: NDArray[np.float64], bass: NDArray[np.float64]) -> NDArray[np.float64]:
    """(beats, chords) cosine of what sounds and each chord, more where the bass is its root."""
    templates, roots, rare = [], [], []
    for root in range(12):
        for quality, steps in QUALITIES.items():
            row = np.zeros(12)
            row[[(root + step) % 12 for step in steps]] = 1.0
            templates.append(row / np.linalg.norm(row))
            roots.append(root)
            rare.append(RARE[quality])
    weights = np.sqrt(classes)
    norm = np.linalg.norm(weights, axis=1, keepdims=True)
    sounding = norm[:, 0] > 1e-6
    cosine = (weights / np.maximum(norm, 1e-6)) @ np.array(templates).T
    cosine += BASS * 0.4 * bass[:, roots] - np.array(rare)
    return np.asarray(np.where(sounding[:, None], cosine, 0.0))

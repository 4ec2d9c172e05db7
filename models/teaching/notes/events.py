"""Notes from how likely each of them sounds and begins, as far as that is clear. No torch.

The decoder is that of Bittner et al. 2022, section 3.3: an onset begins a note where it is a clear
peak, and the note lasts while it is likely. What begins without an onset is not taken up, as it is
seldom right. Each note belongs to a part: the lowest voice under a bass's range to the bass, the
highest over the others to the lead, the rest to the chords.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import EVENT, LOW_PITCH, PARTS
from models.teaching.notes.network import frame_time

BEGINS: Final = 0.5
"""How likely an onset must be."""
SOUNDS: Final = 0.3
"""How likely a note must be to sound on."""
GAP: Final = 11
"""Frames in which it may be less likely."""
SHORTEST: Final = 6
"""Frames of a note: 70 ms."""
SURE: Final = 0.4
"""Confidence from which a note is believed."""
BASS_BELOW: Final = 50
"""MIDI pitch under which the lowest voice is the bass."""
LEAD_ABOVE: Final = 5
"""Semitones by which a lead is over what sounds with it."""
SOFTEST, LOUDEST = 50, 110

Array = NDArray[np.float32]


@dataclass(frozen=True)
class ClearNote:
    """A note from `start` to `stop` seconds: MIDI pitch, how sure it is (0 to 1), and its part."""

    start: float
    stop: float
    pitch: int
    confidence: float
    part: str = "chords"


def clear_notes(sounds: Array, begins: Array) -> tuple[ClearNote, ...]:
    """The notes that are clear, in the order of their beginnings, each with its part.

    Args:
        sounds: (T, 88) how likely each note sounds, 0 to 1.
        begins: (T, 88) how likely it begins.

    """
    left, found = sounds.copy(), []
    inner = begins[1:-1]
    peaks = (inner > begins[:-2]) & (inner >= begins[2:]) & (inner >= BEGINS)
    # From the last back, so that a note ends where the next of its pitch begins.
    for before, note in np.argwhere(peaks)[::-1].tolist():
        start = before + 1
        stop = _end(left[:, note], start)
        if stop - start < SHORTEST:
            continue
        confidence = float(sounds[start:stop, note].mean())
        left[start:stop, max(0, note - 1) : note + 2] = 0.0
        if confidence >= SURE:
            times = frame_time(start), frame_time(stop)
            found.append(ClearNote(*times, note + LOW_PITCH, confidence))
    return with_parts(sorted(found, key=lambda each: (each.start, each.pitch)))


def _end(likely: Array, start: int) -> int:
    """The frame after a note's last."""
    quiet, frame = 0, start + 1
    while frame < len(likely) and quiet < GAP:
        quiet = quiet + 1 if likely[frame] < SOUNDS else 0
        frame += 1
    return frame - quiet


def with_parts(notes: Sequence[ClearNote]) -> tuple[ClearNote, ...]:
    """Notes, in the order of their beginnings, with the part of each: bass, chords or lead."""
    out = []
    for index, note in enumerate(notes):
        beside = [other.pitch for other in _beside(notes, index)]
        part = "chords"
        if note.pitch < BASS_BELOW and note.pitch <= min(beside, default=note.pitch):
            part = "bass"
        elif note.pitch >= max(beside, default=note.pitch - LEAD_ABOVE) + LEAD_ABOVE:
            part = "lead"
        out.append(replace(note, part=part))
    return tuple(out)


def _beside(notes: Sequence[ClearNote], index: int) -> list[ClearNote]:
    """The notes that sound when one begins, besides itself."""
    note, near = notes[index], []
    for other in (*notes[max(0, index - 32) : index], *notes[index + 1 : index + 8]):
        middle = note.start + 0.5 * min(0.1, note.stop - note.start)
        if other.start <= middle < other.stop and other.pitch != note.pitch:
            near.append(other)
    return near


def note_events(notes: Sequence[ClearNote]) -> NDArray[np.void]:
    """Notes as events of a score (dtype EVENT); the surer, the louder."""
    events = np.zeros(len(notes), EVENT)
    for row, note in zip(events, notes, strict=True):
        loud = SOFTEST + (LOUDEST - SOFTEST) * min(1.0, (note.confidence - SURE) / (0.9 - SURE))
        part = PARTS.index(note.part)
        row["on"], row["off"] = note.start, note.stop
        row["part"], row["pitch"], row["velocity"] = part, note.pitch, round(loud)
    return events

"""Rows of what was played: notes, hits and chroma of a transcript as a step of the arranger."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.hearing.transcript import Transcript
from models.music.score import DRUMS, INSTRUMENTS, PARTS, PITCHED, QUALITIES, chord_symbol
from models.music.voicing import part_range
from models.segue.arranger.state import Row, empty_row
from models.segue.arranger.steps import (
    ACTION,
    ACTION_TOUCH,
    HOLD,
    HOLD_HALF,
    STRIKE,
    SYMBOL,
    TOKEN,
    WIDTH,
    Setting,
    pitch_code,
)

BASS_BELOW: Final = 50.0  # MIDI pitch under which a line is a bass
CHORD_SPAN: Final = 0.5  # seconds of which a chord is heard
CHORD_FIT: Final = 0.82  # share of the chroma's length that lies in a chord that counts
DRUM_OF: Final = {"low": "kick", "mid": "snare", "high": "hat"}


def row_of(
    transcript: Transcript, place: float, length: float, setting: Setting, tonic: int, active: int
) -> Row:
    """What was played in the step that begins at `place`, as a row with its parts' bits.

    A line goes to the bass or the lead, or to the extra part where no lead plays; drum-like sounds
    to kick, snare and hat; several voices at once are a chord.
    """
    row = empty_row()
    bits = 0
    first, last = place - length / 2, place + length / 2
    for hit in transcript.hits_from(first, last):
        if hit.kind in DRUM_OF:
            drum = DRUMS.index(DRUM_OF[hit.kind])
            row[drum] = max(int(row[drum]), 3 if hit.strength > 0.6 else 2)
            bits |= 1
    begun = transcript.notes_from(first, last)
    sounding = transcript.note_at(last)
    note = begun[0] if begun else sounding
    if note is not None:
        part = _part_of_line(note.pitch, active)
        column = TOKEN[part]
        if begun:
            name = INSTRUMENTS[setting.instruments[PITCHED.index(part)]]
            row[column] = STRIKE + pitch_code(_in_range(round(note.pitch), part, name), tonic)
            row[column + 1] = 2 + (note.stop < place + 0.75 * length)
        else:
            row[column] = HOLD if note.stop > place + 0.75 * length else HOLD_HALF
        bits |= 1 << PARTS.index(part)
    symbol = _chord_of(transcript.chroma_between(place, place + CHORD_SPAN), tonic)
    if symbol is not None and note is None:
        struck = any(hit.kind == "pitched" for hit in transcript.hits_from(first, last))
        row[ACTION] = STRIKE if struck else HOLD
        row[ACTION_TOUCH] = 2
        bits |= 1 << PARTS.index("chords")
    row[SYMBOL] = 0 if symbol is None else symbol + 1
    row[WIDTH] = bits
    return row


def _part_of_line(pitch: float, active: int) -> str:
    if pitch < BASS_BELOW:
        return "bass"
    lead = active >> PARTS.index("lead") & 1
    return "lead" if lead or not active >> PARTS.index("extra") & 1 else "extra"


def _in_range(pitch: int, part: str, instrument: str) -> int:
    """The pitch, moved by octaves into the part's register."""
    low, high = (28, 55) if part == "bass" else (48, 84)
    if instrument != "none":
        low, high = part_range(part, instrument)
    while pitch < low and pitch + 12 <= high:
        pitch += 12
    while pitch > high and pitch - 12 >= low:
        pitch -= 12
    return pitch


def _chords() -> tuple[NDArray[np.float64], tuple[int, ...]]:
    rows, symbols = [], []
    for root in range(12):
        for quality in ("maj", "min"):
            row = np.zeros(12)
            row[[(root + step) % 12 for step in QUALITIES[quality]]] = 1.0
            rows.append(row / np.linalg.norm(row))
            symbols.append(chord_symbol(root, quality))
    return np.array(rows), tuple(symbols)


_TRIADS, _SYMBOLS = _chords()


def _chord_of(classes: NDArray[np.float64], tonic: int) -> int | None:
    """Symbol of the triad that a chroma (12,) is, None where it is none."""
    fits = _TRIADS @ np.roll(classes, -tonic)
    best = int(fits.argmax())
    return _SYMBOLS[best] if fits[best] >= CHORD_FIT else None

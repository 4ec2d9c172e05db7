"""Standard MIDI file of a take: tempo map, metre, key, markers, and a track per part.

Format 1 of the Standard MIDI Files specification (MIDI Manufacturers Association, 1996). The file
begins where the take does, so that both lie on the same line in a DAW.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import mido
import numpy as np
from mido.midifiles.meta import meta_charset

from app.files import whole_file
from app.recording.take.grid import Grid
from app.recording.take.score import TakeScore
from models.music.general_midi import DRUM_CHANNEL
from models.music.score import NOTE_NAMES, PARTS, parse_key

TICKS: Final = 960
"""Ticks of a beat."""
CHANNELS: Final = {"drums": DRUM_CHANNEL, "bass": 0, "chords": 1, "lead": 2, "extra": 3}
"""Channel of each part, counted from 0."""
_MAJOR: Final = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR: Final = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")
_RELATIVE: Final = {
    "major": (0, _MAJOR), "pentatonic_major": (0, _MAJOR), "lydian": (7, _MAJOR),
    "mixolydian": (5, _MAJOR), "minor": (0, _MINOR), "pentatonic_minor": (0, _MINOR),
    "harmonic_minor": (0, _MINOR), "dorian": (7, _MINOR), "phrygian": (5, _MINOR),
    "phrygian_dominant": (5, _MINOR),
}  # fmt: skip

Timed = list[tuple[int, int, bytes]]
"""Messages at ticks; of those at one tick, the lowest order comes first."""


def key_signature(key: str) -> str:
    """Key signature for a key such as 'F# dorian': the major or minor key with its accidentals."""
    tonic, mode = parse_key(key)
    shift, names = _RELATIVE[mode]
    return names[(tonic + shift) % len(NOTE_NAMES)]


def write_midi(path: Path, score: TakeScore) -> None:
    """Write a take's score, whole or not at all.

    Raises:
        SegueError: where it cannot be written.

    """
    data = midi_bytes(score)
    with whole_file(path) as part:
        part.write_bytes(data)


def midi_bytes(score: TakeScore) -> bytes:
    """A take's score as the bytes of a MIDI file.

    A take is written again and again while it is recorded, and an hour has a hundred thousand
    notes: notes are encoded here, everything else by mido.
    """
    end = _tick(score.grid, score.frames)
    with meta_charset("utf-8"):
        tracks = [_track(_conductor(score), end)]
        tracks += [_track(_part(score, part), end) for part in score.parts(PARTS)]
    return b"MThd" + struct.pack(">LHHH", 6, 1, len(tracks), TICKS) + b"".join(tracks)


def _tick(grid: Grid, frame: int) -> int:
    return max(0, round(TICKS * grid.beat_at(frame)))


def _meta(kind: str, **values: object) -> bytes:
    return bytes(mido.MetaMessage(kind, **values).bytes())


def _conductor(score: TakeScore) -> Timed:
    grid = score.grid
    timed: Timed = [(0, 0, _meta("track_name", name="Segue"))]
    for beat, beats in grid.metres:
        metre = _meta("time_signature", numerator=beats, denominator=4)
        timed.append((TICKS * beat, 1, metre))
    for tempo in grid.tempos:
        timed.append((TICKS * tempo.beat, 2, _meta("set_tempo", tempo=tempo.microseconds)))
    for key in score.keys:
        at = _tick(grid, key.frame)
        timed.append((at, 3, _meta("key_signature", key=key_signature(key.text))))
        timed.append((at, 4, _meta("text", text=f"key: {key.text}")))
    for marker in score.markers:
        timed.append((_tick(grid, marker.frame), 5, _meta("marker", text=marker.text)))
    return timed


def _part(score: TakeScore, part: str) -> Timed:
    grid, channel = score.grid, CHANNELS[part]
    timed: Timed = [(0, 0, _meta("track_name", name=part.capitalize()))]
    for entry in score.instruments:
        if entry.part == part:
            at = _tick(grid, entry.frame)
            timed.append((at, 1, _meta("instrument_name", name=entry.name.replace("_", " "))))
            timed.append((at, 2, bytes((0xC0 | channel, entry.program))))
    notes = [note for note in score.notes if note.part == part]
    begins, ends = (
        _ticks(grid, [getattr(note, side) for note in notes]) for side in ("start", "stop")
    )
    on, off = 0x90 | channel, 0x80 | channel
    for note, begin, end in zip(notes, begins, ends, strict=True):
        timed.append((begin, 4, bytes((on, note.pitch, note.velocity))))
        timed.append((max(end, begin + 1), 3, bytes((off, note.pitch, 64))))
    return timed


def _ticks(grid: Grid, frames: list[int]) -> list[int]:
    beats = grid.beats_at(np.array(frames, np.float64))
    ticks: list[int] = np.maximum(0, np.rint(TICKS * beats)).astype(np.int64).tolist()
    return ticks


def _track(timed: Timed, end: int) -> bytes:
    """A track of messages, sorted, with the time since the one before in front of each."""
    before = 0
    pieces: list[bytes] = []
    for tick, _, message in sorted(timed, key=lambda entry: entry[:2]):
        pieces += (_length(tick - before), message)
        before = tick
    pieces += (_length(max(0, end - before)), _meta("end_of_track"))
    data = b"".join(pieces)
    return b"MTrk" + struct.pack(">L", len(data)) + data


def _length(number: int) -> bytes:
    """A number of variable length: seven bits a byte, the highest first."""
    if number < 0x80:
        return bytes((number,))
    rest = [number & 0x7F]
    while number := number >> 7:
        rest.append(number & 0x7F | 0x80)
    return bytes(reversed(rest))

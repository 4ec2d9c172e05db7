"""Standard MIDI file of a take: tempo map, metre, key, markers, and a track per part.

Format 1 of the Standard MIDI Files specification (MIDI Manufacturers Association, 1996). The file
begins where the take does, so that both lie on the same line in a DAW.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final, NamedTuple

import mido
import numpy as np
from mido.midifiles.meta import meta_charset
from numpy.typing import NDArray

from app.files import whole_file
from app.recording.take.grid import Grid
from app.recording.take.notes import Integers
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


class NoteEvents(NamedTuple):
    """Beginnings and ends of notes: ticks (n,), orders as in `Timed` (n,), messages (n, 3)."""

    ticks: Integers
    orders: Integers
    messages: NDArray[np.uint8]

    @classmethod
    def none(cls) -> NoteEvents:
        nothing = np.zeros(0, np.int64)
        return cls(nothing, nothing, np.zeros((0, 3), np.uint8))


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
    notes: those are encoded here by array operations, everything else by mido.
    """
    end = _tick(score.grid, score.frames)
    with meta_charset("utf-8"):
        tracks = [_track(_conductor(score), NoteEvents.none(), end)]
        for part in score.parts(PARTS):
            tracks.append(_track(_part(score, part), _note_events(score, part), end))
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
    """The messages of a part's track other than its notes."""
    grid, channel = score.grid, CHANNELS[part]
    timed: Timed = [(0, 0, _meta("track_name", name=part.capitalize()))]
    for entry in score.instruments:
        if entry.part == part:
            at = _tick(grid, entry.frame)
            timed.append((at, 1, _meta("instrument_name", name=entry.name.replace("_", " "))))
            timed.append((at, 2, bytes((0xC0 | channel, entry.program))))
    return timed


def _note_events(score: TakeScore, part: str) -> NoteEvents:
    """Beginnings and ends of a part's notes, in the order of its notes."""
    start, stop, pitch, velocity = score.notes.of_part(part)
    begin = _ticks(score.grid, start)
    end = np.maximum(_ticks(score.grid, stop), begin + 1)
    messages = np.empty((2, len(start), 3), np.uint8)
    messages[0, :, 0], messages[1, :, 0] = 0x90 | CHANNELS[part], 0x80 | CHANNELS[part]
    messages[:, :, 1], messages[0, :, 2], messages[1, :, 2] = pitch, velocity, 64
    return NoteEvents(
        np.concatenate([begin, end]), np.repeat([4, 3], len(start)), messages.reshape(-1, 3)
    )


def _ticks(grid: Grid, frames: Integers) -> Integers:
    beats = grid.beats_at(frames.astype(np.float64))
    ticks: Integers = np.maximum(0, np.rint(TICKS * beats)).astype(np.int64)
    return ticks


def _track(timed: Timed, notes: NoteEvents, end: int) -> bytes:
    """A track of messages, sorted, with the time since the one before in front of each."""
    timed = [*sorted(timed, key=lambda entry: entry[:2]), (end, 9, _meta("end_of_track"))]
    ticks = np.concatenate([notes.ticks, [tick for tick, _, _ in timed]]).astype(np.int64)
    orders = np.concatenate([notes.orders, [order for _, order, _ in timed]])
    # The end of a track is its last message, and nothing lies behind it.
    last = len(ticks) - 1
    order = np.lexsort((orders, ticks))
    order = np.append(order[order != last], last)
    waits = np.maximum(0, np.diff(ticks[order], prepend=0))
    heads = np.ones_like(waits)
    for bits in (7, 14, 21):
        heads += waits >= 1 << bits
    sizes = np.concatenate(
        [np.full(len(notes.ticks), 3), [len(message) for _, _, message in timed]]
    )[order]
    starts = np.cumsum(heads + sizes) - heads - sizes
    data = np.zeros(int((heads + sizes).sum()), np.uint8)
    for place in range(4):  # a number of variable length: seven bits a byte, the highest first
        has = heads > place
        rest = heads[has] - 1 - place
        digits = waits[has] >> 7 * rest & 0x7F
        data[starts[has] + place] = np.where(rest > 0, digits | 0x80, digits)
    bodies = starts + heads
    is_note = order < len(notes.ticks)
    for place in range(3):
        data[bodies[is_note] + place] = notes.messages[order[is_note], place]
    for at, index in zip(bodies[~is_note].tolist(), order[~is_note].tolist(), strict=True):
        message = timed[index - len(notes.ticks)][2]
        data[at : at + len(message)] = np.frombuffer(message, np.uint8)
    return b"MTrk" + struct.pack(">L", len(data)) + data.tobytes()

"""Standard MIDI file of a take: tempo map, metre, key, markers, and a track per part.

Format 1 of the Standard MIDI Files specification (MIDI Manufacturers Association, 1996). The file
begins where the take does, so that both lie on the same line in a DAW.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import mido

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

Timed = list[tuple[int, int, mido.Message | mido.MetaMessage]]
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
    file = midi_file(score)
    with whole_file(path) as part:
        file.save(part)


def midi_file(score: TakeScore) -> mido.MidiFile:
    """A take's score as a MIDI file."""
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS, charset="utf-8")
    end = _tick(score.grid, score.frames)
    file.tracks.append(_track(_conductor(score), end))
    for part in score.parts(PARTS):
        file.tracks.append(_track(_part(score, part), end))
    return file


def _tick(grid: Grid, frame: int) -> int:
    return max(0, round(TICKS * grid.beat_at(frame)))


def _conductor(score: TakeScore) -> Timed:
    grid, meta = score.grid, mido.MetaMessage
    timed: Timed = [(0, 0, meta("track_name", name="Segue"))]
    for beat, beats in grid.metres:
        timed.append((TICKS * beat, 1, meta("time_signature", numerator=beats, denominator=4)))
    for tempo in grid.tempos:
        timed.append((TICKS * tempo.beat, 2, meta("set_tempo", tempo=tempo.microseconds)))
    for key in score.keys:
        at = _tick(grid, key.frame)
        timed.append((at, 3, meta("key_signature", key=key_signature(key.text))))
        timed.append((at, 4, meta("text", text=f"key: {key.text}")))
    for marker in score.markers:
        timed.append((_tick(grid, marker.frame), 5, meta("marker", text=marker.text)))
    return timed


def _part(score: TakeScore, part: str) -> Timed:
    grid, channel = score.grid, CHANNELS[part]
    timed: Timed = [(0, 0, mido.MetaMessage("track_name", name=part.capitalize()))]
    for entry in score.instruments:
        if entry.part == part:
            at = _tick(grid, entry.frame)
            name = entry.name.replace("_", " ")
            timed.append((at, 1, mido.MetaMessage("instrument_name", name=name)))
            program = mido.Message("program_change", channel=channel, program=entry.program)
            timed.append((at, 2, program))
    for note in score.notes:
        if note.part != part:
            continue
        begin = _tick(grid, note.start)
        end = max(_tick(grid, note.stop), begin + 1)
        on = mido.Message("note_on", channel=channel, note=note.pitch, velocity=note.velocity)
        timed.append((begin, 4, on))
        timed.append((end, 3, mido.Message("note_off", channel=channel, note=note.pitch)))
    return timed


def _track(timed: Timed, end: int) -> mido.MidiTrack:
    track, before = mido.MidiTrack(), 0
    for tick, _, message in sorted(timed, key=lambda entry: entry[:2]):
        track.append(message.copy(time=tick - before))
        before = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - before)))
    return track

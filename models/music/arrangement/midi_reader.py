"""Standard MIDI files as they are found, read as players read them.

Format: "Standard MIDI Files 1.0" (MIDI Manufacturers Association, 1996). mido, which writes ours,
refuses a file for one bad key signature or length; here each chunk is read as far as it goes, and
what makes no sense is left out. Time and memory are bounded.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from models.errors import SegueError

MAX_BYTES: Final = 16_000_000
MAX_EVENTS: Final = 200_000
MAX_NOTES: Final = 60_000
MAX_TRACKS: Final = 4096
TEMPO: Final = 500_000  # microseconds a beat where none is set: 120
LONGEST_BEATS: Final = 100_000.0
"""Beats after which nothing more is read: fourteen hours at 120."""
DRUM_CHANNEL: Final = 9
SHORTEST: Final = 1 / 32  # beats of a note of no length
_CHANNEL_BYTES: Final = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


@dataclass(frozen=True)
class MidiNote:
    """A note: beats from the start, length in beats, MIDI pitch, velocity 1..127."""

    beat: float
    length: float
    pitch: int
    velocity: int


@dataclass
class MidiVoice:
    """Notes of one channel of one track. program: 0..127 of General MIDI."""

    name: str
    channel: int
    program: int = 0
    notes: list[MidiNote] = field(default_factory=list)

    @property
    def drums(self) -> bool:
        """Whether it is on the drum channel."""
        return self.channel == DRUM_CHANNEL


@dataclass(frozen=True)
class MidiFile:
    """Contents of a file.

    Attributes:
        voices: those that have notes, in the order of the file.
        bpm: the tempo that holds for most beats.
        beats_per_bar: the metre at the first note, in quarter notes, 0 where none is set.
        remarks: what must be said, clauses without a full stop.

    """

    voices: tuple[MidiVoice, ...]
    bpm: float
    beats_per_bar: float
    remarks: tuple[str, ...] = ()


def read_midi(path: Path) -> MidiFile:
    """A MIDI file.

    Args:
        path: of the file, also one in a RIFF (RMID).

    Raises:
        SegueError: it is none, or has no notes.

    """
    try:
        if not path.is_file():
            raise SegueError(f"there is no file {path}: check the name of the MIDI file.")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SegueError(f"{path} cannot be read ({error.strerror}): check the file.") from None
    if len(data) > MAX_BYTES:
        raise SegueError(f"{path.name} is too long for a MIDI file: give a shorter one.")
    start = data.find(b"MThd", 0, 4096)
    if start < 0 or len(data) < start + 14:
        raise SegueError(f"{path.name} is no MIDI file: give a .mid file.")
    size, kind, _, division = struct.unpack(">IHHH", data[start + 4 : start + 14])
    clock = _Clock(division)
    tracks, remarks = _chunks(data, start + 8 + min(max(size, 6), 64))
    reading = _Reading(clock)
    first_tick = 0
    for body in tracks:
        end = _Track(body, reading, first_tick).read()
        if kind == 2:  # songs of their own, one behind the other
            first_tick = end
    voices = tuple(v for v in reading.voices.values() if v.notes)
    if not voices:
        raise SegueError(f"{path.name} has no notes: give a MIDI file with notes.")
    for voice in voices:
        voice.notes.sort(key=lambda note: (note.beat, note.pitch))
    remarks += reading.remarks
    first = min(voice.notes[0].beat for voice in voices)
    return MidiFile(
        voices,
        _main_tempo(reading.tempi, voices) if clock.ticks_per_beat else 120.0,
        _metre_at(reading.metres, first),
        tuple(dict.fromkeys(remarks)),
    )


def _chunks(data: bytes, at: int) -> tuple[list[bytes], list[str]]:
    """Bodies of the track chunks; one whose length is wrong ends where the next begins."""
    tracks: list[bytes] = []
    remarks: list[str] = []
    while at + 8 <= len(data) and len(tracks) < MAX_TRACKS:
        name, size = data[at : at + 4], struct.unpack(">I", data[at + 4 : at + 8])[0]
        body = data[at + 8 : at + 8 + size]
        end = at + 8 + size
        if name != b"MTrk" and not (name.isalnum() and end <= len(data)):
            # Not where a chunk should be: the last length was wrong.
            at = data.find(b"MTrk", at)
            if at < 0:
                break
            continue
        whole = end == len(data) or data[end : end + 4].isalnum() or data[end : end + 1] == b"\0"
        if name == b"MTrk" and (end > len(data) or not whole):
            following = data.find(b"MTrk", at + 8)
            end = len(data) if following < 0 else following
            body = data[at + 8 : end]
            remarks.append("some of its lengths are wrong, so it is read as far as it goes")
        if name == b"MTrk":
            tracks.append(body)
        at = end
    if len(tracks) == MAX_TRACKS:
        remarks.append(f"only its first {MAX_TRACKS} tracks are read")
    return tracks, remarks


class _Clock:
    """Beats of ticks."""

    def __init__(self, division: int) -> None:
        self.ticks_per_beat = division if 0 < division < 0x8000 else 0
        frames, ticks = 256 - (division >> 8), max(1, division & 0xFF)
        if self.ticks_per_beat:
            self._beats = 1.0 / division
        elif division >= 0x8000:  # SMPTE: seconds, which are two beats each
            self._beats = 2.0 / ({29: 29.97}.get(frames, float(max(1, frames))) * ticks)
        else:
            self._beats = 1.0 / 96

    def beats(self, ticks: int) -> float:
        return ticks * self._beats


class _Reading:
    """What the tracks of a file add up to."""

    def __init__(self, clock: _Clock) -> None:
        self.clock = clock
        self.voices: dict[tuple[int, int], MidiVoice] = {}
        self.tempi: list[tuple[float, float]] = []
        self.metres: list[tuple[float, float]] = []
        self.remarks: list[str] = []
        self.events = 0
        self.notes = 0
        self.tracks = 0

    def full(self) -> bool:
        """Whether nothing more is read."""
        if self.events >= MAX_EVENTS or self.notes >= MAX_NOTES:
            self.remarks.append("it is very long, so only its beginning is read")
            return True
        return False


class _Track:
    """Reader of one track."""

    def __init__(self, body: bytes, reading: _Reading, first: int) -> None:
        self.body, self.reading = body, reading
        self.at, self.tick, self.last = 0, first, first
        self.number = reading.tracks
        reading.tracks += 1
        self.name = ""
        self.programs: dict[int, int] = {}
        self.on: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def read(self) -> int:
        """Read it as far as it goes; returns the tick at which it ends."""
        status = 0
        try:
            while self.at < len(self.body) and not self.reading.full():
                self.reading.events += 1
                self.tick += self._number()
                if self.reading.clock.beats(self.tick) > LONGEST_BEATS:
                    self.reading.remarks.append("it is very long, so only its beginning is read")
                    break
                while not status and not self.body[self.at] & 0x80:
                    self.at += 1  # data without a status
                byte = self.body[self.at]
                if byte & 0x80:
                    status, self.at = byte, self.at + 1
                if status == 0xFF:
                    if self._meta():
                        break
                    status = 0
                elif status in (0xF0, 0xF7):
                    self.at += self._number()
                    status = 0
                elif status >= 0xF0:
                    status = 0  # what belongs on a cable only
                else:
                    self._channel(status)
        except IndexError:
            self.reading.remarks.append("it is cut short, so it is read as far as it goes")
        for (channel, pitch), begun in self.on.items():
            for start, velocity in begun:
                # One that never ends sounds as long as the track, a bar at the most.
                self._add(channel, pitch, start, min(self.last, start + self._bar()), velocity)
        return self.last

    def _bar(self) -> int:
        return round(4 / self.reading.clock.beats(1))

    def _number(self) -> int:
        value = 0
        for _ in range(4):
            byte = self.body[self.at]
            self.at += 1
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                break
        return value

    def _meta(self) -> bool:
        """Read a meta event; whether it ends the track."""
        kind = self.body[self.at]
        self.at += 1
        size = self._number()
        data = self.body[self.at : self.at + size]
        self.at += size
        beat = self.reading.clock.beats(self.tick)
        if kind == 0x2F:
            return True
        if kind == 0x03 and not self.name:
            self.name = text_of(data)
            for (track, _), voice in self.reading.voices.items():
                if track == self.number:
                    voice.name = self.name
        elif kind == 0x51 and len(data) >= 3 and any(data[:3]):
            microseconds = int.from_bytes(data[:3], "big")
            self.reading.tempi.append((beat, 60e6 / microseconds))
        elif kind == 0x58 and len(data) >= 2 and data[0] and data[1] < 8:
            self.reading.metres.append((beat, data[0] * 4.0 / (1 << data[1])))
        return False

    def _channel(self, status: int) -> None:
        kind, channel = status >> 4, status & 0xF
        data = self.body[self.at : self.at + _CHANNEL_BYTES[kind]]
        if len(data) < _CHANNEL_BYTES[kind]:
            raise IndexError
        self.at += len(data)
        first = data[0] & 0x7F
        if kind == 0xC:
            self.programs[channel] = first
        elif kind == 0x9 and data[1] & 0x7F:
            self.on.setdefault((channel, first), []).append((self.tick, data[1] & 0x7F))
            self.last = max(self.last, self.tick)
        elif kind in (0x8, 0x9):
            begun = self.on.get((channel, first))
            if begun:
                start, velocity = begun.pop(0)
                self._add(channel, first, start, self.tick, velocity)

    def _add(self, channel: int, pitch: int, start: int, end: int, velocity: int) -> None:
        reading = self.reading
        self.last = max(self.last, end)
        key = (self.number, channel)
        voice = reading.voices.get(key)
        if voice is None:
            voice = reading.voices[key] = MidiVoice(self.name, channel)
        voice.program = self.programs.get(channel, voice.program)
        begin = reading.clock.beats(start)
        length = max(reading.clock.beats(end) - begin, SHORTEST)
        voice.notes.append(MidiNote(begin, length, pitch, velocity))
        reading.notes += 1


def text_of(data: bytes) -> str:
    """A name in whatever encoding it was written: UTF-8, Shift-JIS or Latin-1."""
    data = data[:200].split(b"\0")[0]
    for encoding in ("utf-8", "shift_jis", "latin-1"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "shift_jis" and not any(ord(c) >= 0x3040 for c in text):
            continue  # half-width letters: it was Latin-1
        return "".join(c for c in text if c.isprintable()).strip()
    return ""


def _main_tempo(tempi: list[tuple[float, float]], voices: tuple[MidiVoice, ...]) -> float:
    """The tempo that holds longest while notes sound."""
    end = max(note.beat + note.length for voice in voices for note in voice.notes)
    changes = sorted([(0.0, 60e6 / TEMPO), *tempi], key=lambda change: change[0])
    held: dict[float, float] = {}
    for index, (beat, bpm) in enumerate(changes):
        until = changes[index + 1][0] if index + 1 < len(changes) else end
        held[bpm] = held.get(bpm, 0.0) + max(0.0, min(until, end) - beat)
    best = max(held, key=lambda bpm: held[bpm])
    while best > 300.0:
        best /= 2
    while best < 30.0:
        best *= 2
    return float(best)


def _metre_at(metres: list[tuple[float, float]], beat: float) -> float:
    """Quarter notes in a bar where the music begins; 0 where nothing says it."""
    before = [length for at, length in sorted(metres) if at <= beat + 1e-6]
    found = before[-1] if before else (min(metres)[1] if metres else 0.0)
    return found if 0.5 <= found <= 32.0 else 0.0

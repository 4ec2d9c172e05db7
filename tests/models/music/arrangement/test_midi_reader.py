"""MIDI files in the wild: each plays, or gives one clear sentence. A table."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path

import mido
import pytest

from models.errors import SegueError
from models.music.arrangement.arrangement import ROLES, read_arrangement
from models.music.arrangement.midi_reader import MidiFile, read_midi, text_of

NOTE = b"\x00\x90\x3c\x64\x60\x80\x3c\x00"
"""A quarter note C4 at 96 ticks a beat."""
END = b"\x00\xff\x2f\x00"


def header(kind: int = 0, tracks: int = 1, division: int = 96, size: int = 6) -> bytes:
    return b"MThd" + struct.pack(">IHHH", size, kind, tracks, division & 0xFFFF)


def track(body: bytes, size: int | None = None) -> bytes:
    return b"MTrk" + struct.pack(">I", len(body) if size is None else size) + body


def meta(kind: int, data: bytes) -> bytes:
    return b"\x00\xff" + bytes([kind, len(data)]) + data


def plain(body: bytes, **more: int) -> bytes:
    return header(**more) + track(body)


def beat(file: MidiFile) -> list[float]:
    return [note.beat for voice in file.voices for note in voice.notes]


Check = Callable[[MidiFile], bool]
ONE: Check = lambda f: [len(v.notes) for v in f.voices] == [1]  # noqa: E731
LONG = b"\xff\xff\xff\x7f"

PLAYS: list[tuple[str, bytes, Check]] = [
    ("format 0", plain(NOTE + END), ONE),
    ("format 1", header(1, 2) + track(meta(3, b"T") + END) + track(NOTE + END), ONE),
    (
        "format 2: songs one behind the other",
        header(2, 2) + track(NOTE + END) + track(NOTE + END),
        lambda f: beat(f) == [0.0, 1.0],
    ),
    (
        "running status",
        plain(b"\x00\x90\x3c\x64\x30\x3c\x00\x00\x3e\x64\x30\x3e\x00" + END),
        lambda f: [n.pitch for v in f.voices for n in v.notes] == [60, 62],
    ),
    ("no tempo", plain(NOTE + END), lambda f: f.bpm == 120.0),
    (
        "tempo changes",
        plain(meta(0x51, b"\x07\xa1\x20") + NOTE + meta(0x51, b"\x09\x27\xc0") + NOTE * 9 + END),
        lambda f: f.bpm == 100.0,
    ),
    ("a tempo of zero", plain(meta(0x51, b"\0\0\0") + NOTE + END), lambda f: f.bpm == 120.0),
    (
        "SMPTE division: 25 frames of 40 ticks",
        plain(b"\x00\x90\x3c\x64\x87\x68\x80\x3c\x00" + END, division=(256 - 25) << 8 | 40),
        lambda f: f.voices[0].notes[0].length == 2.0 and f.bpm == 120.0,
    ),
    ("a division of zero", plain(NOTE + END, division=0), ONE),
    ("no end of track", plain(NOTE), ONE),
    (
        "a note without length",
        plain(b"\x00\x90\x3c\x64\x00\x80\x3c\x00" + END),
        lambda f: f.voices[0].notes[0].length > 0.0,
    ),
    (
        "the same note twice at once",
        plain(b"\0\x90\x3c\x64\x30\x90\x3c\x50\x30\x80\x3c\x00\x30\x80\x3c\x00" + END),
        lambda f: [(n.beat, n.length) for n in f.voices[0].notes] == [(0.0, 1.0), (0.5, 1.0)],
    ),
    (
        "a note that never ends",
        plain(b"\x00\x90\x3c\x64" + NOTE.replace(b"\x3c", b"\x40") + END),
        lambda f: [n.length for n in f.voices[0].notes] == [1.0, 1.0],
    ),
    (
        "drums only",
        plain(b"\x00\x99\x24\x64\x30\x89\x24\x00" + END),
        lambda f: f.voices[0].drums,
    ),
    (
        "a thousand tracks",
        header(1, 1000) + track(NOTE + END) * 1000,
        lambda f: len(f.voices) == 1000,
    ),
    (
        "a huge delta",
        plain(NOTE + LONG + b"\x90\x3c\x64\x60\x80\x3c\x00" + END),
        lambda f: beat(f) == [0.0] and "only its beginning" in f.remarks[0],
    ),
    ("system exclusive", plain(b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7" + NOTE + END), ONE),
    ("real-time bytes in a track", plain(b"\x00\xf8" + NOTE + END), ONE),
    (
        "a truncated chunk",
        plain(NOTE * 3 + END)[:-9],
        lambda f: len(f.voices[0].notes) == 2 and "lengths are wrong" in f.remarks[0],
    ),
    ("a length that is too long", header() + track(NOTE + END, 9999), ONE),
    (
        "a length that is too short",
        header(1, 2) + track(NOTE * 2 + END, 9) + track(NOTE + END),
        lambda f: [len(v.notes) for v in f.voices] == [2, 1],
    ),
    ("a header that is longer", header(size=8) + b"\0\0" + track(NOTE + END), ONE),
    ("an unknown chunk between", header() + b"XFIH\0\0\0\2ab" + track(NOTE + END), ONE),
    (
        "in a RIFF (RMID)",
        b"RIFF" + struct.pack("<I", 99) + b"RMIDdata" + struct.pack("<I", 9) + plain(NOTE + END),
        ONE,
    ),
    ("behind a MacBinary header", b"\0" * 128 + plain(NOTE + END), ONE),
    ("a key that there is not", plain(meta(0x59, b"\x12\x07") + NOTE + END), ONE),
    (
        "seven eighths",
        plain(meta(0x58, b"\x07\x03\x18\x08") + NOTE + END),
        lambda f: f.beats_per_bar == 3.5,
    ),
    (
        "a metre of nothing",
        plain(meta(0x58, b"\0\x40\0\0") + NOTE + END),
        lambda f: f.beats_per_bar == 0.0,
    ),
    ("no beats a bar", plain(NOTE + END), lambda f: f.beats_per_bar == 0.0),
    (
        "a name in Latin-1",
        plain(meta(3, "Caf\xe9".encode("latin-1")) + NOTE + END),
        lambda f: f.voices[0].name == "Café",
    ),
    (
        "a name in Shift-JIS",
        plain(meta(3, "ピアノ".encode("shift_jis")) + NOTE + END),
        lambda f: f.voices[0].name == "ピアノ",
    ),
    ("data without a status", plain(b"\x00\x3c\x64" + NOTE + END), ONE),
    ("a name behind the notes", plain(NOTE + meta(3, b"Bass") + END),
     lambda f: f.voices[0].name == "Bass"),
    ("notes of velocity zero end", plain(b"\0\x90\x3c\x64\x60\x90\x3c\0" + END),
     lambda f: f.voices[0].notes[0].length == 1.0),
]  # fmt: skip

SENTENCES: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "no MIDI file"),
    ("text", b"hello" * 50, "no MIDI file"),
    ("a header only", header(), "no notes"),
    ("no notes", plain(meta(3, b"Title") + END), "no notes"),
    ("a cut header", header()[:10], "no MIDI file"),
    ("tracks without anything", header(1, 3) + track(b"") * 3, "no notes"),
    ("zeros", header() + track(bytes(500)), "no notes"),
    ("too long", b"MThd" + bytes(16_000_001), "too long"),
]


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "x.mid"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("name", "data", "check"), PLAYS, ids=[row[0] for row in PLAYS])
def test_it_plays(name: str, data: bytes, check: Check, tmp_path: Path) -> None:
    path = written(tmp_path, data)
    assert check(read_midi(path)), read_midi(path)
    arrangement = read_arrangement(path)
    assert arrangement.beats >= 1.0
    assert any(_played(arrangement.sketches(role)) for role in ROLES if _fits(arrangement, role))


def _fits(arrangement: object, role: str) -> bool:
    try:
        arrangement.sketches(role)  # type: ignore[attr-defined]
    except SegueError as error:
        assert str(error).endswith(".")
        return False
    return True


def _played(sketches: object) -> bool:
    return any(s.notes or s.hits or s.chords for s in sketches)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "data", "words"), SENTENCES, ids=[row[0] for row in SENTENCES])
def test_it_gives_a_sentence(name: str, data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(SegueError, match=words) as caught:
        read_midi(written(tmp_path, data))
    assert str(caught.value).endswith(".")


def test_an_hour(tmp_path: Path) -> None:
    """Its first bars are taken, and it is said; reading takes no longer than it must."""
    body = b"".join(b"\x00\x90" + bytes([40 + i % 40, 100]) + b"\x30\x80" + bytes([40 + i % 40, 0])
                    for i in range(14_400)) + END  # fmt: skip
    arrangement = read_arrangement(written(tmp_path, plain(body)))
    assert arrangement.beats == 256.0
    assert any("first 64 bars of 1800" in remark for remark in arrangement.remarks)


def test_what_goes_on_without_end_is_bounded(tmp_path: Path) -> None:
    began = time.process_time()
    file = read_midi(written(tmp_path, plain(b"\0\x90\x3c\x64" * 400_000)))
    assert "only its beginning" in " ".join(file.remarks)
    assert time.process_time() - began < 60.0


def test_every_byte_may_be_wrong(tmp_path: Path) -> None:
    """A file with one byte changed is read, or is one sentence; nothing else is raised."""
    data = header(1, 2) + track(meta(0x51, b"\x07\xa1\x20") + NOTE + END) + track(NOTE * 2 + END)
    for at in range(len(data)):
        for value in (0x00, 0x7F, 0x80, 0xFF):
            path = written(tmp_path, data[:at] + bytes([value]) + data[at + 1 :])
            try:
                read_arrangement(path)
            except SegueError as error:
                assert str(error).endswith(".")


def test_it_agrees_with_mido(tmp_path: Path) -> None:
    """On a file that mido writes, notes and times are those that mido reads."""
    file = mido.MidiFile(ticks_per_beat=480)
    for channel in (0, 9):
        part = mido.MidiTrack()
        file.tracks.append(part)
        for i in range(20):
            pitch = 40 + 7 * i % 30
            part.append(
                mido.Message("note_on", channel=channel, note=pitch, velocity=9, time=60 * i)
            )
            part.append(mido.Message("note_off", channel=channel, note=pitch, time=100))
    buffer = io.BytesIO()
    file.save(file=buffer)
    ours = read_midi(written(tmp_path, buffer.getvalue()))
    for voice, part in zip(ours.voices, file.tracks, strict=True):
        tick, expected = 0, []
        for message in part:
            tick += message.time
            if message.type == "note_on":
                expected.append((tick / 480, message.note))
        assert [(note.beat, note.pitch) for note in voice.notes] == expected


def test_texts() -> None:
    assert text_of(b"Gr\xfc\xdfe\0rest") == "Grüße" and text_of(b"\x07\n") == ""

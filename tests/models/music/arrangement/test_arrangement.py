"""What a MIDI file is to the arranger: parts, harmony, example."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.engine.controls import Controls
from models.errors import SegueError
from models.music.arrangement.arrangement import assigned, read_arrangement
from models.music.arrangement.chords import chords_of
from models.music.arrangement.midi_reader import MidiNote, MidiVoice
from models.music.hearing.sketch import read_sketch
from tests.support.midi_files import CHORDS, write_tune


def chord(beat: float, pitches: tuple[int, ...], length: float = 4.0) -> list[MidiNote]:
    return [MidiNote(beat, length, pitch, 90) for pitch in pitches]


@pytest.mark.parametrize(
    ("pitches", "root", "quality"),
    [
        ((48, 52, 55), 0, "maj"), ((57, 60, 64), 9, "min"), ((43, 59, 62, 65), 7, "7"),
        ((50, 53, 57, 60), 2, "min7"), ((41, 57, 60, 64), 5, "maj7"), ((47, 50, 53), 11, "dim"),
        ((52, 59), 4, "5"), ((55, 60, 62), 7, "sus"), ((64, 67, 72), 0, "maj"),
        ((48, 55, 60, 64, 67, 72), 0, "maj"),
    ],
)  # fmt: skip
def test_a_chord_is_found(pitches: tuple[int, ...], root: int, quality: str) -> None:
    assert chords_of(chord(0.0, pitches), 4, 4.0) == [(0.0, root, quality)]


def test_a_course_of_chords_under_a_tune() -> None:
    """Passing notes change no chord, and a bar without notes keeps the one before."""
    notes = [n for bar, pitches in enumerate(CHORDS) for n in chord(4.0 * bar, pitches)]
    notes += [MidiNote(0.5 * i, 0.5, 72 + (0, 2, 4, 5, 7, 5, 4, 2)[i % 8], 80) for i in range(32)]
    notes.sort(key=lambda note: note.beat)
    found = chords_of(notes, 20, 4.0)
    assert [(beat, root) for beat, root, _ in found] == [(0, 9), (4, 5), (8, 0), (12, 7)]
    assert [q[:3] for _, _, q in found] == ["min", "maj", "maj", "maj"] or found[3][2] in ("7", "9")
    assert chords_of([], 8, 4.0) == []


def test_voices_find_their_parts(tmp_path: Path) -> None:
    arrangement = read_arrangement(write_tune(tmp_path / "tune.mid"))
    names = {part: voice.name for part, voice in arrangement.voices.items()}
    assert names == {"drums": "Drums", "bass": "Track 1", "chords": "Track 2", "lead": "Melody"}
    assert (arrangement.key, arrangement.bpm, arrangement.beats) == ("C major", 100.0, 32.0)
    (harmony,) = arrangement.sketches("harmony")
    assert [c.root for c in harmony.chords[:4]] == [9, 5, 0, 7]
    (bass,) = arrangement.sketches("bass")
    assert len(bass.notes) == 64 and bass.key == "C major" and not bass.in_key
    assert {s.part for s in arrangement.sketches("all")} == {"drums", "bass", "chords", "lead"}
    (example,) = arrangement.sketches("example")
    assert {n.part for n in example.notes} == {"bass", "chords", "lead"} and example.hits
    assert not example.loop
    # A part that the file has not plays what is most like it.
    assert arrangement.sketches("extra")[0].notes


def test_what_a_file_has_not_is_a_sentence(tmp_path: Path) -> None:
    drums = read_arrangement(write_tune(tmp_path / "d.mid", only="Drums"))
    for role in ("lead", "harmony", "chords"):
        with pytest.raises(SegueError, match="drums only"):
            drums.sketches(role)
    assert drums.sketches("drums")[0].hits and drums.sketches("all")
    lead = read_arrangement(write_tune(tmp_path / "l.mid", only="Melody"))
    with pytest.raises(SegueError, match="no drums"):
        lead.sketches("drums")
    assert lead.sketches("bass")[0].notes


def test_a_line_is_the_outer_voice() -> None:
    voices = [MidiVoice("", 0, 0, [MidiNote(0.0, 1.0, p, 80) for p in (48, 60, 67)])]
    assert list(assigned(voices)) == ["chords"]
    low = MidiVoice("Bass", 1, 33, [MidiNote(0.0, 1.0, 40, 80)])
    assert set(assigned([*voices, low])) == {"bass", "chords"}


def test_arrangements_travel_as_json(tmp_path: Path) -> None:
    arrangement = read_arrangement(write_tune(tmp_path / "tune.mid"))
    for role in ("all", "harmony", "example"):
        for sketch in arrangement.sketches(role):
            assert read_sketch(sketch.as_json()) == sketch
    controls = Controls(sketches=arrangement.sketches("all"))
    assert controls.with_(sketches=[s.as_json() for s in controls.sketches]) == controls
    old = {"part": "lead", "beats": 4.0, "notes": [[0, 1, 60, 90]]}
    assert read_sketch(old).notes[0].pitch == 60 and "key" not in read_sketch(old).as_json()
    for wrong in ({"chords": [[0, 12, "maj"]]}, {"chords": [[0, 1, "x"]]}, {"key": "H"},
                  {"part": "choir"}, {"notes": [[0, 1, 60, 90, "choir"]]}):  # fmt: skip
        with pytest.raises(SegueError):
            read_sketch({**old, **wrong})

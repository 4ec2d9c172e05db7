"""Score of a take: what was heard of a plan that was rewritten, its grid, its MIDI file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import mido
import numpy as np
import pytest

from app.performance.score_log import ScoreLog
from app.recording.take.grid import Anchor, make_grid
from app.recording.take.midi_file import key_signature, write_midi
from app.recording.take.notes import NoteTable, TakeNote
from app.recording.take.project_file import AT_ONCE, project_xml
from app.recording.take.score import Marker, ScoreGatherer, TakeScore
from models.engine.interface import NoteEvent, ScoreInfo

BEAT = 24_000  # frames at 120 beats a minute
BLOCK = 3840


def anchors(
    first: int, beats: int, *, bpm: float = 120.0, metre: int = 4, start: int = 0
) -> list[Anchor]:
    """Beats from a frame on; `start` of them lie before."""
    frames = 48_000 * 60 / bpm
    return [
        Anchor(round(first + i * frames), float(start + i), (start + i) / metre, bpm, metre)
        for i in range(beats)
    ]


@pytest.mark.parametrize(
    ("heard", "bpms", "metres", "beats"),
    [
        pytest.param([], [120], [(0, 4)], {48_000: 2.0}, id="nothing known"),
        pytest.param(anchors(0, 17), [120], [(0, 4)], {5 * BEAT: 5.0}, id="from a bar line"),
        pytest.param(
            anchors(96, 17), [119.52, 120], [(0, 4)], {96 + 8 * BEAT: 8.0},
            id="the look-ahead is no bar",
        ),
        pytest.param(
            anchors(9600, 17, start=2), [100, 120], [(0, 2), (2, 4)],
            {9600 + 2 * BEAT: 2.0, 9600 + 6 * BEAT: 6.0},
            id="from the middle of a bar: a pickup of whole beats",
        ),
        pytest.param(
            anchors(6000, 13), [112.94, 120], [(0, 4)], {6000 + 4 * BEAT: 4.0},
            id="just before a bar line: the first bar is longer",
        ),
        pytest.param(
            [*anchors(0, 8), *anchors(8 * BEAT, 9, bpm=60.0, start=8)], [120, 60], [(0, 4)],
            {8 * BEAT: 8.0, 10 * BEAT: 9.0}, id="tempo",
        ),
        pytest.param(
            [*anchors(0, 8), *anchors(8 * BEAT, 7, metre=3, start=0)], [120], [(0, 4), (8, 3)],
            {11 * BEAT: 11.0}, id="metre",
        ),
        pytest.param(
            [*anchors(0, 7), *anchors(6 * BEAT + 33_600, 9, start=100)],
            [120, 85.714, 120], [(0, 4), (4, 3), (7, 4)], {6 * BEAT + 33_600: 7.0},
            id="a leap: a short bar",
        ),
    ],
)  # fmt: skip
def test_grid(
    heard: list[Anchor], bpms: list[float], metres: list[tuple[int, int]],
    beats: dict[int, float],
) -> None:  # fmt: skip
    grid = make_grid(heard)
    assert [tempo.bpm for tempo in grid.tempos] == pytest.approx(bpms, rel=2e-4)
    assert list(grid.metres) == metres
    for frame, beat in beats.items():
        assert grid.beat_at(frame) == pytest.approx(beat, abs=0.002)
        assert grid.frame_at(grid.beat_at(frame)) == pytest.approx(frame, abs=0.01)


def test_a_beat_that_is_told_twice_a_little_apart_is_one() -> None:
    """A followed tempo wavers: where a block is planned again, its beat lies some frames on."""
    heard = anchors(0, 9)
    frame = heard[3].frame
    heard[3:4] = [
        replace(heard[3], frame=frame + 20, beats=2.999905),
        replace(heard[3], frame=frame + 28, beats=3.000095),
    ]
    grid = make_grid(heard)
    assert grid.beat_at(8 * BEAT) == pytest.approx(8.0, abs=0.002)
    assert [tempo.bpm for tempo in grid.tempos] == pytest.approx([120.0], rel=1e-3)


def test_an_hour_at_an_odd_tempo_does_not_drift() -> None:
    heard = anchors(0, 8001, bpm=133.7)
    grid = make_grid(heard)
    assert all(abs(grid.frame_at(a.beats) - a.frame) <= 25 for a in heard)
    assert len(grid.tempos) < 20


def info(
    *events: tuple[int, int, int], held: tuple[int, ...] = (), part: str = "bass"
) -> ScoreInfo:
    return ScoreInfo(
        events=tuple(NoteEvent(frame, part, pitch, velocity) for frame, pitch, velocity in events),
        held=tuple(NoteEvent(0, part, pitch, 80) for pitch in held),
    )


def note(start: int, stop: int, pitch: int, velocity: int = 80) -> TakeNote:
    return TakeNote(start, stop, "bass", pitch, velocity)


@pytest.mark.parametrize(
    ("blocks", "start", "notes"),
    [
        pytest.param(
            [(0, 0, info((10, 40, 80))), (BLOCK, BLOCK, info((5, 40, 0), held=(40,)))], 0,
            [note(10, BLOCK + 5, 40)], id="from block to block",
        ),
        pytest.param(
            [(0, 0, info((10, 40, 80), (3000, 41, 80))), (0, 2000, info((10, 40, 80)))], 0,
            [note(10, 2 * BLOCK, 40)], id="rewritten within the block: what was not heard is not",
        ),
        pytest.param(
            [(0, 0, info((10, 40, 80))), (0, 2000, info((10, 43, 80), (2500, 43, 0)))], 0,
            [note(10, 2000, 40), note(2000, 2500, 43)], id="another note from the splice on",
        ),
        pytest.param(
            [(0, 0, info((10, 40, 80))), (BLOCK, BLOCK, info())], 0, [note(10, BLOCK, 40)],
            id="a leap ends what sounded",
        ),
        pytest.param(
            [(0, 0, info((10, 40, 80))), (BLOCK, BLOCK, info((900, 40, 0), held=(40,)))], 1000,
            [note(0, BLOCK + 900 - 1000, 40)], id="sounds when the take begins",
        ),
        pytest.param(
            [(0, 0, info((10, 36, 90), part="drums"))], 1000, [], id="a hit is not held"
        ),
        pytest.param(
            [(0, 0, info((5, 40, 80), (5, 40, 0))), (BLOCK, BLOCK, info())], 0, [],
            id="no note without a length",
        ),
    ],
)  # fmt: skip
def test_notes_that_were_heard(
    blocks: list[tuple[int, int, ScoreInfo]], start: int, notes: list[TakeNote]
) -> None:
    log = ScoreLog()
    for position, join, score in blocks:
        log.put(position, join, position + BLOCK, score)
    gatherer = ScoreGatherer(start)
    gatherer.add(log.between(start, 2 * BLOCK))
    assert list(gatherer.score(2 * BLOCK).notes) == notes


def test_the_rest_of_an_older_plan_stays_behind_a_rewritten_block() -> None:
    log = ScoreLog()
    old, new = info((1, 40, 80)), info((1, 50, 80))
    for number in range(4):
        log.put(number * BLOCK, number * BLOCK, (number + 1) * BLOCK, old)
    log.put(BLOCK, BLOCK + 100, 2 * BLOCK, new)
    found = log.between(0, 4 * BLOCK)
    assert [(s.start, s.stop, s.score is new) for s in found] == [
        (0, BLOCK, False), (BLOCK, BLOCK + 100, False), (BLOCK + 100, 2 * BLOCK, True),
        (2 * BLOCK, 3 * BLOCK, False), (3 * BLOCK, 4 * BLOCK, False),
    ]  # fmt: skip
    log.forget(BLOCK + 50)
    assert [(s.start, s.stop) for s in log.between(0, 2 * BLOCK + 5)] == [
        (BLOCK, BLOCK + 100), (BLOCK + 100, 2 * BLOCK), (2 * BLOCK, 2 * BLOCK + 5),
    ]  # fmt: skip


def test_of_a_long_take_only_the_beats_are_kept_for_the_grid() -> None:
    """As fine as blocks come, and read in pieces: an hour has no more places than beats."""
    log, heard = ScoreLog(), ScoreGatherer(0)
    every = []
    for number in range(1000):
        at = number * BLOCK
        here = ScoreInfo(tempo=120.0, beat=at / BEAT, bars=at / BEAT / 4, bars_at=0)
        every.append(Anchor(at, at / BEAT, at / BEAT / 4))
        log.put(at, at, at + BLOCK, here)
    for start in range(0, 1000 * BLOCK, 1000):
        heard.add(log.between(start, start + 1000))
    assert len(heard.anchors) == sum(anchor.on_beat for anchor in every) < 1000 / 4
    assert heard.score(1000 * BLOCK).grid == make_grid(every)


def test_midi_file(tmp_path: Path) -> None:
    log = ScoreLog()
    score = ScoreInfo(
        tempo=120.0, key="F# dorian", beat=0.0, bars=0.0, bars_at=0, section="intro",
        events=(NoteEvent(100, "drums", 36, 100), NoteEvent(2500, "drums", 36, 0),
                NoteEvent(2600, "lead", 72, 90)),
        instruments={"drums": "jazz", "lead": "fretless_bass"},
        programs={"drums": 32, "lead": 35},
    )  # fmt: skip
    log.put(0, 0, BLOCK, score)
    gatherer = ScoreGatherer(0)
    gatherer.add(log.between(0, BLOCK))
    gatherer.mark(2000, "Scene 3")
    write_midi(tmp_path / "take.mid", gatherer.score(BLOCK))
    file = mido.MidiFile(tmp_path / "take.mid")
    assert [track.name for track in file.tracks] == ["Segue", "Drums", "Lead"]
    kinds = {message.type: message for message in file.tracks[0]}
    assert (kinds["set_tempo"].tempo, kinds["time_signature"].numerator) == (500_000, 4)
    assert kinds["key_signature"].key == "C#m"
    assert [m.text for m in file.tracks[0] if m.type == "marker"] == ["intro", "Scene 3"]
    drums, lead = file.tracks[1:]
    assert [(m.channel, m.program) for m in drums if m.type == "program_change"] == [(9, 32)]
    assert [(m.channel, m.program) for m in lead if m.type == "program_change"] == [(2, 35)]
    at, ons = 0, []
    for message in lead:
        at += message.time
        if message.type in ("note_on", "note_off"):
            ons.append((message.type, message.note, round(at / 960 * BEAT)))
    assert [entry[:2] for entry in ons] == [("note_on", 72), ("note_off", 72)]
    assert [entry[2] for entry in ons] == pytest.approx([2600, BLOCK], abs=13)


@pytest.mark.parametrize(
    ("key", "signature"),
    [
        ("C major", "C"), ("A minor", "Am"), ("D dorian", "Am"), ("E phrygian", "Am"),
        ("F lydian", "C"), ("G mixolydian", "C"), ("E phrygian dominant", "Am"),
        ("A harmonic minor", "Am"), ("Bb pentatonic major", "Bb"),
    ],
)  # fmt: skip
def test_key_signature(key: str, signature: str) -> None:
    assert key_signature(key) == signature


def test_a_table_of_notes_is_the_notes() -> None:
    notes = [
        TakeNote(9, 12, "lead", 60, 1), TakeNote(5, 30, "chords", 62, 2),
        TakeNote(5, 7, "bass", 64, 3), TakeNote(5, 8, "chords", 61, 4),
    ]  # fmt: skip
    table = NoteTable(notes)
    before = table.copy()
    assert list(table) == notes and table[1:3] == tuple(notes[1:3])
    assert list(table.in_order()) == sorted(notes, key=lambda n: (n.start, n.part, n.pitch))
    assert [column.tolist() for column in table.of_part("chords")] == [
        [5, 5], [30, 8], [62, 61], [2, 4],
    ]  # fmt: skip
    assert not len(table.of_part("drums")[0]) and not len(NoteTable().in_order())
    table.append(TakeNote(1, 2, "drums", 36, 5))
    assert list(before) == notes and table.parts == {"lead", "chords", "bass", "drums"}


def test_notes_of_a_long_take_are_what_a_midi_library_reads(tmp_path: Path) -> None:
    """Notes are encoded without a library, which takes seconds for an hour of them."""
    rng = np.random.default_rng(3)
    grid = make_grid([*anchors(0, 400), *anchors(400 * BEAT, 800, bpm=97.0, start=400)])
    begins = np.sort(rng.integers(0, 1100 * BEAT, 400)).tolist()
    notes = tuple(
        TakeNote(begin, begin + int(rng.integers(1, 400_000)), "lead", n % 128, 1 + n % 127)
        for n, begin in enumerate(begins)
    )
    score = TakeScore(1200 * BEAT, grid, NoteTable(notes), markers=(Marker(0, "Größe <&> 音"),))
    write_midi(tmp_path / "take.mid", score)
    file = mido.MidiFile(tmp_path / "take.mid", charset="utf-8")
    at, found = 0, []
    on: dict[int, list[tuple[int, int]]] = {}
    for message in file.tracks[1]:
        at += message.time
        if message.type == "note_on":
            on.setdefault(message.note, []).append((at, message.velocity))
        elif message.type == "note_off":
            begin, velocity = on[message.note].pop(0)
            found.append((begin, at, message.note, velocity))
    exact = [
        (round(960 * grid.beat_at(n.start)), round(960 * grid.beat_at(n.stop)), n.pitch, n.velocity)
        for n in notes
    ]
    assert sorted(found) == sorted((a, max(b, a + 1), *rest) for a, b, *rest in exact)
    assert [m.text for m in file.tracks[0] if m.type == "marker"] == ["Größe <&> 音"]
    rests: list[int] = []
    project = ElementTree.fromstring(
        project_xml(score, {"mix": "mix.wav"}, lambda: rests.append(1))
    )
    assert len(rests) >= len(notes) // AT_ONCE  # other threads come first in between
    elements = project.findall(".//Note")
    assert [round(960 * float(each.get("time", ""))) for each in elements] == [a for a, *_ in exact]
    assert [int(each.get("key", "")) for each in elements] == [n.pitch for n in notes]

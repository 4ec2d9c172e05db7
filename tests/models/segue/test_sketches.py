"""Sketches: what is sung, tapped or drawn is what the part plays."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.engine.controls import Controls
from models.errors import SegueError
from models.music.arrangement.arrangement import MidiArrangement, read_arrangement
from models.music.hearing.sketch import (
    Sketch,
    SketchHit,
    SketchNote,
    check_sketches,
    pitch_in_key,
    sketch_of,
)
from models.music.hearing.transcriber import transcript_of
from models.music.score import DRUMS, SAMPLE_RATE
from models.music.tracking.weights import load_ear_weights
from models.segue.engine import SegueEngine, SegueStream
from tests.models.music.test_transcriber import beat, sung
from tests.support.midi_files import write_tune

BPM = 120.0
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)
LINE = ((60, 0.5), (64, 0.25), (67, 0.25), (65, 0.5), (62, 0.5), (69, 0.25), (71, 0.25), (72, 0.5))


@pytest.fixture(scope="module")
def engine() -> SegueEngine:
    return SegueEngine()


def heard(sound: np.ndarray, late: float = 0.0) -> Sketch:
    """The sketch of a sound that began on a bar of the music, but for a lateness in seconds."""
    transcript = transcript_of(load_ear_weights(), sound)
    beats = [4.0, 8.0, 12.0]
    found = sketch_of(transcript, beats, [(b - 4) * 0.5 - late for b in beats], 4, 1)
    assert found is not None
    return found


def played(engine: SegueEngine, controls: Controls, seconds: float) -> list[tuple[float, str, int]]:
    """(beats since the start, part, pitch) of what begins."""
    stream, found, at = engine.start(5), [], 0
    assert isinstance(stream, SegueStream)
    while at < seconds * SAMPLE_RATE:
        block = stream.render(controls)
        score = stream.score
        assert score is not None and score.beat is not None and score.bars_at is not None
        for event in score.events:
            if event.velocity:
                beats = score.beat + (event.frame - score.bars_at) / SAMPLE_RATE * BPM / 60
                found.append((beats, event.part, event.pitch))
        at += len(block)
    return found


def test_a_sung_line_is_played_by_the_lead(engine: SegueEngine) -> None:
    sketch = heard(sung(LINE), late=0.03)
    assert (sketch.part, sketch.beats) == ("lead", 8.0)
    assert len(sketch.notes) == len(LINE)
    events = played(engine, Controls(bpm=BPM, key="C major", sketches=(sketch,)), 9.0)
    lead = [(b, pitch) for b, part, pitch in events if part == "lead"]
    # It begins on a bar and goes round after two.
    first = [(b, pitch) for b, pitch in lead if b < 8.0 - 0.05]
    again = [(b - 8.0, pitch) for b, pitch in lead if 8.0 - 0.05 <= b < 16.0 - 0.05]
    assert len(first) == len(LINE) and len(again) == len(LINE)
    at = np.cumsum([0.0, *(2 * seconds for _, seconds in LINE)])[:-1]
    for (b, pitch), place, (sung_pitch, _) in zip(first, at, LINE, strict=True):
        assert abs(b - place) * 60 / BPM < 0.03  # of the quantised place
        assert (pitch - sung_pitch) % 12 in (0, 1, 11)
    assert [pitch for _, pitch in first] == [pitch for _, pitch in again]


def test_a_beatbox_is_played_by_the_kit_once(engine: SegueEngine) -> None:
    sketch = heard(beat("khshkhsh"), late=-0.02)
    assert (sketch.part, sketch.beats) == ("drums", 4.0)
    once = Sketch("drums", sketch.beats, hits=sketch.hits, loop=False, number=3)
    events = played(engine, Controls(bpm=BPM, sketches=(once,)), 2.0)
    struck = [(b, pitch) for b, part, pitch in events if part == "drums" and b < 3.9]
    hits = sorted({(round(b * 2), pitch) for b, pitch in struck})
    assert len(hits) == 8 and [step for step, _ in hits] == list(range(8))
    assert len({pitch for _, pitch in hits}) == 3  # kick, snare and hat
    assert max(abs(b * 2 - round(b * 2)) * 0.25 for b, _ in struck) < 0.03


@pytest.mark.parametrize(
    ("pitch", "tonic", "mode", "note"),
    [
        (60.4, 0, "major", 60),
        (61.4, 0, "major", 62),
        (60.6, 2, "major", 61),
        (63.9, 9, "minor", 64),
    ],
)
def test_pitches_come_into_the_key(pitch: float, tonic: int, mode: str, note: int) -> None:
    assert pitch_in_key(pitch, tonic, mode) == note


def test_a_sketch_keeps_its_form_in_files() -> None:
    sketch = Sketch(
        "bass", 4.0, (SketchNote(0.0, 1.0, 40.2, 99),), loop=False, brightness=(0.1, 0.9), number=2
    )
    groove = Sketch("drums", 8.0, hits=(SketchHit(1.5, DRUMS[0]),))
    text = json.dumps([sketch.as_json(), groove.as_json()])
    assert check_sketches(json.loads(text)) == (sketch, groove)
    assert Controls(sketches=json.loads(text)).sketches == (sketch, groove)


@pytest.mark.parametrize(
    "wrong",
    [
        "lead", [1], [{}], [{"part": "tuba", "beats": 4}], [{"part": "lead", "beats": 0}],
        [{"part": "lead", "beats": 4, "notes": [[0, 1, float("nan"), 90]]}],
        [{"part": "drums", "beats": 4, "hits": [[0, "tuba", 90]]}],
        [{"part": "lead", "beats": 4}, {"part": "lead", "beats": 8}],
    ],
)  # fmt: skip
def test_what_is_no_sketch_is_refused(wrong: object) -> None:
    with pytest.raises(SegueError):
        check_sketches(wrong)


# -- arrangements: MIDI files ---------------------------------------------------------------------
@pytest.fixture(scope="module")
def tune(tmp_path_factory: pytest.TempPathFactory) -> MidiArrangement:
    return read_arrangement(write_tune(tmp_path_factory.mktemp("midi") / "tune.mid"))


def test_parts_play_a_file_in_the_music_s_key(engine: SegueEngine, tune: MidiArrangement) -> None:
    """Am F C G, written in C, is Bm G D A in D; so is the melody, and the drums stay."""
    controls = Controls(bpm=BPM, key="D major", sketches=tune.sketches("all"))
    notes = played(engine, controls, 8.5)
    bass = [(round(b * 2) / 2, p % 12) for b, part, p in notes if part == "bass" and b < 15.9]
    written = [(n.beat, (int(n.pitch) + 2) % 12) for n in tune.sketches("bass")[0].notes[:32]]
    assert bass == written
    lead = [p % 12 for b, part, p in notes if part == "lead" and b < 15.9]
    assert lead == [(int(n.pitch) + 2) % 12 for n in tune.sketches("lead")[0].notes[:16]]
    drums = [(round(b), p) for b, part, p in notes if part == "drums" and b < 15.9]
    assert drums == [(i, 36 if i % 2 == 0 else 38) for i in range(16)]
    chords = {p % 12 for b, part, p in notes if part == "chords" and -0.1 < b < 2.0}
    assert chords == {11, 2, 6}


def test_the_harmony_of_a_file_is_everybody_s(engine: SegueEngine, tune: MidiArrangement) -> None:
    controls = Controls(bpm=BPM, key="C major", sketches=tune.sketches("harmony"))
    stream, chords = engine.start(4), dict[int, set[str]]()
    for _ in range(100):
        stream.render(controls)
        score = stream.score
        assert score is not None and score.bars is not None
        if score.bars % 1 < 0.9:
            chords.setdefault(int(score.bars), set()).add(score.chord or "")
    assert [chords[bar] for bar in range(4)] == [{"Am"}, {"F"}, {"C"}, {"G"}]


def test_music_goes_on_from_an_example(engine: SegueEngine, tune: MidiArrangement) -> None:
    """Nearer to the example than without it, yet no copy, and not for ever."""
    plain = Controls(bpm=BPM, key="C major", style=engine.embed_text("piano trio"))
    wanted = {(n.beat, int(n.pitch) % 12) for n in tune.sketches("lead")[0].notes}

    def likeness(controls: Controls) -> float:
        notes = played(engine, controls, 8.5)
        lead = {(round(b * 4) / 4, p % 12) for b, part, p in notes if part == "lead" and b < 16}
        near = {place for place in wanted if place[0] < 16}
        return len(lead & near) / max(1, len(lead | near))

    without = likeness(plain)
    with_it = likeness(plain.with_(sketches=tune.sketches("example")))
    assert without + 0.1 < with_it < 1.0
    stream = engine.start(5)
    controls = plain.with_(sketches=tune.sketches("example"))
    for _ in range(20):
        stream.render(controls)
    snapshot = engine.unpack(engine.pack(stream.snapshot()))
    ahead = np.concatenate([stream.render(controls) for _ in range(10)])
    stream.restore(snapshot)
    assert np.array_equal(ahead, np.concatenate([stream.render(controls) for _ in range(10)]))

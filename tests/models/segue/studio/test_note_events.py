"""Note events: each note begins once and ends once, where it is heard."""

from __future__ import annotations

import pytest

from models.engine.controls import Controls
from models.engine.interface import NoteEvent
from models.music.general_midi import DRUM_KEYS, program_of
from models.music.score import DRUMS, INSTRUMENTS, KITS, PARTS
from models.segue.engine import SegueEngine
from models.segue.studio.block import BLOCK
from models.segue.studio.dynamics import AHEAD
from models.segue.studio.note_events import HIT, StartedNote, note_events
from models.segue.studio.voices import OPEN, SamplerVoice

BASS, LEAD = PARTS.index("bass"), PARTS.index("lead")
OPEN_HAT = DRUMS.index("open_hat")
ALL = (True,) * len(PARTS)


def voice(part: int, pitch: int, start: int, stop: int = OPEN, velocity: int = 90) -> SamplerVoice:
    return SamplerVoice(0.0, part, pitch, velocity, "piano", start, stop, 0.1, pitch, 0)


def event(frame: int, part: str, pitch: int, velocity: int) -> NoteEvent:
    return NoteEvent(frame, part, pitch, velocity)


START = 10 * BLOCK
E_ON = event(100 + AHEAD, "bass", 40, 90)


@pytest.mark.parametrize(
    ("voices", "started", "audible", "events", "left"),
    [
        pytest.param((voice(BASS, 40, START + 100),), (), ALL, (E_ON,), [40], id="begins"),
        pytest.param(
            (voice(BASS, 40, START + 100, START + 1100),), (), ALL,
            (E_ON, event(1100 + AHEAD, "bass", 40, 0)), [], id="begins and ends",
        ),
        pytest.param(
            (voice(BASS, 40, START - 100),), (), ALL, (), [], id="began before: not again"
        ),
        pytest.param(
            (voice(BASS, 40, START - AHEAD),), (), ALL, (event(0, "bass", 40, 90),), [40],
            id="sounds in this block because of the look-ahead",
        ),
        pytest.param(
            (voice(BASS, 40, START + BLOCK - AHEAD),), (), ALL, (), [], id="sounds in the next"
        ),
        pytest.param(
            (voice(BASS, 40, 5, START + 7),), (StartedNote(BASS, 40, 90, 5),), ALL,
            (event(7 + AHEAD, "bass", 40, 0),), [], id="ends",
        ),
        pytest.param(
            (), (StartedNote(BASS, 40, 90, 5),), ALL, (event(0, "bass", 40, 0),), [],
            id="died away",
        ),
        pytest.param(
            (voice(BASS, 40, 5), voice(LEAD, 72, START)), (StartedNote(BASS, 40, 90, 5),),
            (True, False, True, False, True), (event(0, "bass", 40, 0),), [], id="muted",
        ),
        pytest.param(
            (voice(LEAD, 72, 5, START + 9), voice(LEAD, 72, START + 9)),
            (StartedNote(LEAD, 72, 90, 5),), ALL,
            (event(9 + AHEAD, "lead", 72, 0), event(9 + AHEAD, "lead", 72, 90)), [72],
            id="struck again: off before on",
        ),
        pytest.param(
            (voice(LEAD, 72, START, START),), (), ALL,
            (event(AHEAD, "lead", 72, 90), event(AHEAD + 1, "lead", 72, 0)), [],
            id="stolen where it begins: no hung note",
        ),
        pytest.param(
            (voice(0, OPEN_HAT, START, START + 500),), (), ALL,
            (event(AHEAD, "drums", 46, 90), event(AHEAD + 500, "drums", 46, 0)), [], id="choked",
        ),
        pytest.param(
            (voice(0, 0, START),), (), ALL,
            (event(AHEAD, "drums", 36, 90), event(AHEAD + HIT, "drums", 36, 0)), [], id="a hit",
        ),
    ],
)  # fmt: skip
def test_events_of_a_block(
    voices: tuple[SamplerVoice, ...], started: tuple[StartedNote, ...], audible: tuple[bool, ...],
    events: tuple[NoteEvent, ...], left: list[int],
) -> None:  # fmt: skip
    found, after = note_events(voices, audible, started, START)
    assert found == events
    assert [note.pitch for note in after] == left


def test_a_stream_begins_and_ends_each_note_once() -> None:
    engine = SegueEngine()
    stream = engine.start(3)
    styles = [engine.embed_text(words) for words in ("funk", "string quartet")]
    on: set[tuple[str, int]] = set()
    begun = 0
    for number in range(250):
        if number == 150:
            stream.clear()
        mute = frozenset({"bass"}) if 60 <= number < 90 else frozenset()
        stream.render(Controls(style=styles[number // 100 % 2], mute=mute, bpm=140.0))
        score = stream.score
        assert score is not None
        assert {(note.part, note.pitch) for note in score.held} == on
        frames = [event.frame for event in score.events]
        assert frames == sorted(frames)
        assert all(0 <= frame < BLOCK for frame in frames)
        for note in score.events:
            key = (note.part, note.pitch)
            assert (key in on) == (note.velocity == 0)
            assert note.part != "bass" or not mute or not note.velocity
            on ^= {key}
            begun += note.velocity > 0
        assert set(score.programs) == set(score.instruments)
    assert begun > 100
    engine.close()


def test_every_sound_has_a_number() -> None:
    assert len(set(DRUM_KEYS)) == len(DRUMS)
    assert {program_of(name) for name in KITS} <= {0, 8, 16, 24, 25, 32, 40, 48}
    assert all(0 <= program_of(name) < 128 for name in INSTRUMENTS)
    assert sum(program_of(name) == 0 for name in INSTRUMENTS) == 2  # nobody, and the piano
    with pytest.raises(ValueError, match="neither"):
        program_of("theremin")

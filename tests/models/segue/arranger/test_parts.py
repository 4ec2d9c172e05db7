"""Locks, re-rolls, instruments and octaves of single parts, in the score."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.music.score import INSTRUMENTS, KITS, PARTS
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.parts.patterns import COLUMNS, copy_part, transposed
from models.segue.arranger.setting import SettingNoise
from models.segue.arranger.state import State
from models.segue.arranger.steps import PITCH_ORIGIN, STRIKE, SYMBOL, sounding
from models.segue.style import StyleModel
from models.storage.serialisation import classes_of, pack, unpack
from tests.support.arrangers import STYLE, untrained

LOCKED = {part: {"lock": True} for part in PARTS}


@pytest.fixture(scope="module")
def trained() -> Arranger:
    return Arranger.load()


@pytest.fixture(scope="module")
def funk() -> Controls:
    return Controls(style=StyleModel.load().embed_text("funk"), bpm=180.0)


@pytest.fixture(scope="module")
def playing(trained: Arranger, funk: Controls) -> State:
    return run(trained, trained.start(5), funk, 9)


def run(arranger: Arranger, state: State, controls: Controls, seconds: int) -> State:
    for _ in range(seconds):
        state, _ = arranger.write(state, controls.style, controls, 25)
    return state


def rows_of(state: State, first: int, end: int | None = None) -> NDArray[np.uint8]:
    rows = [state.history.get(i) for i in range(first, end or state.history.length)]
    return np.stack([row for row in rows if row is not None])


def place_of(state: State, row: int) -> int:
    """Place in the bar of a row of the stream, while the metre stays."""
    last = state.ticks[-1]
    return (last.step_in_bar + row - (state.history.length - 1)) % last.steps_per_bar


def own(rows: NDArray[np.uint8], part: int) -> NDArray[np.uint8]:
    return rows[:, list(COLUMNS[part])]


def test_a_locked_part_is_the_same_bar_after_bar_transposed(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    first, size = playing.history.length, playing.ticks[-1].steps_per_bar
    locked = funk.with_(parts=LOCKED)
    state = run(trained, playing, locked.with_(notes=(57, 60, 64)), 4)
    state = run(trained, state, locked.with_(next_section=True, energy=0.1), 4)
    mode = state.key[1].replace("_", " ")
    state = run(trained, state, locked.with_(key=f"E {mode}"), 6)
    rows = rows_of(state, first)
    assert len(rows) > 8 * size and len(set(rows[:, SYMBOL])) > 1
    struck = 0
    for part, name in enumerate(PARTS):
        pattern = state.patterns.locked[part]
        assert pattern is not None and sounding(pattern.rows)[:, part].any()
        for index, row in enumerate(rows):
            expected, place = row.copy(), place_of(state, first + index)
            copy_part(expected, part, pattern.row(place), pattern.mode, state.key[1])
            if name == "chords" and not np.array_equal(row, expected):
                struck += 1
            else:
                assert np.array_equal(row, expected), (name, index)
    # The chord part strikes where keys are newly held or the key changes, whatever is locked.
    assert struck <= 2
    # What is locked is what was played last.
    last = np.roll(rows_of(playing, first - size), place_of(playing, first), axis=0)
    for part, pattern in enumerate(state.patterns.locked):
        if pattern is not None and sounding(last)[:, part].any():
            assert np.array_equal(own(pattern.rows, part), own(last, part))


def test_a_locked_part_plays_where_the_form_lets_it_rest_and_others_go_on(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    first, bass = playing.history.length, PARTS.index("bass")
    bare = funk.with_(energy=0.0)
    free = rows_of(run(trained, playing, bare, 8), first)
    locked = run(trained, playing, bare.with_(parts={"bass": {"lock": True}}), 8)
    rows, size = rows_of(locked, first), locked.ticks[-1].steps_per_bar
    assert sounding(rows)[:, bass].sum() > 2 * sounding(free)[:, bass].sum()
    bars = rows[: len(rows) // size * size].reshape(-1, size, rows.shape[1])
    others = {bar[:, [c for c in range(rows.shape[1] - 1) if c not in COLUMNS[bass]]].tobytes()
              for bar in bars}  # fmt: skip
    assert len(others) > 2
    # What the lock keeps is shared by all states that come after.
    after = run(trained, locked, bare.with_(parts={"bass": {"lock": True}}), 1)
    assert after.patterns is locked.patterns


def test_unlocked_it_goes_on_and_a_clear_keeps_it(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    locked = funk.with_(parts={"bass": {"lock": True}})
    state = run(trained, playing, locked, 4)
    pattern = state.patterns.locked[1]
    fresh = trained.start(9, state)
    again = run(trained, fresh, locked, 2)
    assert pattern is not None and again.patterns.locked[1] is pattern
    row, expected = rows_of(again, 0)[0], pattern.row(place_of(again, 0))
    assert (row[COLUMNS[1][0]] < STRIKE) == (expected[COLUMNS[1][0]] < STRIKE)
    assert run(trained, state, funk, 1).patterns.locked == (None,) * len(PARTS)


def test_what_has_not_played_is_locked_after_its_first_bar(
    trained: Arranger, funk: Controls
) -> None:
    locked = funk.with_(parts={"drums": {"lock": True}})
    state = run(trained, trained.start(5), locked, 8)
    pattern = state.patterns.locked[0]
    assert pattern is not None and pattern.rows[:, : COLUMNS[0][-1]].any()


@pytest.mark.parametrize("at", ["now", "bar"])
def test_a_re_rolled_part_gets_another_pattern_that_stays(
    trained: Arranger, funk: Controls, playing: State, at: str
) -> None:
    step, size = playing.history.length, playing.ticks[-1].steps_per_bar
    begin = step + (0 if at == "now" else -place_of(playing, step) % size)
    asked = funk.with_(change_at=at, reroll={"drums", "bass"})
    pressed = run(trained, playing, asked, 1)
    state = run(trained, pressed, funk.with_(change_at=at), 5)
    if begin > step:
        free = run(trained, playing, funk, 2)
        end = min(begin, pressed.history.length)  # later the memory has the new bar there
        assert np.array_equal(rows_of(free, step, end), rows_of(pressed, step, end))
    for part in (0, 1):
        old = own(rows_of(playing, begin - size, min(step, begin)), part)
        new = own(rows_of(state, begin, begin + size), part)
        assert state.patterns.begun[part] == -1 and state.patterns.due == 0
        assert new.any() and not np.array_equal(new[: len(old)], old)
        # Memory holds the new bar in the place of the old ones.
        if part == 0:
            assert np.array_equal(own(rows_of(state, begin - size, begin), 0), new)


def test_a_re_roll_that_stays_pressed_acts_once(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    asked = funk.with_(reroll={"bass"})
    once = run(trained, run(trained, playing, asked, 1), funk, 3)
    assert np.array_equal(
        rows_of(once, playing.history.length),
        rows_of(run(trained, playing, asked, 4), playing.history.length),
    )


def test_a_re_rolled_part_that_is_locked_is_locked_to_the_new_bar(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    locked = funk.with_(parts={"bass": {"lock": True}})
    state = run(trained, playing, locked, 3)
    before = state.patterns.locked[1]
    state = run(trained, run(trained, state, locked.with_(reroll={"bass"}), 1), locked, 5)
    after = state.patterns.locked[1]
    assert before is not None and after is not None
    assert not np.array_equal(own(before.rows, 1), own(after.rows, 1))


def test_an_instrument_changes_the_sound_and_not_the_notes(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    given = funk.with_(parts={"lead": {"instrument": "flute"}, "drums": {"instrument": "tr909"}})
    state, free = run(trained, playing, given, 4), run(trained, playing, funk, 4)
    assert playing.setting is not None and playing.setting.kit and playing.setting.instruments[2]
    assert np.array_equal(rows_of(state, 0), rows_of(free, 0))
    assert INSTRUMENTS[state.timbres[-1].instruments[2]] == "flute"
    assert KITS[state.timbres[-1].kit] == "tr909"
    assert state.setting == free.setting


def test_an_instrument_brings_in_a_part_that_the_style_leaves_out() -> None:
    arranger, controls = untrained(), Controls(style=STYLE, bpm=180.0)
    seed = next(s for s in range(100) if arranger.setting(STYLE, SettingNoise.of(s)).kit == 0)
    state = run(arranger, arranger.start(seed), controls, 2)
    assert state.setting is not None and state.setting.kit == 0
    given = controls.with_(parts={"drums": {"instrument": "tr808", "lock": True}})
    state = run(arranger, arranger.start(seed), given, 14)
    assert KITS[state.timbres[-1].kit] == "tr808"
    assert sounding(rows_of(state, 0))[:, 0].any()


def test_an_octave_moves_the_notes_that_begin_and_no_others(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    up = funk.with_(parts={"bass": {"octave": 1}, "chords": {"octave": -1}})
    state, free = run(trained, playing, up, 2), run(trained, playing, funk, 2)
    now = playing.clock.start
    moved = {1: 12, 2: -12}
    expected = {
        (n.on, n.part, n.pitch + (moved.get(n.part, 0) if n.on >= now else 0))
        for n in free.voices.notes
    }
    assert {(n.on, n.part, n.pitch) for n in state.voices.notes} == expected
    assert {part for _, part, _ in expected} & set(moved)


@pytest.mark.parametrize(
    ("code", "before", "now", "modes", "expected"),
    [
        (0, 1, 20, ("major", "major"), 0),  # a rest
        (STRIKE + PITCH_ORIGIN, 1, 1, ("major", "major"), STRIKE + PITCH_ORIGIN),
        (STRIKE + PITCH_ORIGIN + 4, 0, 0, ("major", "minor"), STRIKE + PITCH_ORIGIN + 3),
    ],
)
def test_transposed(
    code: int, before: int, now: int, modes: tuple[str, str], expected: int
) -> None:
    assert transposed(code, before, now, *modes) == expected


def test_a_note_of_the_chord_becomes_the_same_note_of_another_chord() -> None:
    for before in range(1, 97, 5):
        for now in range(1, 97, 3):
            for tone in range(12):
                code = STRIKE + PITCH_ORIGIN + 24 + tone
                moved = transposed(code, before, now, "minor", "minor")
                assert STRIKE <= moved < STRIKE + 100 and abs(moved - code) <= 8


def test_a_packed_state_goes_on_alike_and_one_without_patterns_opens(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    given = funk.with_(parts=LOCKED)
    state = run(trained, run(trained, playing, given, 3), given.with_(reroll={"lead"}), 1)
    assert state.patterns.renewed
    tree, arrays = pack(state)
    again = unpack(tree, arrays, classes_of(State))
    a, b = run(trained, state, given, 3), run(trained, again, given, 3)
    assert np.array_equal(rows_of(a, 0), rows_of(b, 0))
    value = json.loads(pack(playing)[0])
    del value["fields"]["patterns"]
    old = unpack(json.dumps(value), pack(playing)[1], classes_of(State))
    a, b = run(trained, playing, funk, 2), run(trained, old, funk, 2)
    assert np.array_equal(rows_of(a, 0), rows_of(b, 0))

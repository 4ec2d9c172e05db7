"""Hold: the last bars as a loop of the score, with variation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.errors import SegueError
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.parts.patterns import COLUMNS
from models.segue.arranger.state import State
from models.segue.style import StyleModel
from models.storage.serialisation import classes_of, pack, unpack


@pytest.fixture(scope="module")
def trained() -> Arranger:
    return Arranger.load()


@pytest.fixture(scope="module")
def funk() -> Controls:
    return Controls(style=StyleModel.load().embed_text("funk"), bpm=190.0)


@pytest.fixture(scope="module")
def playing(trained: Arranger, funk: Controls) -> State:
    return run(trained, trained.start(5), funk, 9)


def run(arranger: Arranger, state: State, controls: Controls, seconds: int) -> State:
    for _ in range(seconds):
        state, _ = arranger.write(state, controls.style, controls, 25)
    return state


def rows_of(state: State, first: int = 0) -> NDArray[np.uint8]:
    rows = [state.history.get(i) for i in range(first, state.history.length)]
    return np.stack([row for row in rows if row is not None])


def again(state: State, since: int, bars: int) -> float:
    """Share of the steps since row `since` that have the notes of as many bars before."""
    loop = bars * state.ticks[-1].steps_per_bar
    rows = rows_of(state)[:, : COLUMNS[3][1] + 1]
    return float((rows[since:] == rows[since - loop : -loop]).all(axis=1).mean())


@pytest.mark.parametrize("bars", [1, 4])
def test_without_variation_the_same_notes_come_again(
    trained: Arranger, funk: Controls, playing: State, bars: int
) -> None:
    since = playing.history.length
    state = run(trained, playing, funk.with_(hold=bars), 7)
    assert len(rows_of(state, since)) > bars * state.ticks[-1].steps_per_bar
    assert again(state, since, bars) == 1.0
    sounding = {(note.part, note.pitch) for note in state.voices.notes}
    assert sounding
    # A section, energy or another prompt changes none of them.
    other = StyleModel.load().embed_text("solo piano")
    moved = funk.with_(hold=bars, energy=0.0, next_section=True, style=other)
    assert again(run(trained, state, moved, 2), since, bars) == 1.0


def test_with_variation_it_departs_and_at_most_it_is_free(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    since = playing.history.length
    alike = [
        again(run(trained, playing, funk.with_(hold=2, variation=v), 5), since, 2)
        for v in (0.2, 0.6)
    ]
    assert 1.0 > alike[0] > alike[1]
    free = run(trained, playing, funk, 2)
    assert np.array_equal(
        rows_of(free), rows_of(run(trained, playing, funk.with_(hold=2, variation=1.0), 2))
    )


def test_what_is_held_moves_with_held_keys_and_goes_on_when_it_is_released(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    since = playing.history.length
    held = run(trained, playing, funk.with_(hold=2), 3)
    keys = run(trained, held, funk.with_(hold=2, notes=(57, 60, 64)), 3)
    back = run(trained, keys, funk.with_(hold=2), 4)
    assert again(held, since, 2) == 1.0
    assert again(back, back.history.length - 8, 2) == 1.0
    assert run(trained, back, funk, 1).loop is None


def test_a_re_roll_gives_a_held_part_another_pattern_that_the_loop_keeps(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    held = funk.with_(hold=2)
    before = run(trained, playing, held, 1)
    rolled = run(trained, run(trained, before, held.with_(reroll={"drums"}), 1), held, 3)
    assert before.loop is not None and rolled.loop is not None
    drums, bass = list(COLUMNS[0]), list(COLUMNS[1])
    assert not np.array_equal(rolled.loop.rows[:, drums], before.loop.rows[:, drums])
    assert np.array_equal(rolled.loop.rows[:, bass], before.loop.rows[:, bass])
    since = rolled.history.length
    later = since + len(rolled.loop.rows)
    assert again(run(trained, rolled, held, 7), later, 2) == 1.0


def test_what_has_been_played_is_held_where_it_is_less(trained: Arranger, funk: Controls) -> None:
    state = run(trained, trained.start(5), funk, 4)
    since, bar = state.history.length, state.ticks[-1].steps_per_bar
    held = run(trained, state, funk.with_(hold=8), 4)
    assert held.loop is not None and 1 <= len(held.loop.rows) // bar < 8
    assert again(held, since, len(held.loop.rows) // bar) == 1.0
    fresh = run(trained, trained.start(5), funk.with_(hold=1), 4)
    assert fresh.loop is not None and len(fresh.loop.rows) == bar


def test_a_packed_loop_goes_on_and_a_state_without_one_opens(
    trained: Arranger, funk: Controls, playing: State
) -> None:
    held = funk.with_(hold=2, variation=0.4)
    state = run(trained, playing, held, 1)
    unpacked = unpack(*pack(state), classes_of(State))
    a, b = run(trained, state, held, 3), run(trained, unpacked, held, 3)
    assert np.array_equal(rows_of(a), rows_of(b))
    assert a.loop is run(trained, a, held, 1).loop
    tree, arrays = pack(playing)
    value = json.loads(tree)
    del value["fields"]["loop"]
    assert unpack(json.dumps(value), arrays, classes_of(State)).loop is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hold": 3}, "hold is 3: give 1, 2, 4 or 8 bars, or 0 for none"),
        ({"hold": True}, "hold is True"),
        ({"hold": "4"}, "hold is '4'"),
        ({"variation": 1.1}, "variation is 1.1: give a number from 0 to 1"),
        ({"variation": float("nan")}, "variation is nan"),
        ({"variation": True}, "variation is True"),
    ],
)
def test_wrong_values_are_refused_in_words(values: dict[str, object], words: str) -> None:
    with pytest.raises(SegueError, match=words):
        Controls(**values)  # type: ignore[arg-type]


def test_none_is_no_hold() -> None:
    assert Controls(hold=None, variation=None) == Controls()  # type: ignore[arg-type]

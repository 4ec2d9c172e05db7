"""States are small, share what they can, survive a file, and old ones still open."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from models.engine.controls import Controls
from models.segue.arranger.state import State
from models.storage.serialisation import classes_of, pack, unpack
from tests.support.arrangers import OTHER, STYLE, play, untrained

NEW = (
    *("tones", "base", "tempo", "asked", "plan", "plan_style", "themes"),
    *("due", "fill_due", "triggers", "fill"),
)
"""Fields that states of the first version do not have."""


def state_with_themes() -> State:
    state = untrained().start(5)
    controls = Controls(style=STYLE, bpm=200.0)
    for _ in range(4):
        state, _ = play(untrained(), state, controls, 60)
        state, _ = play(untrained(), state, controls.with_(next_section=True), 1)
        state, _ = play(untrained(), state, controls, 30)
    assert state.themes
    return state


def goes_on_alike(a: State, b: State) -> bool:
    controls = Controls(style=OTHER)
    a, told = play(untrained(), a, controls, 60)
    b, again = play(untrained(), b, controls, 60)
    rows = [
        np.array_equal(a.history.get(i), b.history.get(i))  # type: ignore[arg-type]
        for i in range(a.history.length - 40, a.history.length)
    ]
    return told == again and all(rows)


def test_a_packed_state_goes_on_alike() -> None:
    state = state_with_themes()
    assert goes_on_alike(state, unpack(*pack(state), classes_of(State)))


def test_an_old_state_opens_and_its_tempo_and_key_stay() -> None:
    state = state_with_themes()
    tree, arrays = pack(state)
    value = json.loads(tree)
    for name in NEW:
        del value["fields"][name]
    old = unpack(json.dumps(value), arrays, classes_of(State))
    assert {f.name for f in fields(State)} > set(NEW) and old.plan.place == 0
    assert old.setting is not None
    after, _ = play(untrained(), old, Controls(style=OTHER), 120)
    assert after.setting is not None
    assert (after.setting.bpm, after.setting.mode) == (old.setting.bpm, old.setting.mode)
    assert after.plan.place > 0


def test_what_a_block_adds_to_a_state_is_small() -> None:
    """Themes and old rows are shared with the state before."""
    state = state_with_themes()
    after, _ = play(untrained(), state, Controls(style=STYLE, bpm=200.0), 1)
    assert after.themes is state.themes
    known = {id(array) for array in arrays_of(state)}
    new = sum(array.nbytes for array in arrays_of(after) if id(array) not in known)
    assert new < 20_000


def arrays_of(state: State) -> list[np.ndarray]:
    themes = [theme.rows for theme in state.themes]
    tensors = [state.hidden.numpy(), state.output.numpy()]
    return [*state.history.chunks, *themes, *tensors]


def test_a_copy_differs_in_what_is_named_alone() -> None:
    state = state_with_themes()
    copy = state.with_(tempo=99.0, due=True)
    changed = {f.name for f in fields(State) if getattr(copy, f.name) is not getattr(state, f.name)}
    assert changed == {"tempo", "due"} and (copy.tempo, copy.due) == (99.0, True)
    assert copy == replace(state, tempo=99.0, due=True)
    with pytest.raises(TypeError, match="tempi"):
        state.with_(tempi=99.0)

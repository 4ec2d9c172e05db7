"""Soft takeover: the truth table, and what must hold for every path of a knob."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.control.midi.takeover import (
    PICKUP_TOLERANCE,
    TAKEOVER_MODES,
    VALUE_TOLERANCE,
    TakeoverMode,
    TakeoverState,
    is_engaged,
    move,
)

# Mode, where the knob was, what it last set, where it is now, the value -> the new value.
# "held": it set the value itself. "moved": somebody else has moved it since. "new": never seen.
NEW, OFF = None, None
TABLE: list[tuple[TakeoverMode, float | None, float | None, float, float, float | None]] = [
    # jump: the knob is always right
    ("jump", NEW, OFF, 0.2, 0.8, 0.2),
    ("jump", NEW, OFF, 0.8, 0.8, 0.8),
    ("jump", 0.1, OFF, 0.2, 0.8, 0.2),
    ("jump", 0.9, OFF, 0.7, 0.8, 0.7),
    ("jump", 0.8, 0.8, 0.9, 0.8, 0.9),
    ("jump", 0.8, 0.8, 0.9, 0.2, 0.9),
    ("jump", 0.5, OFF, 0.0, 1.0, 0.0),
    ("jump", 0.5, OFF, 1.0, 0.0, 1.0),
    # pickup, first touch: only at the value
    ("pickup", NEW, OFF, 0.2, 0.8, None),
    ("pickup", NEW, OFF, 0.9, 0.8, None),
    ("pickup", NEW, OFF, 0.8, 0.8, 0.8),
    ("pickup", NEW, OFF, 0.81, 0.8, 0.81),
    ("pickup", NEW, OFF, 0.83, 0.8, None),
    ("pickup", NEW, OFF, 0.0, 0.0, 0.0),
    ("pickup", NEW, OFF, 1.0, 1.0, 1.0),
    # pickup, on the way: below, above, across, away, on to it
    ("pickup", 0.1, OFF, 0.3, 0.8, None),
    ("pickup", 0.3, OFF, 0.1, 0.8, None),
    ("pickup", 0.9, OFF, 0.85, 0.8, None),
    ("pickup", 0.85, OFF, 0.95, 0.8, None),
    ("pickup", 0.7, OFF, 0.9, 0.8, 0.9),
    ("pickup", 0.9, OFF, 0.7, 0.8, 0.7),
    ("pickup", 0.0, OFF, 1.0, 0.8, 1.0),
    ("pickup", 0.7, OFF, 0.795, 0.8, 0.795),
    ("pickup", 0.2, OFF, 0.0, 0.0, 0.0),
    ("pickup", 0.9, OFF, 1.0, 1.0, 1.0),
    # pickup, held: follows, however fast
    ("pickup", 0.5, 0.5, 0.6, 0.5, 0.6),
    ("pickup", 0.5, 0.5, 1.0, 0.5, 1.0),
    # pickup, moved by another: lets go until it is met again
    ("pickup", 0.5, 0.5, 0.6, 0.9, None),
    ("pickup", 0.5, 0.5, 0.4, 0.1, None),
    ("pickup", 0.5, 0.5, 0.95, 0.9, 0.95),
    ("pickup", 0.5, 0.5, 0.51, 0.505, 0.51),
    # scale, first touch: nothing to scale from
    ("scale", NEW, OFF, 0.2, 0.8, None),
    ("scale", NEW, OFF, 0.8, 0.8, 0.8),
    # scale: the share of the way that is left
    ("scale", 0.0, OFF, 0.5, 0.0, 0.5),
    ("scale", 0.2, OFF, 0.6, 0.8, 0.9),
    ("scale", 0.2, OFF, 1.0, 0.8, 1.0),
    ("scale", 0.2, OFF, 0.1, 0.8, 0.4),
    ("scale", 0.2, OFF, 0.0, 0.8, 0.0),
    ("scale", 0.8, OFF, 0.9, 0.2, 0.6),
    ("scale", 0.8, OFF, 0.4, 0.2, 0.1),
    ("scale", 0.5, OFF, 0.5, 0.2, None),
    ("scale", 0.5, 0.5, 0.6, 0.5, 0.6),
    ("scale", 1.0, OFF, 0.9, 1.0, 0.9),
    ("scale", 0.0, OFF, 0.1, 1.0, 1.0),
]


def test_the_table_is_as_long_as_it_has_to_be() -> None:
    assert len(TABLE) >= 32 and len(set(TABLE)) == len(TABLE)
    assert {row[0] for row in TABLE} == set(TAKEOVER_MODES)


@pytest.mark.parametrize(("mode", "before", "sent", "knob", "value", "expected"), TABLE)
def test_truth_table(
    mode: TakeoverMode,
    before: float | None,
    sent: float | None,
    knob: float,
    value: float,
    expected: float | None,
) -> None:
    state, new = move(mode, TakeoverState(before, sent), knob, value)
    assert new == (None if expected is None else pytest.approx(expected))
    assert state.knob == knob
    if new is not None:
        assert is_engaged(state, new)


paths = st.lists(st.floats(0, 1), min_size=1, max_size=40)
modes = st.sampled_from(TAKEOVER_MODES)


@given(modes, paths, st.floats(0, 1))
def test_the_value_stays_in_range(mode: TakeoverMode, path: list[float], value: float) -> None:
    state = TakeoverState()
    for knob in path:
        state, new = move(mode, state, knob, value)
        value = value if new is None else new
        assert 0.0 <= value <= 1.0


@given(st.sampled_from(["pickup", "scale"]), paths, st.floats(0, 1))
def test_it_never_jumps_against_the_hand(
    mode: TakeoverMode, path: list[float], value: float
) -> None:
    """The value goes only the way the knob goes, and nothing is moved by the first touch."""
    state = TakeoverState()
    for knob in path:
        before = state.knob
        state, new = move(mode, state, knob, value)
        if new is None:
            continue
        if before is None:
            assert abs(new - value) <= PICKUP_TOLERANCE
        else:
            slack = PICKUP_TOLERANCE if mode == "pickup" else 1e-9
            assert (new - value) * (knob - before) >= -slack * abs(knob - before)
        value = new


@given(paths, st.floats(0, 1))
def test_scaling_meets_at_the_ends(path: list[float], value: float) -> None:
    state = TakeoverState()
    for knob in (0.5, *path):
        state, new = move("scale", state, knob, value)
        value = value if new is None else new
    for end in (0.0, 1.0, 0.0):
        state, new = move("scale", state, end, value)
        value = value if new is None else new
        assert value == pytest.approx(end, abs=1e-9)


@given(paths, st.floats(0, 1))
def test_a_knob_swept_from_end_to_end_picks_up(path: list[float], value: float) -> None:
    state = TakeoverState()
    for knob in (*path, 0.0, 1.0):
        state, new = move("pickup", state, knob, value)
        value = value if new is None else new
    assert value == 1.0


@given(modes, st.floats(0, 1), st.floats(0, 1))
def test_what_another_hand_does_lets_go(mode: TakeoverMode, knob: float, other: float) -> None:
    state, _ = move("jump", TakeoverState(), knob, 0.5)
    assert is_engaged(state, knob)
    assert is_engaged(state, other) == (abs(knob - other) <= VALUE_TOLERANCE)

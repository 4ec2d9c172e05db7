"""What each kind of parameter takes: the table in `values`, cell by cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.control.osc.messages import Argument, parse
from app.control.osc.values import position_of, strength_of, value_of
from app.parameters.parameter import Parameter, Value
from app.parameters.registry import Registry
from models.errors import SegueError

TEMPO = Parameter("tempo", "Tempo", low=60, high=190, auto=True, default=None)
LEVEL = Parameter("level", "Level", low=0, high=2)
MUTE = Parameter("mute", "Mute", "switch", default=False)
KEY = Parameter("key", "Key", "choice", choices=("C major", "A minor", "3"), auto=True)
TAP = Parameter("tap", "Tap", "trigger")
REFUSED = "refused"

TABLE: list[tuple[Parameter, Argument, object]] = [
    (LEVEL, 0.7, 0.7),
    (LEVEL, 1, 1.0),
    (LEVEL, "0.7", 0.7),
    (LEVEL, " 7e-1 ", 0.7),
    (LEVEL, ".5", 0.5),
    (LEVEL, "0,7", REFUSED),
    (LEVEL, "1_0", REFUSED),
    (LEVEL, "0x1", REFUSED),
    (LEVEL, "nan", REFUSED),
    (LEVEL, "inf", REFUSED),
    (LEVEL, "1e999", REFUSED),
    (LEVEL, "", REFUSED),
    (LEVEL, "loud", REFUSED),
    (LEVEL, True, 2.0),
    (LEVEL, False, 0.0),
    (LEVEL, None, REFUSED),
    (LEVEL, "auto", REFUSED),
    (TEMPO, "Auto", None),
    (TEMPO, None, None),
    (TEMPO, "124.5", 124.5),
    (TEMPO, 1000.0, 190.0),
    (MUTE, 1, True),
    (MUTE, 0.4, False),
    (MUTE, "1", True),
    (MUTE, "On", True),
    (MUTE, "FALSE", False),
    (MUTE, True, True),
    (MUTE, False, False),
    (MUTE, None, REFUSED),
    (MUTE, "perhaps", REFUSED),
    (KEY, "A minor", "A minor"),
    (KEY, "a MINOR", "A minor"),
    (KEY, 1, "A minor"),
    (KEY, 1.0, "A minor"),
    (KEY, "1", "A minor"),
    (KEY, "3", "3"),  # a name before an index
    (KEY, 3, REFUSED),
    (KEY, -1, REFUSED),
    (KEY, "H minor", REFUSED),
    (KEY, True, REFUSED),
    (KEY, "auto", None),
    (KEY, None, None),
]


@pytest.mark.parametrize(("parameter", "argument", "expected"), TABLE)
def test_value(parameter: Parameter, argument: Argument, expected: object) -> None:
    registry = Registry()
    registry.add(parameter)
    if expected == REFUSED:
        with pytest.raises(SegueError) as refused:
            registry.set(parameter.name, value_of(parameter, argument))
        assert parameter.name in str(refused.value) and str(refused.value).endswith(".")
    else:
        registry.set(parameter.name, value_of(parameter, argument))
        assert registry.get(parameter.name) == expected


@pytest.mark.parametrize(
    ("argument", "expected"),
    [(0.5, 0.5), (1, 1.0), ("0.5", 0.5), (True, 1.0), (False, 0.0), (None, None), ("auto", None)],
)
def test_position(argument: Argument, expected: float | None) -> None:
    assert position_of(TEMPO, argument) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], 1.0), ([True], 1.0), ([False], 0.0), ([None], 0.0), (["0.5"], 0.5), ([7], 1.0)],
)
def test_strength(arguments: list[Argument], expected: float) -> None:
    assert strength_of(TAP, arguments) == expected


def test_words_that_are_no_position_and_no_strength() -> None:
    with pytest.raises(SegueError, match="position from 0 to 1"):
        position_of(TEMPO, "fast")
    with pytest.raises(SegueError, match="is a trigger"):
        strength_of(TAP, ["now"])


def test_a_comma_is_told() -> None:
    with pytest.raises(SegueError, match="needs a point, 0.7, not '0,7'"):
        value_of(LEVEL, "0,7")


arguments = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text())


@given(arguments | st.floats(allow_nan=False, allow_infinity=False))
def test_any_argument_is_taken_or_refused(argument: Argument) -> None:
    for parameter in (LEVEL, TEMPO, MUTE, KEY):
        registry = Registry()
        registry.add(parameter)
        value: Value = registry.get(parameter.name)
        try:
            registry.set(parameter.name, value_of(parameter, argument))
            value = registry.get(parameter.name)
        except SegueError:
            pass
        assert registry.get(parameter.name) == value


def test_the_message_of_the_report() -> None:
    assert parse(b"/segue/density\0\0" + b",s\0\0" + b"0.7\0") == ("/segue/density", ["0.7"])

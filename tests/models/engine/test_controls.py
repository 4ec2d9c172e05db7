"""Controls and blend: valid values, and error messages of invalid ones."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Controls, SegueError, blend
from models.engine.control_values import RANGES
from models.engine.controls import CONTROL_NAMES
from models.engine.triggers import triggers_of, with_triggers

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bpm": NAN}, "bpm is nan: give a finite number from 30 to 300"),
        ({"bpm": INF}, "bpm is inf"),
        ({"bpm": 0}, "bpm is 0: give a number from 30 to 300"),
        ({"bpm": 301}, "bpm is 301"),
        ({"bpm": "fast"}, "bpm is 'fast': give a number"),
        ({"bpm": True}, "bpm is True: give a number"),
        ({"density": -0.1}, "density is -0.1: give a number from 0 to 1"),
        ({"brightness": 1.01}, "brightness is 1.01"),
        ({"guidance": NAN}, "guidance is nan"),
        ({"chaos": 7}, "chaos is 7"),
        ({"key": "H minor"}, "'H minor' is not a key"),
        ({"key": "A sideways"}, "names no mode"),
        ({"key": 5}, "key is 5: write a name such as 'A minor'"),
        ({"mute": ["violins"]}, "no stem 'violins' to mute: choose from drums, bass, other"),
        ({"mute": "drums"}, "give a list of stems"),
        ({"notes": [128]}, "128 is not a note: give MIDI numbers from 0 to 127"),
        ({"notes": [60.5]}, "60.5 is not a note"),
        ({"notes": "C4"}, "give a list of MIDI numbers"),
        ({"strength": {"tempo": 1}}, "there is no control 'tempo'"),
        ({"strength": {"bpm": 2}}, "the strength of bpm is 2: give a number from 0 to 1"),
        ({"strength": {"bpm": NAN}}, "the strength of bpm is nan"),
        ({"strength": 0.5}, "strength is 0.5"),
        ({"style": [[1.0]]}, r"not an array of shape \(1, 1\)"),
        ({"style": []}, "a style is one vector"),
        ({"style": [1.0, NAN]}, "not finite"),
    ],
)
def test_wrong_values_are_refused_in_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(SegueError, match=words):
        Controls(**values)


def test_values_take_their_plain_form() -> None:
    controls = Controls(bpm=120, mute=["bass", "bass"], notes=[64, 60, 64])  # type: ignore[arg-type]
    assert isinstance(controls.bpm, float)
    assert controls.mute == frozenset({"bass"})
    assert controls.notes == (60, 64)
    assert controls == Controls(bpm=120.0, mute=frozenset({"bass"}), notes=(60, 64))


def test_controls_cannot_be_changed_behind_their_back() -> None:
    vector = np.ones(4, np.float32)
    controls = Controls(style=vector)
    vector[:] = 7
    assert controls.style is not None
    assert controls.style.tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="read-only"):
        controls.style[0] = 2


def test_equal_controls_hash_alike_and_survive_pickling() -> None:
    first = Controls(style=np.ones(4, np.float32), bpm=99, strength={"bpm": 0.5})
    second = Controls(style=np.ones(4, np.float32), bpm=99, strength={"bpm": 0.5})
    assert first == second
    assert hash(first) == hash(second)
    assert pickle.loads(pickle.dumps(first)) == first
    assert first != first.with_(style=np.zeros(4, np.float32))
    assert first != first.with_(style=None)
    assert first != first.with_(strength={"bpm": 0.25})


def test_a_changed_copy_is_validated() -> None:
    with pytest.raises(SegueError, match="bpm is 1"):
        Controls().with_(bpm=1)


def test_strength_is_full_when_set_and_nothing_at_auto() -> None:
    controls = Controls(bpm=120, key="A minor", strength={"key": 0.25, "density": 0.5})
    assert controls.strength_of("bpm") == 1.0
    assert controls.strength_of("key") == 0.25
    assert controls.strength_of("density") == 0.0
    assert controls.strength_of("mute") == 0.0
    assert controls.strength_of("notes") == 0.0
    assert Controls(notes=(60,)).strength_of("notes") == 1.0


@given(st.sampled_from(sorted(RANGES)), st.floats(allow_nan=True, allow_infinity=True))
def test_a_number_is_taken_exactly_within_its_range(name: str, value: float) -> None:
    low, high = RANGES[name]
    if low <= value <= high:
        assert getattr(Controls(**{name: value}), name) == value  # type: ignore[arg-type]
    else:
        with pytest.raises(SegueError, match=name):
            Controls(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("controls", "names"),
    [
        (Controls(), set()),
        (Controls(fill=True, reroll=frozenset({"lead"})), {"fill", "reroll.lead"}),
        (Controls(notes=(60,), strikes=(0, 127)), {"strike.0", "strike.127"}),
    ],
)
def test_triggers_by_their_names(controls: Controls, names: set[str]) -> None:
    assert triggers_of(controls) == names
    without = with_triggers(controls, ())
    assert not triggers_of(without) and without.notes == controls.notes
    assert with_triggers(without, names) == controls
    assert with_triggers(controls, names) is controls


def test_every_control_is_a_field() -> None:
    assert set(CONTROL_NAMES) == set(Controls.__dataclass_fields__) - {"strength"}


def test_blend_is_the_weighted_mean_and_keeps_its_length() -> None:
    mixed = blend([[1, 0], [0, 1]], [1, 3])
    assert mixed.tolist() == [0.25, 0.75]
    assert mixed.dtype == np.float32
    assert blend([[3, 4]], [0.2]).tolist() == [3, 4]


@pytest.mark.parametrize(
    ("styles", "weights", "words"),
    [
        ([], [], "no prompt to mix"),
        ([[1, 0]], [0], "all prompt weights are zero: raise at least one"),
        ([[1, 0], [0, 1]], [0, 0], "all prompt weights are zero"),
        ([[1, 0]], [NAN], "weight is not finite"),
        ([[1, 0]], [-1], "weight is negative"),
        ([[1, 0]], [1, 2], "1 prompts came with 2 weights"),
        ([[1, 0], [1]], [1, 1], "different sizes"),
        ([[1, INF]], [1], "not finite"),
    ],
)
def test_blend_refuses(styles: list[list[float]], weights: list[float], words: str) -> None:
    with pytest.raises(SegueError, match=words):
        blend(styles, weights)


@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(-10, 10, width=32), min_size=3, max_size=3),
            st.floats(0, 1e300),
        ),
        min_size=1,
        max_size=6,
    ).filter(lambda pairs: any(weight > 0 for _, weight in pairs))
)
def test_blend_lies_between_its_styles(pairs: list[tuple[list[float], float]]) -> None:
    styles = np.array([style for style, _ in pairs])
    mixed = blend(list(styles), [weight for _, weight in pairs])
    heard = styles[[weight > 0 for _, weight in pairs]]
    assert np.all(mixed >= heard.min(axis=0) - 1e-5)
    assert np.all(mixed <= heard.max(axis=0) + 1e-5)

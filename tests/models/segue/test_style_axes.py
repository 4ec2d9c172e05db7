"""Axes of the style space: named by what they do, and do what they are named by."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.engine.controls import Controls
from models.errors import SegueError
from models.segue.style.anchors import load, trait_features
from models.segue.style.axes import ELECTRONIC, PERCUSSIVE, SUSTAIN, StyleAxes
from models.segue.style.terms import INDEX, NAMES

ANCHORS = load()
AXES = StyleAxes(ANCHORS)
TRAITS = trait_features()
amounts = st.floats(-1.0, 1.0)


def mixture(style: np.ndarray) -> np.ndarray:
    """Terms of a style, (120,): the anchors are nearly independent of each other."""
    found, *_ = np.linalg.lstsq(ANCHORS.T.astype(np.float64), style.astype(np.float64), rcond=None)
    return np.asarray(found)


def test_the_ends_are_what_they_are_called() -> None:
    electronic, percussive = AXES.places
    assert np.corrcoef(electronic, TRAITS[:, ELECTRONIC])[0, 1] > 0.8
    assert np.corrcoef(percussive, TRAITS[:, PERCUSSIVE] - TRAITS[:, SUSTAIN])[0, 1] > 0.8
    assert abs(np.corrcoef(electronic, percussive)[0, 1]) < 0.3
    assert electronic[INDEX["Techno"]] > 1.5 and electronic[INDEX["Mandolin"]] < -1.0
    assert percussive[INDEX["Bongos"]] > 1.5 and percussive[INDEX["Cello"]] < -1.0


@pytest.mark.parametrize("term", NAMES)
def test_every_term_moves_along_its_axis_and_stays_itself(term: str) -> None:
    style = ANCHORS[INDEX[term]]
    for axis in (0, 1):
        places = []
        for amount in (-1.0, -0.5, 0.0, 0.5, 1.0):
            moved = AXES.move(style, (amount, 0.0) if axis == 0 else (0.0, amount))
            shares = mixture(moved)
            assert shares.min() > -1e-3 and shares.sum() == pytest.approx(1.0, abs=0.01)
            assert shares[INDEX[term]] > 0.25
            places.append(float(shares @ AXES.places[axis]))
        # What is at an end already goes no further.
        own = AXES.places[axis][INDEX[term]]
        assert own < -0.9 or places[0] < places[1] - 0.05 < places[2] - 0.1
        assert own > 1.2 or places[4] > places[3] + 0.05 > places[2] + 0.1
        assert places[4] - places[0] > 1.0


@given(amounts, amounts, st.integers(0, 119), st.integers(0, 119))
def test_a_small_turn_is_a_small_change(a: float, b: float, one: int, other: int) -> None:
    style = 0.6 * ANCHORS[one] + 0.4 * ANCHORS[other]
    moved = AXES.move(style, (a, b))
    again = AXES.move(style, (min(1.0, a + 0.01), max(-1.0, b - 0.01)))
    assert np.linalg.norm(again - moved) < 0.05
    assert np.isfinite(moved).all() and moved.dtype == np.float32


def test_the_middle_changes_nothing_and_another_engines_style_is_refused() -> None:
    style = ANCHORS[3]
    for controls in (Controls(style=style), Controls(style=style, electronic=0.0), Controls()):
        assert AXES.steered(controls) is controls
    turned = AXES.steered(Controls(style=style, percussive=1.0))
    assert turned.style is not None and not np.array_equal(turned.style, style)
    assert AXES.steered(Controls(electronic=1.0)).style is None
    with pytest.raises(SegueError, match="embed the prompt with this engine"):
        AXES.steered(Controls(style=np.ones(7, np.float32)))

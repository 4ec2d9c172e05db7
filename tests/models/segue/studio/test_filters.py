"""Filters of the studio against the textbook's loop."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import sosfilt

from models.segue.studio.filters import Filter, FilterSection, coefficients

CASCADES = {
    "one": (FilterSection("low", 900.0),),
    "strip": (
        FilterSection("high", 28.0),
        FilterSection("peak", 700.0, 0.9, 3.0),
        FilterSection("high_shelf", 7000.0, 0.7, -3.0),
    ),
    "sharp": (FilterSection("band", 2300.0, 9.0), FilterSection("low_shelf", 110.0, 0.7, 6.0)),
    "top": (FilterSection("low", 40_000.0),),
}  # fmt: skip


@pytest.mark.parametrize("name", CASCADES)
def test_blocks_are_filtered_as_one_piece(name: str) -> None:
    sections = CASCADES[name]
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 5 * 3840)).astype(np.float32) + np.float32(0.2)
    table = np.array([np.concatenate(coefficients(section)) for section in sections])
    made = Filter(sections)
    state = made.start()
    blocks = []
    for start in range(0, x.shape[1], 3840):
        y, state = made.run(x[:, start : start + 3840], state)
        blocks.append(y)
    wanted = sosfilt(table, x.astype(np.float64))
    assert np.abs(np.concatenate(blocks, axis=1) - wanted).max() < 3e-6


def test_a_state_is_not_written_to() -> None:
    made = Filter((FilterSection("high", 100.0),))
    state = made.start()
    state[:] = 0.25
    before = state.copy()
    made.run(np.ones((2, 3840), np.float32), state)
    assert np.array_equal(state, before)


def test_silence_comes_to_rest() -> None:
    made = Filter((FilterSection("low", 50.0),))
    _, state = made.run(np.ones((2, 3840), np.float32), made.start())
    for _ in range(100):
        y, state = made.run(np.zeros((2, 3840), np.float32), state)
    assert not y.any() and not state.any()


def test_a_state_with_fewer_sections_goes_on() -> None:
    """Moments of an older version lack the sections that came later."""
    x = np.sin(np.arange(3 * 3840) * 0.01).astype(np.float32) * np.ones((2, 1), np.float32)
    old, added = FilterSection("high", 40.0), FilterSection("high_shelf", 9500.0, 0.7, 4.0)
    before, after = Filter((old,)), Filter((old, added))
    _, state = before.run(x[:, :7680], before.start())
    _, whole = after.run(x[:, :7680], after.start())
    resumed, kept = after.run(x[:, 7680:], after.resumed(state))
    wanted, _ = after.run(x[:, 7680:], whole)
    assert np.abs(resumed - wanted)[:, 144:].max() < 1e-4
    assert after.resumed(kept) is kept

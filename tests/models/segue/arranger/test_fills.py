"""Fills: from where to where, on which drums, in which kits."""

from __future__ import annotations

import numpy as np
import pytest

from models.music.fills import KIT_FILLS
from models.music.score import DRUMS, KITS
from models.segue.arranger.clock import Tick
from models.segue.arranger.form.fills import fill_levels, fill_span


@pytest.mark.parametrize(
    ("asked", "place", "span"),
    [
        (False, 4, (-1, -1)),
        (True, 0, (100, 116)),
        (True, 10, (100, 106)),
        (True, 14, (114, 118)),  # the bar is as good as over: the next bar's last beat
    ],
)
def test_a_fill_goes_on_until_the_bar_ends(asked: bool, place: int, span: tuple[int, int]) -> None:
    tick = Tick(0.0, 0.125, 120.0, place, 4, 16, 0.0, 0.0)
    assert fill_span((-1, -1), asked, tick, 100) == span


def test_one_that_is_played_goes_on() -> None:
    tick = Tick(0.0, 0.125, 120.0, 12, 4, 16, 0.0, 0.0)
    assert fill_span((100, 116), False, tick, 112) == (100, 116)


@pytest.mark.parametrize("kit", [kit for kit in KITS if kit != "none"])
def test_every_kit_has_a_fill(kit: str) -> None:
    assert kit in KIT_FILLS
    hits = [fill_levels((96, 104), step, kit, 3) for step in range(96, 104)]
    assert sum(int((row > 0).any()) for row in hits if row is not None) >= 2
    assert all(row is not None and row.shape == (len(DRUMS),) for row in hits)
    assert fill_levels((96, 104), 95, kit, 3) is None
    assert fill_levels((96, 104), 104, kit, 3) is None


def test_the_same_place_has_the_same_fill_and_another_seed_another() -> None:
    def fill(seed: int) -> bytes:
        rows = [fill_levels((0, 8), step, "rock", seed) for step in range(8)]
        return np.stack([row for row in rows if row is not None]).tobytes()

    assert fill(1) == fill(1)
    assert len({fill(seed) for seed in range(6)}) > 3


def test_without_a_kit_there_is_no_fill() -> None:
    assert fill_levels((0, 8), 3, "none", 1) is None

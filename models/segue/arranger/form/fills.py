"""Drum fills: where one is played, and its hits in each step."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.music.fills import KIT_FILLS, write_fill
from models.music.score import DRUMS
from models.segue.arranger.clock import Tick
from models.segue.arranger.steps import levels_of

Span = tuple[int, int]
"""First row of a fill and the row after its last."""
MIN_STEPS: int = 2  # steps of a bar that are too few for a fill


def fill_span(span: Span, due: bool, tick: Tick, step: int) -> Span:
    """Rows of the fill that is played or will be.

    Args:
        span: the one known so far.
        due: the performer requests one now: it goes on until the end of the bar, or, where the
            bar is as good as over, is played over the next bar's last beat.
        tick: the step that is being written, placed in time.
        step: its number since the start.

    """
    if not due:
        return span
    left = tick.steps_per_bar - tick.step_in_bar
    if left > MIN_STEPS:
        return step, step + left
    end = step + left + tick.steps_per_bar
    return end - tick.steps_per_beat, end


def fill_levels(span: Span, step: int, kit: str, seed: int) -> NDArray[np.uint8] | None:
    """(drums,) levels 0 to 3 of the fill in a row; None where there is none."""
    if not span[0] <= step < span[1] or kit not in KIT_FILLS:
        return None
    return np.asarray(_fill(span, kit, seed)[step - span[0]])


@lru_cache(maxsize=8)
def _fill(span: Span, kit: str, seed: int) -> NDArray[np.uint8]:
    length = span[1] - span[0]
    grid = np.zeros((length, len(DRUMS)), np.float32)
    kind = KIT_FILLS[kit]
    rng = np.random.default_rng([seed & 0xFFFFFFFF, span[0], 0xF111])
    # A "drop" thins out a written bar; nothing is written yet, so those kits play a roll.
    write_fill(grid, "snare_roll" if kind == "drop" else kind, length, rng)
    return levels_of(grid)

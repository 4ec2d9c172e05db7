"""Beats and bars of a block, from what the engine tells about it. GUI lane; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def beat_positions(
    score: Mapping[str, Any], position: int, frames: int, rate: int
) -> tuple[list[int], list[int]]:
    """Plan positions of the beats and of the bars that begin within a block.

    `score` tells `bars` (counted from the start of the stream, fractional), `bars_at` (frames
    behind the block's start where that count holds; its end, if it does not say), `bpm` and
    `beats_per_bar`. Where bars or bpm are missing no beat is known.
    """
    bars, bpm = _number(score.get("bars")), _number(score.get("bpm"))
    if bars is None or bpm is None or bpm <= 0:
        return [], []
    meter = int(_number(score.get("beats_per_bar")) or 4)
    if meter < 1:
        return [], []
    at = _number(score.get("bars_at"))
    anchor = float(frames) if at is None else at
    beat_frames = 60.0 / bpm * rate
    beats_at_anchor = bars * meter
    at_start = beats_at_anchor - anchor / beat_frames
    beats, starts = [], []
    # A hair of tolerance: a beat on the seam belongs to the block that it starts.
    number = math.ceil(at_start - 1e-6)
    while True:
        offset = (number - at_start) * beat_frames
        if offset >= frames - 0.5:
            break
        place = position + max(round(offset), 0)
        beats.append(place)
        if number % meter == 0:
            starts.append(place)
        number += 1
    return beats, starts


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)

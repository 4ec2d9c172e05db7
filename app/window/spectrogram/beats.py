"""Positions of beats and bars within a block, from its score."""

from __future__ import annotations

import math

from models.engine.interface import ScoreInfo


def beat_positions(
    score: ScoreInfo, position: int, frames: int, rate: int
) -> tuple[list[int], list[int]]:
    """Plan positions of the beats and of the bars that begin within a block.

    None where the score lacks bars or tempo.
    """
    bars, tempo, meter = score.bars, score.tempo, score.beats_per_bar
    if bars is None or tempo is None or not math.isfinite(bars) or tempo <= 0 or meter < 1:
        return [], []
    anchor = frames if score.bars_at is None else score.bars_at
    beat_frames = 60.0 / tempo * rate
    beats_at_anchor = bars * meter
    at_start = beats_at_anchor - anchor / beat_frames
    beats, starts = [], []
    # With a tolerance: a beat on a block boundary belongs to the later block.
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

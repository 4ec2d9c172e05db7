"""Onsets of what is played, as they happen: peaks of spectral flux over an adaptive threshold.

A peak is an onset where it is the highest within 30 ms before and 10 ms after, stands over the
moving mean, and no other came within 60 ms (Böck, Krebs and Schedl, "Evaluating the online
capabilities of onset detection methods", ISMIR 2012). It is known two frames after it was played.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.music.tracking.front_end import HOP_SECONDS, SoundFrame

MEMORY: Final = 0.97  # factor a frame of the moving mean: about 0.3 s
RATIO: Final = 2.2  # of the moving mean
LEAST: Final = 0.055  # mean rise of a band
APART: Final = 6  # frames between two onsets
LATENESS: Final = 0.017
"""Seconds from a sound's beginning to the end of the frame with the greatest rise."""
GATE: Final = 2e-4  # -74 dB: quieter is silence


@dataclass(frozen=True)
class Onset:
    """Beginning of a sound. `time` in seconds of the input; `strength` 0 to about 1."""

    time: float
    strength: float


@dataclass(frozen=True)
class OnsetState:
    """The last four values of spectral flux, oldest first, its moving mean, the last onset."""

    flux: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    mean: float = 0.0
    since: int = APART


def find_onset(state: OnsetState, frame: SoundFrame) -> tuple[OnsetState, Onset | None]:
    """Take one frame in.

    Args:
        state: after the frames before.
        frame: the next.

    Returns:
        The state after it, and the onset that it reveals, if there is one.

    """
    flux = float(frame.rise.sum()) / len(frame.rise) if frame.level > GATE else 0.0
    recent = (*state.flux[1:], flux)
    peak = recent[2]
    over = peak > max(LEAST, RATIO * state.mean)
    highest = peak >= max(recent[0], recent[1]) and peak > flux
    since = state.since + 1
    mean = MEMORY * state.mean + (1 - MEMORY) * flux
    if not (over and highest and since >= APART):
        return OnsetState(recent, mean, since), None
    # The parabola through the peak and its neighbours places it between frames.
    bend = recent[1] - 2 * peak + flux
    shift = 0.5 * (recent[1] - flux) / bend if bend < 0 else 0.0
    time = frame.time - HOP_SECONDS * (1 - float(np.clip(shift, -0.5, 0.5))) - LATENESS
    return OnsetState(recent, mean, 0), Onset(max(0.0, time), min(1.0, 2 * peak))

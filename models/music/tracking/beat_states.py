"""State space of the beat tracker: places within a beat, for each interval from beat to beat.

The efficient state space of Krebs, Böck and Widmer ("An efficient state-space model for joint tempo
and meter tracking", ISMIR 2015), for the beats of rhythm patterns, and what is believed of its
states before any sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.tracking.front_end import Line
from models.music.tracking.rhythm import FRAME, METRES, PLACES

INTERVALS: Final = (*range(14, 30), *range(30, 56, 2))
"""Frames from beat to beat: 214 to 55 beats a minute."""
STEADINESS: Final = 40.0  # lambda of Krebs et al.: how unlikely another interval is
SWITCH: Final = 0.03  # chance of another pattern in the next bar
USUAL: Final = 112.0  # beats a minute, most likely at first
SPREAD: Final = 0.35  # standard deviation of the logarithm
WALTZ: Final = 0.2  # chance of three beats in a bar at first


@dataclass(frozen=True, eq=False)
class StateSpace:
    """Constant arrays. A row is one beat of one pattern; the states of each interval follow one
    another. Beliefs have states first: their moves then copy whole lines.
    """

    lengths: Line  # (intervals,) frames
    interval: NDArray[np.int64]  # (states,) index
    first: NDArray[np.int64]  # (intervals,) state on the beat
    last: NDArray[np.int64]  # (intervals,) state before the next beat
    place: NDArray[np.int64]  # (states,) 0..PLACES
    halves: Line  # (states, 2) 1 in the first half of the beat, and in the second
    turn: NDArray[np.complex64]  # (states,) place on the unit circle
    move: Line  # (intervals, intervals) chances from, to
    after: Line  # (rows, rows) chances from, to
    places: Line  # (rows, 2 * places in a bar) 1 where a row's place is now, and where it is next


@lru_cache(maxsize=4)
def state_space(rows: tuple[tuple[int, int], ...]) -> StateSpace:
    """The state space of patterns whose rows are (metre, beat)."""
    lengths = np.array(INTERVALS)
    interval = np.repeat(np.arange(len(lengths)), lengths)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    within = (np.arange(len(interval)) - first[interval]) / lengths[interval]
    ratio = lengths[None, :] / lengths[:, None]
    # Wider steps between long intervals stand for more of them.
    move = np.exp(-STEADINESS * np.abs(ratio - 1)) * np.gradient(lengths)[None, :]
    move /= move.sum(axis=1, keepdims=True)
    before = np.zeros((len(rows), len(rows)))
    starts = [row for row, (_, beat) in enumerate(rows) if beat == 0]
    for row, (_, beat) in enumerate(rows):
        if beat:
            before[row, row - 1] = 1.0
            continue
        for start in starts:
            same = start == row
            before[row, start + rows[start][0] - 1] = (1 - SWITCH) * same + SWITCH / len(starts)
    return StateSpace(
        lengths.astype(np.float32),
        interval,
        first,
        first + lengths - 1,
        np.floor(within * PLACES + 0.5).astype(np.int64),
        np.stack([within <= 0.5, within > 0.5], axis=1).astype(np.float32),
        np.exp(2j * np.pi * within).astype(np.complex64),
        move.astype(np.float32),
        np.ascontiguousarray(before.T, np.float32),
        _bar_places(rows),
    )


BAR_PLACES: Final = tuple((metre, beat) for metre in METRES for beat in range(metre))


def _bar_places(rows: tuple[tuple[int, int], ...]) -> Line:
    """(rows, 2 * BAR_PLACES) the place of each row in its bar, and that of the next beat."""
    found = np.zeros((len(rows), 2 * len(BAR_PLACES)), np.float32)
    for row, (metre, beat) in enumerate(rows):
        found[row, BAR_PLACES.index((metre, beat))] = 1.0
        found[row, len(BAR_PLACES) + BAR_PLACES.index((metre, (beat + 1) % metre))] = 1.0
    return found


@lru_cache(maxsize=1)
def tapped() -> Line:
    """(intervals,) logarithm of how likely each tempo is before any sound."""
    bpm = 60 / FRAME / np.array(INTERVALS, np.float32)
    return np.asarray(-0.5 * (np.log(bpm / USUAL) / SPREAD) ** 2, np.float32)


@lru_cache(maxsize=4)
def prior(rows: tuple[tuple[int, int], ...]) -> Line:
    """Belief (states, rows) before any sound."""
    space = state_space(rows)
    tempo = np.exp(tapped()) * np.gradient(space.lengths)
    of_row = np.array([WALTZ if metre == METRES[1] else 1 - WALTZ for metre, _ in rows])
    metres = np.array([metre for metre, _ in rows])
    for metre in METRES:
        of_row[metres == metre] /= max(1, int((metres == metre).sum()))
    belief = (tempo / space.lengths)[space.interval][:, None] * of_row[None, :]
    return np.asarray(belief / belief.sum(), np.float32)

"""Posterior of the period of a MIDI clock whose clocks' numbers are known roughly.

At the end of a group of clocks (a burst, an audio block, or one clock) a time and a count are
known: so many clocks had been sent by then, and the next one had not. Between the two lies a
window: as long as a clock where an audio server collects them, short where each clock is handed
on at once, and its edges are blurred by the clocks' jitter. It says nothing of the past, so that a
late block does no harm. Clocks may be lost or doubled: a hidden Markov model whose state is the
difference from the rough number (Rabiner, "A tutorial on hidden Markov models", 1989, section
III.B).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
"""Enough for a few seconds to a microsecond."""
Ints = npt.NDArray[np.int64]

LOST_COST: Final = 4.5
DOUBLED_COST: Final = 7.0
"""Costs of a lost and of a doubled clock: minus the logarithm of their probability."""
JITTERS: Final = (0.0003, 0.001, 0.003)
"""Seconds by which clocks may be early or late; which of them fits is part of the hypothesis."""
WIDTHS: Final = (0.7, 1.0, 1.4)
"""Windows that are tried, as multiples of the spread of the times about a line."""
WIDE: Final = 4.0
"""Jitters above which a window's edges need not be as sharp as the smallest jitter."""
SLIPS: Final = np.array([-1, 0, 1], dtype=np.float32)
"""Differences from the rough numbers."""
OUTSIDE: Final = 0.02
"""Probability, per clock's length, of a time outside its window."""
REACH: Final = 2.0
"""Clocks by which a hypothesis may leave the rough line over the whole span."""
PRUNE_ENDS: Final = 4
PRUNE_COST: Final = 18.0
"""After every so many ends, hypotheses that are so much less probable are given up."""


@dataclass(frozen=True)
class PeriodFit:
    """Posterior of a period.

    period: mean in seconds. deviation: standard deviation in seconds. window: seconds of the most
    probable window. cost: minus the logarithm of the largest probability; comparable between fits
    of the same times.
    """

    period: float
    deviation: float
    window: float
    cost: float


@dataclass(frozen=True)
class _Hypotheses:
    """One of each per hypothesis; `start` is where the window of the middle number begins."""

    period: Singles
    start: Singles
    window: Singles
    jitter: Singles

    def kept(self, stay: npt.NDArray[np.bool_]) -> _Hypotheses:
        return _Hypotheses(
            self.period[stay], self.start[stay], self.window[stay], self.jitter[stay]
        )


def fit_period(
    ends: Floats, received: Floats, numbers: Floats, block: float, limits: tuple[float, float]
) -> PeriodFit | None:
    """Fit a period to the ends of groups.

    Args:
        ends: Times in seconds, ascending, at least 3.
        received: Number of the last clock of each group among those that were received.
        numbers: The same with a rough number of those lost and doubled.
        block: Seconds of the audio block to which the times are rounded up; 0.0 for none.
        limits: Shortest and longest period in seconds.

    Returns:
        The fit, or None where the numbers do not ascend or no period lies within the limits.

    """
    centre = float(ends.mean())  # small numbers, for single precision
    grid = _grid(ends - centre, numbers, block, limits)
    if grid is None or not len(grid.period):
        return None
    middle = float(numbers.mean())
    ends = ends - centre
    cost = np.tile(2.0 * np.abs(SLIPS), (len(grid.period), 1))
    moves = _moves(np.diff(numbers - received, prepend=numbers[0] - received[0]))
    for index, (end, number, move) in enumerate(zip(ends, numbers, moves, strict=True), 1):
        cost = np.min([cost[:, [slip]] + move[slip] for slip in range(len(SLIPS))], axis=0)
        cost += _own_cost(float(end), float(number - middle), grid)
        if index % PRUNE_ENDS == 0:
            least = cost.min(axis=1)
            stay = least < least.min() + PRUNE_COST
            grid, cost = grid.kept(stay), cost[stay]
    least = cost.min(axis=1).astype(np.float64)
    share = np.exp(least.min() - least)
    share /= share.sum()
    period = float(share @ grid.period)
    deviation = float(np.sqrt(share @ np.square(grid.period - period)))
    return PeriodFit(period, deviation, float(grid.window[least.argmin()]), float(least.min()))


def _moves(slips: Floats) -> Singles:
    """Costs from one difference [second axis] to another [third axis], of each end [first].

    slips: clocks lost, less those doubled, before each end by the rough numbers.
    """
    lost = slips[:, None, None] + SLIPS - SLIPS[:, None]
    return np.where(lost > 0, LOST_COST * lost, -DOUBLED_COST * lost).astype(np.float32)


def _grid(
    ends: Floats, numbers: Floats, block: float, limits: tuple[float, float]
) -> _Hypotheses | None:
    """Hypotheses about the least-squares line."""
    span, middle = float(numbers[-1] - numbers[0]), float(numbers.mean())
    if span <= 0.0:
        return None
    slope, at = (float(value) for value in np.polyfit(numbers, ends, 1))
    if slope <= 0.0:
        return None
    low, high = np.percentile(ends - at - slope * numbers, [5, 95])
    full = float(high - low) / 0.9
    centre = at + slope * middle + float(low + high) / 2
    found: list[Floats] = []
    for jitter in JITTERS:
        for window in _windows(full, jitter, block, slope):
            # Neighbours differ by no more than the jitter at either end of the span.
            step = max(jitter, window / len(ends) / 2)
            many = np.ceil(REACH * slope / step)
            periods = slope + np.arange(-many, many + 1) * step / span
            periods = periods[(periods >= limits[0]) & (periods <= limits[1])]
            many = np.ceil((window / 4 + 2 * jitter) / step)
            starts = centre - window / 2 + np.arange(-many, many + 1) * step
            period, start = (axis.ravel() for axis in np.meshgrid(periods, starts))
            same = np.ones(len(period))
            found.append(np.stack([period, start, window * same, jitter * same]))
    return _Hypotheses(*np.concatenate(found, axis=1).astype(np.float32))


def _windows(full: float, jitter: float, block: float, period: float) -> list[float]:
    """Windows in seconds. full: spread of the times about a line."""
    if block:
        # A block that holds one clock or more ends less than a clock after the last of them;
        # bursts that are longer than a block may end anywhere in it.
        found = {min(block, period)} | ({block} if full > 1.3 * period else set())
    else:
        found = {0.0, *(full * width for width in WIDTHS)}
    found = {max(window, 2 * jitter) for window in found}
    return sorted(window for window in found if jitter > JITTERS[0] or window <= WIDE * jitter)


def _own_cost(end: float, number: float, grid: _Hypotheses) -> Singles:
    """Minus the logarithm of a time's probability, per hypothesis and slip."""
    after = (end - grid.start - grid.period * number)[:, None] - grid.period[:, None] * SLIPS
    edge = np.minimum(after, grid.window[:, None] - after) / grid.jitter[:, None]
    inside = np.clip((edge + 1) / 2, 0.0, 1.0)
    cost: Singles = -np.log(inside * (grid.period / grid.window)[:, None] + OUTSIDE)
    return cost

"""Tempo of a MIDI clock that an audio server hands on block by block.

Then a time of arrival says only in which block a clock fell, so that the number of clocks in each
block is all there is to know. A hidden Markov model counts them (Rabiner, "A tutorial on hidden
Markov models", 1989, section III.A): its state is on which side of a block's end the clock nearest
to that end fell, which jitter decides; clocks may be lost or doubled. Periods and phases are
hypotheses on a grid, coarse and then fine; the tempo is the mean over them, since several may
explain the same counts where a clock is nearly as long as a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LOST: Final = 0.02
DOUBLED: Final = 0.004
"""Probability that a clock is lost, and that a block has one more than were sent."""
MOST: Final = 12
"""Clocks of a block, at most, that are told apart."""
JITTERS: Final = (0.003, 0.001, 0.0003)
"""Seconds by which clocks may be early or late; which of them fits is part of the hypothesis."""
SURPRISE: Final = 0.002
"""Probability that a clock falls on the other side of a block's end than the jitter allows."""
SLOWER: Final = 0.06
FASTER: Final = 0.08
"""How far the period may be from the mean interval, as a share: doubled and lost clocks."""
PRUNE_BLOCKS: Final = 12
PRUNE_COST: Final = 20.0
"""After every so many blocks, hypotheses that are so much less probable are given up."""
CANDIDATES: Final = 400
"""Coarse hypotheses that are looked at finely, at most."""
FINER: Final = 3
"""Fine periods, and fine phases, within a coarse one."""


@dataclass(frozen=True)
class BlockFit:
    """Seconds of a clock, their standard deviation, and minus the logarithm of the probability."""

    period: float
    deviation: float
    cost: float


def fit_blocks(
    times: Floats, block: float, near: float | None = None, reach: float = 0.003
) -> BlockFit | None:
    """Fit a period to the numbers of clocks in blocks.

    Args:
        times: Times of arrival in seconds, ascending.
        block: Length of a block in seconds, nominally.
        near: A period in seconds to search around; None searches around the mean interval.
        reach: Share of `near` that is searched on either side.

    Returns:
        The fit, or None where there are too few blocks.

    """
    counts, block = _counts(times, block)
    if len(counts) < 8 or not counts.sum():
        return None
    span = len(counts) * block
    mean = span / float(counts.sum())
    low, high = (mean * (1 - FASTER), mean * (1 + SLOWER))
    if near is not None:
        low, high = near * (1 - reach), near * (1 + reach)
    wide = JITTERS[0]
    # Neighbours on the grid differ by no more than the jitter at either end of the span.
    step = wide * mean / span
    periods = np.linspace(low, high, max(int(np.ceil((high - low) / step)), 2) + 1)
    phases = (np.arange(int(np.ceil(mean / wide)) + 1) + 0.5) / (int(np.ceil(mean / wide)) + 1)
    grid = [axis.ravel() for axis in np.meshgrid(periods, phases * mean, indexing="ij")]
    kept, cost = _costs(counts, block, grid[0], grid[1], np.full(len(grid[0]), wide), choose=True)
    order = np.argsort(cost)[:CANDIDATES]
    order = order[cost[order] < cost[order[0]] + PRUNE_COST]
    best = kept[order]
    inside = (np.arange(FINER) + 0.5) / FINER - 0.5
    spacing = (periods[1] - periods[0], mean / len(phases))
    fine = np.meshgrid(best, inside * spacing[0], inside * spacing[1], JITTERS, indexing="ij")
    chosen = fine[0].astype(np.int64)
    # A period turns about the middle of the span, so that the phase stays what it was there.
    turned = fine[1] * (span / 2 / mean)
    every = (grid[0][chosen] + fine[1], grid[1][chosen] + fine[2] - turned, fine[3])
    kept, cost = _costs(counts, block, *(axis.ravel() for axis in every), choose=False)
    weights = np.exp(cost.min() - cost)
    weights /= weights.sum()
    found = every[0].ravel()[kept]
    period = float(weights @ found)
    deviation = float(np.sqrt(weights @ np.square(found - period)))
    return BlockFit(period, deviation, float(cost.min()))


def _counts(times: Floats, block: float) -> tuple[Ints, float]:
    """Clocks of each whole block, and the seconds of a block as they were measured."""
    number = np.concatenate([[0], np.cumsum(np.rint(np.diff(times) / block))]).astype(np.int64)
    if number[-1] < 2:
        return np.zeros(0, np.int64), block
    return np.bincount(number)[1:-1], float(times[-1] - times[0]) / float(number[-1])


def _chances() -> Floats:
    """Logarithm of the probability of so many clocks [column] in a block, of those sent [row]."""
    table = np.zeros((MOST + 1, MOST + 2))
    for sent in range(MOST + 1):
        for lost in range(sent + 1):
            share = comb(sent, lost) * LOST**lost * (1 - LOST) ** (sent - lost)
            table[sent, sent - lost] += share * (1 - DOUBLED)
            table[sent, sent - lost + 1] += share * DOUBLED
    return np.asarray(np.log(np.maximum(table, 1e-8)))


_CHANCES: Final = _chances()


def _costs(
    counts: Ints, block: float, periods: Floats, phases: Floats, jitters: Floats, *, choose: bool
) -> tuple[Ints, Floats]:
    """The hypotheses that are left, by number, and their costs.

    phases: time of the clock numbered 0, in seconds after the first block's beginning. choose:
    within the jitter either side is free of cost, so that no finer hypothesis costs less.
    """
    kept = np.arange(len(periods))
    number, sides = _end(0.0, periods, phases, jitters, choose)
    right, left = sides
    join = np.maximum if choose else np.logaddexp
    for index, count in enumerate(counts, 1):
        before = number
        number, (to_right, to_left) = _end(index * block, periods, phases, jitters, choose)
        chances = _CHANCES[:, min(int(count), MOST + 1)]
        sent = np.clip(number - before, 0, MOST).astype(np.int64)
        same = chances[sent]
        less, more = chances[np.maximum(sent - 1, 0)], chances[np.minimum(sent + 1, MOST)]
        right, left = (
            to_right + join(right + same, left + less),
            to_left + join(right + more, left + same),
        )
        if index % PRUNE_BLOCKS == 0:
            most = np.maximum(right, left)
            stay = most > most.max() - PRUNE_COST
            kept, periods, phases, jitters = kept[stay], periods[stay], phases[stay], jitters[stay]
            number, right, left = number[stay], right[stay], left[stay]
    return kept, -join(right, left)


def _end(
    when: float, periods: Floats, phases: Floats, jitters: Floats, choose: bool
) -> tuple[Floats, tuple[Floats, Floats]]:
    """Number of the clock nearest to a block's end, and the chances that it falls right or left.

    Right is after the end. The chances are logarithms.
    """
    place = (when - phases) / periods
    number = np.rint(place)
    off = (number - place) * periods / jitters
    if choose:
        low = np.log(SURPRISE)
        return number, (np.where(off > -1.5, 0.0, low), np.where(off < 1.5, 0.0, low))
    share = np.clip(0.5 - off / 2, SURPRISE, 1 - SURPRISE)
    return number, (np.log1p(-share), np.log(share))

"""Tempo of a MIDI clock from the times at which its clocks arrived.

The times may be rounded up to the blocks of an audio server, come in bursts, jitter, and some
clocks may be lost or doubled. What arrived together is a group, of which only the end counts. Each
end's clock is given its number by dynamic programming: the most probable path of a hidden Markov
model whose state is the number of clocks lost so far (Rabiner, "A tutorial on hidden Markov
models", 1989, section III.B), for a grid of periods. `posterior` then says the period, and how sure
it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from app.control.midi.clock.blocks import TOGETHER, unusual_block
from app.control.midi.clock.posterior import fit_period
from models.music.score import SAMPLE_RATE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SLIP_COST: Final = 4.5
"""Cost of a lost or doubled clock: minus the logarithm of its probability, about 1 %."""
MAX_SLIPS_AT_ONCE: Final = 2
LEAST_JUMP: Final = 0.25
"""Least difference between gaps inside of bursts and between them, in clocks."""
NARROWEST: Final = 0.12
"""Smallest standard deviation of the path's model, in clocks."""
SLOWER: Final = 0.06
FASTER: Final = 0.055
"""How far the period may be from the mean interval, as a share: lost and doubled clocks."""
MOST_LOST: Final = 0.25
"""Share of lost clocks up to which a tempo is searched."""
OUTLIER: Final = 1.5
"""Distance, scaled, above which a time costs no more: it may have no cause in the model."""
PHASES: Final = 8
FLATNESS: Final = 0.5609
"""Scale of the density exp(-x**8) with standard deviation 1: sqrt(gamma(3/8) / gamma(1/8))."""
SPREADS: Final = (1.0, 0.6, 1.3, 0.3)
"""Standard deviations that are tried, as multiples of the measured one."""
_RATES: Final = (44_100, SAMPLE_RATE)
BLOCKS: Final = tuple(
    sorted((2**power / rate for power in range(8, 13) for rate in _RATES), reverse=True)
)
"""Blocks of audio servers in seconds that are not short beside a clock."""
BLOCK_JITTER: Final = 0.0004
"""Seconds by which a server may be late at a block."""
BLOCK_DRIFT: Final = 0.002
"""Share by which a block may be longer or shorter than nominally, a few xruns included."""
BLOCK_OFF: Final = 2e-5
"""Seconds by which a block may usually be longer or shorter than nominally."""
BLOCK_SHARE: Final = 0.6
"""Share of the clocks that must lie on the blocks; the others came with a late block."""
HALF_BLOCK_SHARE: Final = 0.1
"""How many more may lie on blocks of half the length by chance."""
LONGER: Final = 1.2
"""Times by which a block of another length must be longer than the usual one that was found."""
PRUNE_CLOCKS: Final = 8
PRUNE_COST: Final = 30.0
"""After every so many clocks, periods that cost so much more than the best one are given up."""
MODES: Final = 4
MODE_COST: Final = 14.0
MODE_CLOCKS: Final = 0.8
"""Paths that are looked at closely: how many, how much less probable than the best one at most,
and how many clocks apart over the whole at least."""
TEMPER: Final = 2.0
"""By which differences of paths' costs are divided: the model of the noise is a rough one."""
NEAR_WHOLE: Final = 0.025
"""How far a block may be from a whole or half number of clocks, as a share, and be near it."""
HIDDEN_CLOCKS: Final = 2.5
"""Standard error of the number of clocks there: one that was lost looks like one that has moved on
into the next block."""
SCATTER_WINDOW: Final = 36
"""Clocks over which the scatter is measured, so that few pieces contain a lost one."""


@dataclass(frozen=True)
class ClockLine:
    """Line of the times over the numbers of the clocks.

    period: seconds per clock. doubt: standard error of the period, as a share of it. hidden: the
    same of what times in blocks cannot tell, however well the line fits; 0.0 mostly. scatter:
    standard deviation of the times from the line, in clocks. cost: minus the logarithm of the
    probability of the best path; comparable between lines of the same times. ends: groups of clocks
    that were measured.
    """

    period: float
    doubt: float
    hidden: float
    scatter: float
    cost: float
    ends: int


def fit_clocks(times: Floats, near: float | None = None, reach: float = 0.003) -> ClockLine | None:
    """Fit a line to clocks.

    Args:
        times: Times of arrival in seconds, ascending, at least 3.
        near: A period in seconds to search around; None searches around the mean interval.
        reach: Share of `near` that is searched on either side.

    Returns:
        The line, or None where all arrived at one time.

    """
    times = times - times[0]
    block = block_seconds(times)
    ends, numbers = _groups(times, block)
    if len(ends) < 3:
        return None
    mean, _ = _line(numbers, ends)
    if mean <= 0.0:
        return None
    count = float(numbers[-1]) + 1.0
    slower = max(SLOWER, _lost(times, mean) + 0.03)
    if near is None:
        # In a short piece a few lost clocks are a large share.
        low = mean * (1 - max(slower, 3 / count))
        high = mean * (1 + max(FASTER, 3 / count))
    else:
        low, high = near * (1 - reach), near * (1 + reach)
    paths = _Paths(ends, numbers, int(np.ceil(max(FASTER, slower) * count)) + 3)
    steps = max(int(np.ceil((high - low) / mean * count * 3)), 2)
    # A block that holds a clock or more hides where within a clock's length it ended.
    floor = max(NARROWEST, min(block / mean, 1.0) / np.sqrt(12.0))
    scatter = _local_scatter(ends, numbers, mean)
    spreads = {max(scatter * factor, floor) for factor in SPREADS}
    fits = []
    for line in paths.best(np.linspace(low, high, steps + 1), sorted(spreads)):
        fit = fit_period(ends, numbers, numbers + paths.slips(*line), block, (low, high))
        if fit is not None:
            fits.append(fit)
    if not fits:
        return None
    best = min(fits, key=lambda fit: fit.cost)
    share = np.exp([(best.cost - fit.cost) / TEMPER for fit in fits])
    # Where several explain the times, none of them is sure.
    away = [(fit.period - best.period) ** 2 + fit.deviation**2 for fit in fits]
    doubt = float(np.sqrt(share @ away / share.sum())) / best.period
    spread = best.window / best.period / float(np.sqrt(12.0))
    hidden = HIDDEN_CLOCKS / count if _is_near_whole(block / best.period) else 0.0
    return ClockLine(best.period, doubt, hidden, spread, best.cost, len(ends))


def _is_near_whole(clocks: float) -> bool:
    """Whether a block lasts about a whole or half number of clocks, of one or more."""
    whole = max(round(2.0 * clocks), 2) / 2.0
    return abs(clocks / whole - 1.0) < NEAR_WHOLE


def _groups(times: Floats, block: float) -> tuple[Floats, Floats]:
    """Time and number of the last clock of each burst, block or single clock.

    The last group is left out, as it may not be complete, unless each is a single clock.
    """
    gaps = np.diff(times)
    mean = float(times[-1] - times[0]) / (len(times) - 1)
    apart = 0.5 * mean
    ordered = np.sort(gaps)
    jumps = np.diff(ordered)
    wide = np.flatnonzero(jumps > 0.5 * mean)
    if len(wide) and (first := (ordered[wide[0]] + ordered[wide[0] + 1]) / 2) <= 0.75 * mean:
        apart = float(first)
    # Above that it may be a lost clock, unless what lies between is always as many.
    loose = np.flatnonzero(jumps > LEAST_JUMP * mean)
    for index in loose[np.argsort(-jumps[loose])] if not block else ():
        middle = float(ordered[index] + ordered[index + 1]) / 2
        if _are_equal(np.flatnonzero(gaps >= middle), len(times)):
            apart = middle
            break
    last = np.append(gaps >= max(apart, TOGETHER), True)
    numbers = np.flatnonzero(last).astype(np.float64)
    whole = slice(None) if last.all() else slice(-1)
    return times[last][whole], numbers[whole]


def _are_equal(bounds: Ints, count: int) -> bool:
    """Whether groups of equal sizes, of two or more, fill the clocks, nearly all.

    bounds: indices of the last clock of each group. count: of clocks.
    """
    sizes = np.diff(bounds)
    usual = float(np.median(sizes)) if len(sizes) > 1 else 0.0
    # A few clocks that are lost in equal distances have more before or behind them.
    fill = usual >= 2.0 and max(bounds[0] + 1, count - 1 - bounds[-1]) <= usual
    return bool(fill) and float(np.mean(sizes == usual)) > 0.7


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Least squares (slope, value at 0)."""
    mean_x, mean_y = float(np.mean(x)), float(np.mean(y))
    far = x - mean_x
    total = float(far @ far)
    slope = float(far @ (y - mean_y)) / total if total else 0.0
    return slope, mean_y - slope * mean_x


def block_seconds(times: Floats) -> float:
    """The audio block to which times are rounded, in seconds; 0.0 where none is seen.

    A clock that is nearly as long as a block would otherwise be measured as the block. The usual
    lengths first: they need less evidence than others.
    """
    gaps = np.diff(times)
    unusual = unusual_block(gaps)
    for block in BLOCKS:
        blocks = np.round(gaps / block)
        share = _share_on(gaps, block)
        # Times on blocks of half the length lie on these too, but not all of them.
        if share <= BLOCK_SHARE or _share_on(gaps, block / 2) > share + HALF_BLOCK_SHARE:
            continue
        # Even clocks that are nearly as long as a block are so each time.
        off = float(np.median((gaps - blocks * block)[blocks > 0])) if blocks.any() else 0.0
        drift = abs(float(times[-1] - times[0]) / (float(blocks.sum()) * block or 1.0) - 1.0)
        if drift < BLOCK_DRIFT and abs(off) < BLOCK_OFF:
            # Times on longer blocks, of 1536 frames for instance, lie on those of a part too.
            return unusual if unusual > LONGER * block else float(block)
    return unusual


def _share_on(gaps: Floats, block: float) -> float:
    """Share of the gaps that are a whole number of blocks long."""
    return float(np.mean(np.abs(gaps - np.round(gaps / block) * block) < BLOCK_JITTER))


def _lost(times: Floats, mean: float) -> float:
    """About the share of even clocks that is lost; 0 in bursts, where no interval tells."""
    median = float(np.median(np.diff(times)))
    return min(max(1 - median / mean, 0.0), MOST_LOST) if median > 0.6 * mean else 0.0


def arrival_of(times: Floats, period: float) -> str:
    """How clocks come in, in words.

    Args:
        times: Times of arrival in seconds, ascending, at least 2.
        period: Measured seconds between clocks.

    Returns:
        Such as "clocks every 20.8 ms in steps of 21.3 ms"; steps are an audio server's blocks.

    """
    every = f"clocks every {1e3 * period:.1f} ms"
    block = block_seconds(times)
    if block:
        return f"{every} in steps of {1e3 * block:.1f} ms"
    gaps = np.diff(times)
    joined = float(np.mean(gaps < period / 2))
    burst = round(1 / max(1 - joined, 1 / len(times)))
    if burst > 1:
        return f"{every} in bursts of {burst}"
    number = np.round((times - times[0]) / period)
    slope, at = _line(number, times)
    off = float(np.max(np.abs(times - at - slope * number)))
    return f"{every}, {1e3 * off:.0f} ms early or late at most" if off > 5e-4 else every


def _local_scatter(ends: Floats, numbers: Floats, mean: float) -> float:
    """Typical standard deviation from a line over a short piece, in clocks."""
    size = min(SCATTER_WINDOW, len(ends))
    found = []
    for first in range(0, len(ends) - size + 1, max(size // 3, 1)):
        piece, x = ends[first : first + size], numbers[first : first + size]
        slope, at = _line(x, piece)
        found.append(float(np.std(piece - slope * x - at)))
    return float(np.median(found)) / mean


@dataclass(frozen=True)
class _Paths:
    """Paths of lost and doubled clocks through the ends of groups.

    ends: seconds. numbers: of each end's clock, as received. most: slips at most, either way.
    """

    ends: Floats
    numbers: Floats
    most: int

    def best(self, periods: Floats, spreads: list[float]) -> list[tuple[float, float, float]]:
        """Period, time of clock 0 and standard deviation (in clocks) of the best paths.

        They differ by a clock or so over the whole; the best comes first.
        """
        start = float(np.mean(self.ends - periods.mean() * self.numbers))
        wide, phase, width = (
            axis.ravel() for axis in np.meshgrid(periods, np.arange(PHASES) / PHASES, spreads)
        )
        phases = start + wide * phase
        offsets = np.arange(-self.most, self.most + 1, dtype=np.float32)
        cost = np.zeros((len(wide), len(offsets)), dtype=np.float32)
        for first in range(0, len(self.ends), PRUNE_CLOCKS):
            piece = self.ends[first : first + PRUNE_CLOCKS, None]
            number = self.numbers[first : first + PRUNE_CLOCKS, None]
            away = (((piece - phases) / wide - number) / width).astype(np.float32)
            each = (1 / width).astype(np.float32)[:, None] * offsets
            own = _cost(away[..., None] - each)
            for one in own:
                _advance(cost)
                cost += one
            cost += len(piece) * np.log(width).astype(np.float32)[:, None]
            least = cost.min(axis=1)
            kept = least < least.min() + PRUNE_COST
            wide, phases, width, cost = wide[kept], phases[kept], width[kept], cost[kept]
        least = cost.min(axis=1)
        found: list[tuple[float, float, float]] = []
        for index in np.argsort(least):
            if least[index] > least.min() + MODE_COST or len(found) == MODES:
                break
            apart = [abs(wide[index] / period - 1) * self.numbers[-1] for period, _, _ in found]
            if all(clocks > MODE_CLOCKS for clocks in apart):
                found.append((float(wide[index]), float(phases[index]), float(width[index])))
        return found

    def slips(self, period: float, phase: float, width: float) -> Ints:
        """Number of clocks lost (less those doubled) before each end, on the best path."""
        offsets = np.arange(-self.most, self.most + 1)
        away = (self.ends[:, None] - phase) / period - self.numbers[:, None] - offsets
        own = _cost(away / width)
        move = SLIP_COST * np.abs(offsets[:, None] - offsets)  # to, from
        cost = own[0]
        back = np.zeros(own.shape, dtype=np.int64)
        for number in range(1, len(own)):
            total = move + cost
            back[number] = total.argmin(axis=1)
            cost = total[np.arange(len(offsets)), back[number]] + own[number]
        path = np.empty(len(own), dtype=np.int64)
        path[-1] = int(np.argmin(cost))
        for number in range(len(own) - 1, 0, -1):
            path[number - 1] = back[number, path[number]]
        slips: Ints = offsets[path]
        return slips


def _advance(cost: npt.NDArray[np.float32]) -> None:
    """Allow lost and doubled clocks between two ends, in place, along the last axis."""
    doubled = cost[..., 1:] + SLIP_COST
    for _ in range(MAX_SLIPS_AT_ONCE):
        np.minimum(cost[..., 1:], cost[..., :-1] + SLIP_COST, out=cost[..., 1:])
    np.minimum(cost[..., :-1], doubled, out=cost[..., :-1])


def _cost(away: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Minus the logarithm of the density of the noise. away: in standard deviations.

    Nearly flat inside and steep at the edges, like the rounding of times up to a block: a normal
    density would prefer a wrong period that equals the block and leaves no scatter.
    """
    away = np.clip(away * FLATNESS, -OUTLIER, OUTLIER)
    for _ in range(3):
        np.square(away, out=away)
    return away

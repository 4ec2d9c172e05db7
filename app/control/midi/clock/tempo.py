"""Tempo of a MIDI clock from the times at which its clocks arrived.

The times may be rounded up to the blocks of an audio server, come in bursts, jitter, and some
clocks may be lost or doubled. Each clock is therefore given its number by dynamic programming: the
most probable path of a hidden Markov model whose state is the number of clocks lost so far
(Rabiner, "A tutorial on hidden Markov models", 1989, section III.B), for a grid of periods; a line
through times over numbers is the tempo. Where blocks are long, `blocks` counts instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from app.control.midi.clock.blocks import fit_blocks
from models.music.score import SAMPLE_RATE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SLIP_COST: Final = 4.5
"""Cost of a lost or doubled clock: minus the logarithm of its probability, about 1 %."""
MAX_SLIPS_AT_ONCE: Final = 2
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
LONG_BLOCK: Final = 0.5
"""Clocks of a block above which clocks are counted rather than timed."""
BLOCK_JITTER: Final = 0.0004
"""Seconds by which a server may be late at a block."""
BLOCK_DRIFT: Final = 0.002
"""Share by which a block may be longer or shorter than nominally, a few xruns included."""
BLOCK_SHARE: Final = 0.96
"""Share of the clocks that must lie on the blocks."""
PRUNE_CLOCKS: Final = 16
PRUNE_COST: Final = 40.0
"""After every so many clocks, periods that cost so much more than the best one are given up."""
BURST_SCATTER: Final = 0.5
"""Scatter in clocks above which clocks come in bursts."""
SCATTER_WINDOW: Final = 36
"""Clocks over which the scatter is measured, so that few pieces contain a lost one."""


@dataclass(frozen=True)
class ClockLine:
    """Line of the times over the numbers of the clocks.

    period: seconds per clock. doubt: standard error of the period, as a share of it. scatter:
    standard deviation of the times from the line, in clocks. cost: minus the logarithm of the
    probability of the best path; comparable between lines of the same times.
    """

    period: float
    doubt: float
    scatter: float
    cost: float = 0.0


def fit_clocks(times: Floats, near: float | None = None, reach: float = 0.003) -> ClockLine | None:
    """Fit a line to clocks.

    Args:
        times: Times of arrival in seconds, ascending, at least 3.
        near: A period in seconds to search around; None searches around the mean interval.
        reach: Share of `near` that is searched on either side.

    Returns:
        The line, or None where all arrived at one time.

    """
    count = len(times)
    times = times - times[0]
    mean, _ = _line(np.arange(count, dtype=np.float64), times)
    if mean <= 0.0:
        return None
    scatter = _local_scatter(times, mean)
    block = block_seconds(times)
    # A long block hides where within it a clock fell; bursts are no block's doing.
    if block > LONG_BLOCK * mean and scatter * np.sqrt(12.0) < block / mean + 1.0:
        counted = fit_blocks(times, block, near, reach)
        if counted is not None:
            share = counted.deviation / counted.period
            return ClockLine(counted.period, share, block / mean / np.sqrt(12.0), counted.cost)
    slower = max(SLOWER, _lost(times, mean) + 0.03)
    if near is None:
        # In a short piece a few lost clocks are a large share.
        low = mean * (1 - max(slower, 3 / count))
        high = mean * (1 + max(FASTER, 3 / count))
    else:
        low, high = near * (1 - reach), near * (1 + reach)
    factors = SPREADS if near is None else SPREADS[:3]
    steps = max(int(np.ceil((high - low) / mean * count * 3)), 2)
    periods = np.linspace(low, high, steps + 1)
    slips = int(np.ceil(max(FASTER, slower) * count)) + 3
    start = times[0] + np.mean(times - mean * np.arange(count))
    floor = max(NARROWEST, block / mean / np.sqrt(12.0))
    period, phase, width, cost = _best(times, periods, start, scatter, floor, slips, factors)
    numbers = np.arange(count) + _path(times, period, phase, width, slips)
    slope, at = _line(numbers.astype(np.float64), times)
    if slope <= 0.0:
        return None
    if scatter > BURST_SCATTER:
        # Light ends: whether a burst has just begun or ended must not tilt the line.
        place = (numbers - numbers[0]) / max(numbers[-1] - numbers[0], 1)
        slope, at = _line(numbers.astype(np.float64), times, 4 * place * (1 - place))
    rest = times - (at + slope * numbers)
    spread = float(np.sqrt(np.mean(rest * rest))) / slope
    length = float(numbers[-1] - numbers[0]) or 1.0
    return ClockLine(slope, spread * np.sqrt(12.0 / count) / length, spread, cost)


def _line(x: Floats, y: Floats, weights: Floats | None = None) -> tuple[float, float]:
    """Least squares (slope, value at 0)."""
    share = np.full(len(x), 1.0 / len(x)) if weights is None else weights / weights.sum()
    mean_x, mean_y = float(share @ x), float(share @ y)
    far = x - mean_x
    total = float(share @ (far * far))
    slope = float(share @ (far * (y - mean_y))) / total if total else 0.0
    return slope, mean_y - slope * mean_x


def block_seconds(times: Floats) -> float:
    """The audio block to which times are rounded, in seconds; 0.0 where none is seen.

    A clock that is nearly as long as a block would otherwise be measured as the block.
    """
    gaps = np.diff(times)
    for block in BLOCKS:
        blocks = np.round(gaps / block)
        if np.mean(np.abs(gaps - blocks * block) < BLOCK_JITTER) <= BLOCK_SHARE:
            continue
        # Even clocks that are nearly as long as a block drift away from it.
        drift = abs(float(times[-1] - times[0]) / (float(blocks.sum()) * block or 1.0) - 1.0)
        if drift < BLOCK_DRIFT:
            return float(block)
    return 0.0


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


def _local_scatter(times: Floats, mean: float) -> float:
    """Typical standard deviation from a line over a short piece, in clocks."""
    size = min(SCATTER_WINDOW, len(times))
    found = []
    for first in range(0, len(times) - size + 1, max(size // 3, 1)):
        piece, x = times[first : first + size], np.arange(size, dtype=np.float64)
        slope, at = _line(x, piece)
        found.append(float(np.std(piece - slope * x - at)))
    return float(np.median(found)) / mean


def _advance(cost: npt.NDArray[np.float32]) -> None:
    """Allow lost and doubled clocks between two clocks, in place, along the last axis."""
    doubled = cost[..., 1:] + SLIP_COST
    for _ in range(MAX_SLIPS_AT_ONCE):
        np.minimum(cost[..., 1:], cost[..., :-1] + SLIP_COST, out=cost[..., 1:])
    np.minimum(cost[..., :-1], doubled, out=cost[..., :-1])


def _best(
    times: Floats,
    periods: Floats,
    start: float,
    scatter: float,
    floor: float,
    slips: int,
    factors: tuple[float, ...],
) -> tuple[float, float, float, float]:
    """Period, time of clock 0, standard deviation (in clocks) and cost of the best path."""
    spreads = sorted({max(scatter * factor, floor) for factor in factors})
    wide, phase, width = (
        axis.ravel() for axis in np.meshgrid(periods, np.arange(PHASES) / PHASES, spreads)
    )
    phases = start + wide * phase
    offsets = np.arange(-slips, slips + 1, dtype=np.float32)
    cost = np.zeros((len(wide), len(offsets)), dtype=np.float32)
    for first in range(0, len(times), PRUNE_CLOCKS):
        piece = times[first : first + PRUNE_CLOCKS, None]
        number = first + np.arange(len(piece))[:, None]
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
    best = int(np.argmin(least))
    return float(wide[best]), float(phases[best]), float(width[best]), float(least[best])


def _cost(away: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Minus the logarithm of the density of the noise. away: in standard deviations.

    Nearly flat inside and steep at the edges, like the rounding of times up to a block: a normal
    density would prefer a wrong period that equals the block and leaves no scatter.
    """
    away = np.clip(away * FLATNESS, -OUTLIER, OUTLIER)
    for _ in range(3):
        np.square(away, out=away)
    return away


def _path(times: Floats, period: float, phase: float, width: float, slips: int) -> Ints:
    """Number of clocks lost (less those doubled) before each clock, on the best path."""
    offsets = np.arange(-slips, slips + 1)
    away = (times[:, None] - phase) / period - np.arange(len(times))[:, None] - offsets
    own = _cost(away / width)
    change = offsets[:, None] - offsets  # to, from
    move = np.where(change > 0, change * SLIP_COST, -change * SLIP_COST)
    move = np.where((change < -1) | (change > MAX_SLIPS_AT_ONCE), np.inf, move)
    cost = own[0]
    back = np.zeros(own.shape, dtype=np.int64)
    for number in range(1, len(times)):
        total = move + cost
        back[number] = total.argmin(axis=1)
        cost = total[np.arange(len(offsets)), back[number]] + own[number]
    path = np.empty(len(times), dtype=np.int64)
    path[-1] = int(np.argmin(cost))
    for number in range(len(times) - 1, 0, -1):
        path[number - 1] = back[number, path[number]]
    return offsets[path]

"""Measurement of a MIDI clock: the tempo of the clocks of a window, and whether it has changed.

Pure: it may run in any thread, since a long window in large blocks takes a while.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from app.control.midi.clock.tempo import ClockLine, Floats, arrival_of, fit_clocks

SHORT_WINDOW: Final = 24
"""Fewest clocks that are measured, and after a change of tempo those that are kept."""
BURST_WINDOW: Final = 48
"""The same where clocks come in bursts."""
LONG_SECONDS: Final = 5.0
"""Seconds that are measured at most where the tempo is sure."""
SMOOTHING: Final = 0.25
"""Share of a new measurement in the tempo."""
MAX_REGULAR_SCATTER: Final = 0.2
"""Scatter in clocks above which they come in bursts or blocks."""
MIN_SINGLE: Final = 0.7
"""Share of clocks that come alone below which they come in bursts or blocks."""
SAME_PERIOD: Final = 0.002
"""Share by which two periods may differ and count as the same."""
KEEP_COST: Final = 3.0
"""How much less probable the present period may be, as a logarithm, and stay."""
CHANGE_COST: Final = 12.0
"""How much more probable another period must be, as a logarithm, to count as a new tempo."""


@dataclass(frozen=True)
class ClockMeasurement:
    """What the clocks of a window say.

    line: of the clocks. period: smoothed seconds between clocks. arrival: how they come in, see
    `arrival_of`. seconds: that were measured. suspected: a change of tempo that the next
    measurement must confirm. since: time of the first clock that still counts.
    """

    line: ClockLine
    period: float
    arrival: str
    seconds: float
    suspected: bool
    since: float


def measure_clocks(times: Floats, period: float | None, suspected: bool) -> ClockMeasurement | None:
    """Measure clocks.

    Args:
        times: Times of arrival in seconds, ascending.
        period: Smoothed period of the measurement before, None where there is none.
        suspected: Whether that one suspected a change of tempo.

    Returns:
        The measurement, or None where all arrived at one time.

    """
    seconds, since = float(times[-1] - times[0]), float(times[0])
    # A short window says less than the next one, which is then measured afresh.
    settled = seconds > 0.8 * LONG_SECONDS
    line = fit_clocks(times)
    if line is None:
        return None
    if settled and period is not None and not _is_near(line, period):
        # A tempo that explains the times about as well is still the tempo.
        same = fit_clocks(times, period, SAME_PERIOD)
        if same is not None and same.cost < line.cost + KEEP_COST:
            line = replace(same, doubt=line.doubt, hidden=line.hidden)
    is_single = line.scatter < MAX_REGULAR_SCATTER and line.ends > MIN_SINGLE * len(times)
    keep = SHORT_WINDOW if is_single else BURST_WINDOW
    if len(times) >= 2 * keep:
        young = _changed(times[-keep:], line)
        if young is not None and suspected:
            line, period, since, young = young, None, float(times[-keep]), None
        suspected = young is not None
    if period is None or not _is_near(line, period):
        period = line.period
    period += (SMOOTHING if settled else 1.0) * (line.period - period)
    return ClockMeasurement(line, period, arrival_of(times, period), seconds, suspected, since)


def _is_near(line: ClockLine, period: float) -> bool:
    """Whether a line has about this period."""
    return abs(line.period / period - 1.0) <= SAME_PERIOD


def _changed(young: Floats, line: ClockLine) -> ClockLine | None:
    """The line of the latest clocks, where it is another one than that of all clocks."""
    same = fit_clocks(young, line.period, SAME_PERIOD)
    if same is None or same.cost < line.cost * same.ends / line.ends + CHANGE_COST / 2:
        return None
    new = fit_clocks(young)
    if new is None or abs(new.period / line.period - 1.0) <= 4.0 * new.doubt + SAME_PERIOD:
        return None
    return new if new.cost + CHANGE_COST < same.cost else None

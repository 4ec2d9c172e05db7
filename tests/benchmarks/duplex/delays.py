"""Delays from what was played in to the first sound that depends on it. Pure.

All places are plan positions, in frames at 48 kHz: what is played in while a position is heard
belongs to it, and a block written behind it sounds as much later as its first frame lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

RATE: Final = 48_000
EARLY: Final = 0.03
"""Seconds by which an ear may put a stroke before its time."""
ANSWERED: Final = 5.0
"""Seconds after which a stroke counts as unanswered."""


@dataclass(frozen=True)
class Write:
    """A block that was written into the plan.

    Attributes:
        join: first frame of it that sounds.
        stop: end of the block.
        read: the reader's position when it was written.
        noted: position of the newest note or hit that it remembers; -1: it remembers nothing.
        known: position before which the echo has the input; -1: it has none.
        followed: position of the newest input that Follow's plan rests on; -1: nothing steers.

    """

    join: int
    stop: int
    read: int
    noted: int = -1
    known: int = -1
    followed: int = -1


@dataclass(frozen=True)
class Reader:
    """What is heard when: times, read positions and latencies, of rising time.

    `at` gives the plan position that is heard at a time.
    """

    times: Sequence[float]
    read: Sequence[int]
    latency: Sequence[float]

    def at(self, when: float) -> float:
        """Plan position (frames) that is heard at time.monotonic() `when`."""
        index = max(0, int(np.searchsorted(self.times, when)) - 1)
        return self.read[index] + (when - self.times[index] - self.latency[index]) * RATE


def first_joins(
    strokes: Sequence[float], writes: Sequence[Write], field: str, early: float = 0.0
) -> list[float]:
    """Seconds from each stroke to the first sound of a block that knows it; nan where there is
    none within ANSWERED.

    Args:
        strokes: plan positions.
        writes: in the order of writing.
        field: of `Write`, which says what a block knows.
        early: seconds by which it may know the stroke sooner than it was.

    """
    found = np.array([getattr(write, field) for write in writes])
    joins = np.array([max(write.join, write.read) for write in writes])
    delays = []
    for stroke in strokes:
        knows = (found >= stroke - early * RATE) & (joins >= stroke - early * RATE)
        delay = (joins[knows].min() - stroke) / RATE if knows.any() else np.nan
        delays.append(float(delay) if delay <= ANSWERED else float("nan"))
    return delays


def plan_delays(writes: Sequence[Write], first: float, last: float) -> list[float]:
    """Seconds from the newest input that a plan of Follow rests on to the first sound under it, or
    under one that rests on later input; of plans between two positions.
    """
    plans = sorted({write.followed for write in writes if first < write.followed < last})
    delays = first_joins(plans, writes, "followed")
    return [delay for delay in delays if delay == delay]


def returned(strokes: Sequence[float], writes: Sequence[Write], delay: int) -> float:
    """Share of the strokes that were in the echo when it was due, `delay` frames later."""
    there = []
    for stroke in strokes:
        due = stroke + delay
        over = [w for w in writes if w.join <= due < w.stop and w.read <= due]
        if over:
            there.append(over[-1].known > stroke)
    return float(np.mean(there)) if there else float("nan")


def undelivered(
    given: Sequence[tuple[float, int]], received: Sequence[tuple[float, int]], span: int = 200
) -> int:
    """Frames that a player gave and the instrument never received.

    Args:
        given, received: pairs of a time and the frames so far, of rising time.
        span: pairs at the beginning and at the end whose median counts: both are read at any
            place of a block.

    """
    if not given or not received:
        return 0
    times, counts = np.transpose(np.array(given))
    there = np.array([pair for pair in received if times[0] + 1.0 < pair[0] < times[-1]])
    if len(there) < 2 * span:
        return 0
    apart = counts[np.searchsorted(times, there[:, 0], "right") - 1] - there[:, 1]
    return max(0, round(float(np.median(apart[-span:]) - np.median(apart[:span]))))


def figures(seconds: Sequence[float]) -> dict[str, Any]:
    """Count, those without an answer, and median, p95 and worst in milliseconds."""
    found = np.array([each for each in seconds if each == each])
    if not len(found):
        return {"count": len(seconds), "unanswered": len(seconds)}
    return {
        "count": len(seconds),
        "unanswered": len(seconds) - len(found),
        "median_ms": round(1e3 * float(np.median(found)), 1),
        "p95_ms": round(1e3 * float(np.quantile(found, 0.95)), 1),
        "worst_ms": round(1e3 * float(found.max()), 1),
    }

"""What an engine's speed means for the music, said before it plays. Pure logic.

An engine that makes f seconds of music in a second empties a plan of D seconds in D / (1 - f)
seconds of music. Made before one plays, a deeper plan so carries an engine that is a little slow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.inference.messages import WorkerSettings
from app.inference.status import WorkerStatus

ENOUGH_BLOCKS: Final = 14
"""Blocks until a speed counts: the first ones fill caches and prepare traces."""
KEEPS_UP: Final = 1.02
"""Speed from which an engine plays on; what is less makes no use of a reserve that was lost."""
DEEP_PLAN: Final = 16.0
"""Seconds of plan for an engine that is too slow: each holds snapshots, of Magenta 43 MB."""


@dataclass(frozen=True)
class SlowEngine:
    """An engine that cannot keep up. factor: seconds of music that it makes in a second."""

    name: str
    factor: float

    def stretch(self, plan_seconds: float) -> float:
        """Seconds of music until a full plan is used up."""
        return plan_seconds / max(1.0 - self.factor, 0.01)

    @property
    def sentence(self) -> str:
        """What to say, with how long it plays as it is and from a deep plan."""
        now, then = (
            _duration(self.stretch(seconds))
            for seconds in (WorkerSettings().plan_seconds, DEEP_PLAN)
        )
        return (
            f"{self.name} makes {self.factor:.2f} seconds of music in a second here: it plays "
            f"{now}, then breaks off. Made {DEEP_PLAN:.0f} s ahead, it plays {then}."
        )


def slow_engine(status: WorkerStatus) -> SlowEngine | None:
    """The engine, where it is known to be too slow for this machine. Not for one elsewhere."""
    if status.line_ms is not None or status.blocks < ENOUGH_BLOCKS:
        return None
    if not 0.0 < status.real_time_factor < KEEPS_UP:
        return None
    return SlowEngine(status.engine, status.real_time_factor)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes"

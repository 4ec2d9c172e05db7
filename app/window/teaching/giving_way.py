"""When teaching waits for the music. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LOW: Final = 0.5
"""Share of the fullest plan under which teaching waits."""
FULL: Final = 0.8
"""Share of it from which it goes on."""


@dataclass(frozen=True)
class GivingWay:
    """Whether teaching waits, and the fullest plan so far in seconds.

    The plan's usual depth differs by engine and settings, so it is measured against itself.
    """

    waiting: bool = False
    fullest: float = 0.0

    def after(self, playing: bool, plan_seconds: float) -> GivingWay:
        """The state after a report of the worker.

        Args:
            playing: Whether music plays or is held.
            plan_seconds: Of music that is ready.

        """
        # A plan that is shorter by choice, as after a change of settings, is the new measure soon.
        fullest = max(plan_seconds, 0.98 * self.fullest)
        if not playing or fullest <= 0.0:
            return GivingWay(False, fullest)
        share = plan_seconds / fullest
        waiting = share < FULL if self.waiting else share < LOW
        return GivingWay(waiting, fullest)

"""When teaching waits for the music. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LOW: Final = 0.5
"""Share of the fullest plan under which teaching waits."""
FULL: Final = 0.8
"""Share of it from which it goes on."""
FORGOTTEN: Final = 0.997
"""Of the fullest plan in a report, ten a second: half of it in a quarter of a minute or so."""
REST: Final = 100
"""Reports for which it waits after a dropout, however full the plan is by then."""


@dataclass(frozen=True)
class GivingWay:
    """Whether teaching waits.

    The plan's usual depth differs by engine and settings, so it is measured against itself. On a
    machine that is too busy for any plan that says nothing: there each dropout lets it wait.

    Attributes:
        waiting: Whether it waits.
        fullest: Plan in seconds, the fullest lately.
        underruns: Counted so far.
        rest: Reports for which it waits at least.

    """

    waiting: bool = False
    fullest: float = 0.0
    underruns: int = 0
    rest: int = 0

    def after(self, playing: bool, plan_seconds: float, underruns: int = 0) -> GivingWay:
        """The state after a report of the worker.

        Args:
            playing: Whether music plays or is held.
            plan_seconds: Of music that is ready.
            underruns: Dropouts since the output was started.

        """
        # A plan that is shorter by choice, as after a change of settings, is the new measure soon.
        fullest = max(plan_seconds, FORGOTTEN * self.fullest)
        if not playing or fullest <= 0.0:
            return GivingWay(False, fullest, underruns)
        rest = REST if underruns > self.underruns else max(0, self.rest - 1)
        share = plan_seconds / fullest
        short = share < FULL if self.waiting else share < LOW
        return GivingWay(short or rest > 0, fullest, underruns, rest)

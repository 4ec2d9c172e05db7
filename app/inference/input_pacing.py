"""Pacing of what comes in: whether it rewrites the plan, by how much is planned.

A performer who plays in changes the plan several times a second. What a rewrite leaves behind it
plays on if the engine stalls, so that it may go back as long as the ring is deep; but the plan is
lengthened in between, or it would be used up. Where the machine has little time the memory gives
way before Follow does, which a player hears at once; the echo's renderer before the music does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from app.inference.health import RewritePacing
from models.engine.hearing import Hearing

MEMORY_SECONDS: Final = 1.6
"""Seconds of plan under the newest input that there must be before memory and echo rewrite it."""
ECHO_SECONDS: Final = 1.0
"""Seconds of plan that there must be before the echo's renderer is asked for more."""
REFUSED_SECONDS: Final = 2.0
"""Seconds for which nothing was remembered before it is said."""
TOLD_SECONDS: Final = 60.0
EASY_SPEED: Final = 3.0
"""Times real time at which blocks are made, under which all of these seconds are more."""
GIVES_WAY: Final = "the machine is busy: memory and echo take up later what you play in."


class InputPacing:
    """Pacing of one plan.

    Args:
        pacing: of the plan's rewrites.
        rate: frames of a second.
        tell: takes level and sentence.
        clock: seconds.

    """

    def __init__(
        self,
        pacing: RewritePacing,
        rate: int,
        tell: Callable[[str, str], object],
        clock: Callable[[], float],
    ) -> None:
        self._pacing, self._rate, self._tell, self._clock = pacing, rate, tell, clock
        self._refused_since, self._last = math.inf, -math.inf
        self._told = -math.inf

    def may_change(self, ring: int, depth: int, remembers: bool) -> bool:
        """Whether what came in may rewrite the plan, see the two below."""
        return self.may_remember(depth) if remembers else self.may_follow(ring)

    def may_follow(self, ring: int) -> bool:
        """Whether Follow may rewrite the plan; ring: frames that the reader has before it."""
        return ring >= min(self._pacing.reserve * self._scarcity, self._most)

    def may_remember(self, depth: int) -> bool:
        """Whether memory and echo may; depth: frames planned under the newest input."""
        enough = max(self._pacing.reserve, MEMORY_SECONDS * self._rate) * self._scarcity
        now = self._clock()
        if depth >= min(enough, self._most):
            self._refused_since = math.inf
            return True
        if now - self._last > REFUSED_SECONDS:  # nothing was played in before
            self._refused_since = math.inf
        self._last = now
        self._refused_since = min(self._refused_since, now)
        if now - self._refused_since >= REFUSED_SECONDS and now - self._told >= TOLD_SECONDS:
            self._told = now
            self._tell("info", GIVES_WAY)
        return False

    def live(self, hearing: Hearing | None, depth: int) -> Hearing | None:
        """What a block of the plan hears: what takes long is made beside it, while that may last.

        depth: frames planned under the newest input.
        """
        if hearing is None:
            return None
        enough = max(self._pacing.critical, ECHO_SECONDS * self._rate * self._scarcity)
        return replace(hearing, live=True, spare=depth >= enough)

    @property
    def _most(self) -> float:
        """Frames that a plan has now and then."""
        return 0.75 * self._pacing.settings.plan_seconds * self._rate

    @property
    def _scarcity(self) -> float:
        """How much more of a plan there must be, as blocks are slow: from 1 to 3."""
        speed = self._pacing.times.sustained
        return min(3.0, max(1.0, EASY_SPEED / speed)) if speed > 0.0 else 1.0

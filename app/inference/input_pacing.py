"""Pacing of what comes in: whether it rewrites the plan, by how much is planned.

A performer who plays in changes the plan several times a second. What a rewrite leaves behind it
plays on if the engine stalls, so that it may go back as long as the ring is deep; but the plan is
lengthened in between, or it would be used up. What comes while the plan is short waits until it is
long enough, and while somebody plays the plan grows no longer than that: the rest would be thrown
away. Where the machine has little time the memory gives way before Follow does, which a player
hears at once; the echo's renderer before the music does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from app.inference.health import FOLLOW_HURRY, RESERVE_BLOCKS, RewritePacing
from models.engine.hearing import Hearing

MEMORY_SECONDS: Final = 0.6
"""Seconds of sound before the reader that there must be before memory and echo rewrite the plan."""
FOLLOW_SECONDS: Final = 0.5
"""The same for Follow."""
ECHO_SECONDS: Final = 0.5
"""Seconds of sound before the reader that there must be before the echo's renderer is asked for
more: a rewrite leaves them, at the least, where blocks are made six times as fast as they sound."""
BEYOND_SECONDS: Final = 0.4
"""By which the plan grows over `MEMORY_SECONDS` while somebody plays."""
RESTED_SECONDS: Final = 1.0
"""After a change for memory or echo, until the plan grows to its whole length again."""
REFUSED_SECONDS: Final = 2.0
"""Seconds for which nothing was remembered before it is said."""
TOLD_SECONDS: Final = 60.0
EASY_SPEED: Final = 3.0
"""Times real time at which blocks are made, under which all of these seconds are more."""
GIVES_WAY: Final = "the machine is busy: memory and echo take up later what you play in."


@dataclass(frozen=True)
class InputChange:
    """A change of what came in.

    Attributes:
        turned_at: seconds at which it was played.
        head: end of the plan then; what is planned behind it knows it.
        remembers: whether it is for memory and echo, and not for Follow.

    """

    turned_at: float
    head: int
    remembers: bool

    @property
    def hurry(self) -> float:
        """Seconds by which it sounds sooner after it was played than a knob's change."""
        return 0.0 if self.remembers else FOLLOW_HURRY


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
        self._told = self._remembered_at = -math.inf
        self._waiting: dict[bool, InputChange] = {}

    def note(self, turned_at: float, head: int, remembers: bool, needed: bool = True) -> None:
        """Note a change, as of `InputChange`; it waits until `take` gives it. needed: whether the
        plan has to be made again for it; it grows no longer where it has not.
        """
        if not needed:
            self._remembered_at = self._clock()
            return
        earlier = self._waiting.get(remembers)
        since = turned_at if earlier is None else earlier.turned_at
        self._waiting[remembers] = InputChange(since, head, remembers)

    def take(self, commit: int, ring: int) -> InputChange | None:
        """The change for which the plan is rewritten now, Follow's first; None: for none.

        Args:
            commit: first position that can still be rewritten.
            ring: frames that the reader has before it.

        """
        for change in sorted(self._waiting.values(), key=lambda each: each.remembers):
            if commit >= change.head:  # all that is still to come knows it
                del self._waiting[change.remembers]
            elif self.may_remember(ring) if change.remembers else self.may_follow(ring):
                self._waiting.clear()  # a rewrite serves both
                if change.remembers:
                    self._remembered_at = self._clock()
                return change
        return None

    def wanted(self, frames: float, beyond: float = BEYOND_SECONDS) -> float:
        """Frames of plan that are wanted now, of as many as are wanted in a rest; beyond: seconds
        over what must be there while somebody plays.
        """
        if self._clock() - self._remembered_at >= RESTED_SECONDS:
            return frames
        return min(frames, self._enough(MEMORY_SECONDS) + beyond * self._rate)

    def may_follow(self, ring: int) -> bool:
        """Whether Follow may rewrite the plan; ring: frames that the reader has before it."""
        return ring >= self._enough(FOLLOW_SECONDS)

    def may_remember(self, ring: int) -> bool:
        """Whether memory and echo may; ring: frames that the reader has before it."""
        now = self._clock()
        if ring >= self._enough(MEMORY_SECONDS):
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

    def live(self, hearing: Hearing | None, ring: int) -> Hearing | None:
        """What a block of the plan hears: what takes long is made beside it, while that may last.

        ring: frames that the reader has before it.
        """
        if hearing is None:
            return None
        enough = max(self._pacing.critical, ECHO_SECONDS * self._rate * self._scarcity)
        return replace(hearing, live=True, spare=ring >= enough)

    def _enough(self, seconds: float) -> float:
        """Frames of sound before the reader that there must be, at the least so many seconds."""
        blocks = RESERVE_BLOCKS * self._pacing.times.estimate
        now_and_then = 0.75 * self._pacing.settings.plan_seconds
        return min(max(seconds, blocks) * self._scarcity, now_and_then) * self._rate

    @property
    def _scarcity(self) -> float:
        """How much more of a plan there must be, as blocks are slow: from 1 to 3."""
        speed = self._pacing.times.sustained
        return min(3.0, max(1.0, EASY_SPEED / speed)) if speed > 0.0 else 1.0

"""Map between the output's clock and plan positions, in shared memory.

The clock counts every frame that the device got, the plan only music. Both advance together but
where the plan stands still (a pause, an underrun); the map holds where it last stood: pairs of a
clock frame and a plan position, from which both go on together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.audio.shared_memory import ANCHOR_COUNT, ANCHORS, MAX_ANCHORS, fence

Words = NDArray[np.int64]


class ClockMap:
    """Anchors of clock and plan. Written by the audio process, read by any other.

    Args:
        words: the words of the shared memory.

    """

    def __init__(self, words: Words) -> None:
        self._words = words

    def stood(self, clock: int, plan: int) -> None:
        """Note that the plan stands at `plan` up to the clock's frame `clock`."""
        words = self._words
        count = int(words[ANCHOR_COUNT])
        place = ANCHORS + 2 * ((count - 1) % MAX_ANCHORS)
        if count and words[place + 1] == plan:
            words[place] = clock  # it still stands: the same anchor, later
            return
        place = ANCHORS + 2 * (count % MAX_ANCHORS)
        words[place], words[place + 1] = clock, plan
        fence()
        words[ANCHOR_COUNT] = count + 1

    def anchors(self) -> tuple[Words, Words]:
        """Clock frames and plan positions of the anchors, oldest first, each (n,)."""
        words = self._words
        count = int(words[ANCHOR_COUNT])
        # The oldest may be overwritten while this reads.
        first = max(0, count - MAX_ANCHORS + 1)
        places = ANCHORS + 2 * (np.arange(first, count) % MAX_ANCHORS)
        return words[places], words[places + 1]

    def plan_at(self, clock: int) -> int:
        """Plan position at a frame of the clock."""
        clocks, plans = self.anchors()
        if not len(clocks):
            return clock
        index = max(0, int(np.searchsorted(clocks, clock, "right")) - 1)
        plan = int(plans[index]) + clock - int(clocks[index])
        return min(plan, int(plans[index + 1])) if index + 1 < len(plans) else plan

    def clocks_of(self, start: int, stop: int) -> Words:
        """Frames of the clock at which plan positions start..stop were heard, (stop - start,)."""
        plan = np.arange(start, stop, dtype=np.int64)
        clocks, plans = self.anchors()
        if not len(clocks):
            return plan
        index = np.maximum(np.searchsorted(plans, plan, "right") - 1, 0)
        result: Words = clocks[index] + plan - plans[index]
        return result

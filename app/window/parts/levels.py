"""Levels of the parts along the plan, as the meters show them. Pure logic."""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from typing import Final

FALL_PER_SECOND: Final = 10 ** (-20 / 1.7 / 20)
"""Factor by which a meter falls in a second (IEC 60268-10, type I)."""
MOST: Final = 4096
"""Slices that are remembered at most."""
BEHIND: Final = 96_000
"""Frames behind the playhead that are remembered."""


class PartLevels:
    """Peaks of the parts in slices of the planned blocks; what is planned again replaces them."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._peaks: list[Mapping[str, float]] = []
        self._shown: dict[str, float] = {}
        self._last: tuple[int, float] | None = None

    def add(self, start: int, frames: int, levels: Mapping[str, tuple[float, ...]]) -> None:
        """Add a block.

        Args:
            start: its plan position.
            frames: of its score's block, in which the slices are equally long.
            levels: by part the peak of each slice, linear.

        """
        if len(self._starts) > MOST:  # nobody looks: the window is minimised
            del self._starts[: MOST // 2], self._peaks[: MOST // 2]
        first = bisect.bisect_left(self._starts, start)
        del self._starts[first:], self._peaks[first:]
        count = max((len(peaks) for peaks in levels.values()), default=1)
        for index in range(count):
            self._starts.append(start + index * frames // count)
            self._peaks.append(
                {p: peaks[index] for p, peaks in levels.items() if index < len(peaks)}
            )

    def at(self, playhead: float, now: float) -> Mapping[str, float]:
        """Levels to show.

        Args:
            playhead: plan position that is heard.
            now: time in seconds, for the fall.

        """
        here = bisect.bisect_right(self._starts, playhead) - 1
        old = bisect.bisect_left(self._starts, playhead - BEHIND)
        moves = self._last is not None and int(playhead) != self._last[0]
        fall = 1.0 if self._last is None else FALL_PER_SECOND ** max(now - self._last[1], 0.0)
        self._last = int(playhead), now
        peaks = self._peaks[here] if moves and here >= 0 else {}
        names = peaks.keys() | self._shown.keys()
        self._shown = {name: max(peaks.get(name, 0.0), self._shown.get(name, 0.0) * fall)
                       for name in names}  # fmt: skip
        del self._starts[:old], self._peaks[:old]
        return self._shown

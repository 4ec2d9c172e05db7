"""Tap tempo."""

from __future__ import annotations

from statistics import median
from typing import Final

TIMEOUT: Final = 2.0
"""Seconds after which a tap begins a new count (30 bpm, the slowest tempo)."""
MAX_TAPS: Final = 8


class TapTempo:
    """Beats per minute from the median interval of taps."""

    def __init__(self) -> None:
        self._taps: list[float] = []

    def tap(self, now: float) -> float | None:
        """Add a tap at `now` in seconds; the tempo from the third tap on, else None."""
        if self._taps and not 0.0 < now - self._taps[-1] <= TIMEOUT:
            self._taps.clear()
        self._taps = [*self._taps[-(MAX_TAPS - 1) :], now]
        if len(self._taps) < 3:
            return None
        pairs = zip(self._taps, self._taps[1:], strict=False)
        return 60.0 / median(after - before for before, after in pairs)

"""Panning of the spectrogram: origin and tick labels of its time axis.

The view follows the playhead until it is panned into the past; then it stays where it is.
"""

from __future__ import annotations

from typing import Final

from app.window.style.time_text import duration_text
from models.music.score import SAMPLE_RATE

TICK_SECONDS: Final = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
"""Seconds between ticks."""
MAX_TICKS: Final = 10
"""Maximum number of ticks."""
PAN_FRACTION: Final = 0.25
"""Share of the visible past that one step pans by."""


class Panning:
    """Pan state; `pinned` is the plan position (frames) at zero of the axis, None: the playhead."""

    def __init__(self) -> None:
        self.pinned: float | None = None

    @property
    def is_panned(self) -> bool:
        return self.pinned is not None

    def origin(self, playhead: float) -> float:
        """Plan position (frames) at zero of the axis."""
        return playhead if self.pinned is None else min(self.pinned, playhead)

    def pan(self, seconds: float, playhead: float, first: float, past: float) -> None:
        """Pan by seconds (negative: further back), as far as there is data.

        `first` is the oldest position with data, `past` the seconds shown left of zero.
        """
        lowest = min(first + past * SAMPLE_RATE, playhead)
        pinned = max(self.origin(playhead) + seconds * SAMPLE_RATE, lowest)
        self.pinned = None if pinned >= playhead else pinned

    def reset(self) -> None:
        """Follow the playhead again."""
        self.pinned = None

    def ticks(self, past: float, future: float) -> list[tuple[float, str]]:
        """Ticks (seconds from zero, label) between -past and +future.

        Labels are relative to now; or, while panned, times since the performance began.
        """
        step = next((s for s in TICK_SECONDS if (past + future) / s <= MAX_TICKS), TICK_SECONDS[-1])
        if self.pinned is not None:
            zero = self.pinned / SAMPLE_RATE
            first = int((zero - past) // step) + 1
            last = int((zero + future) // step)
            return [
                (n * step - zero, duration_text(n * step)) for n in range(max(first, 0), last + 1)
            ]
        ticks = [(0.0, "now")]
        t = float(step)
        while t <= max(past, future):
            text = f"{t:.0f} s" if step < 60 else f"{t / 60:.0f} min"
            if t < past:
                ticks.append((-t, f"−{text}"))
            if t < future:
                ticks.append((t, f"+{text}"))
            t += step
        return ticks

"""Regression of the beat's phase over time, with exponential forgetting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

RIDGE: Final = 0.3
"""Weight of the rate that is suggested, in seconds squared: it decides while little is known."""


@dataclass(frozen=True)
class PhaseLine:
    """Weighted sums of phase in beats over time in seconds, both relative to the last point.

    Weighted least squares, forgetting exponentially, with a rate that the sums are drawn to (ridge
    regression).
    """

    time: float = 0.0
    phase: float = 0.0
    weight: float = 0.0
    times: float = 0.0
    squares: float = 0.0
    phases: float = 0.0
    products: float = 0.0
    rate: float = 0.0

    def add(
        self, time: float, phase: float, weight: float, memory: float, rate: float
    ) -> PhaseLine:
        """With one more point.

        Args:
            time: seconds, after the last point's.
            phase: beats.
            weight: of the point, 0 to 1.
            memory: time constant of forgetting in seconds.
            rate: beats a second, which the slope is drawn to.

        """
        if self.weight == 0:
            return PhaseLine(time, phase, weight, rate=rate)
        dt, dp = time - self.time, phase - self.phase
        keep = math.exp(-dt / memory)
        total = self.weight
        times = self.times - dt * total
        squares = self.squares - 2 * dt * self.times + dt * dt * total
        products = self.products - dt * self.phases
        phases = self.phases - dp * total
        products -= dp * times
        return PhaseLine(
            time, phase, keep * total + weight, keep * times, keep * squares, keep * phases,
            keep * products, rate,
        )  # fmt: skip

    @property
    def slope(self) -> float:
        """Beats a second."""
        if self.weight <= 0:
            return self.rate
        spread = self.squares - self.times * self.times / self.weight
        together = self.products - self.times * self.phases / self.weight
        return (together + RIDGE * self.rate) / (spread + RIDGE)

    def at(self, time: float) -> float:
        """Phase in beats at `time` seconds."""
        if self.weight <= 0:
            return self.phase
        slope = self.slope
        level = (self.phases - slope * self.times) / self.weight
        return self.phase + level + slope * (time - self.time)


NO_LINE: Final = PhaseLine()

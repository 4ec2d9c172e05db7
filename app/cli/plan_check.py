"""Comparison of the output with the plan, for the soak and the stage benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.audio.ring import PlanRing, TapRing

TOLERANCE: Final = 1e-5


class CheckedOutput(Protocol):
    """What `PlanCheck` reads of an `AudioOutput`."""

    ring: PlanRing
    tap: TapRing

    @property
    def limiting_lowest(self) -> float: ...


@dataclass
class PlanCheck:
    """Counts torn frames in the output. Frames at 48 kHz.

    Behind the reader the plan's ring still holds what it was to play. Where nothing was limited
    or faded the tap holds the same; a frame that differs is torn.
    """

    output: CheckedOutput
    position: int = 0
    torn: int = 0
    frames: int = 0
    limited: int = 0

    def update(self) -> None:
        """Compare the output since the last call; call it every few seconds."""
        start, played = self.output.tap.follow(self.position)
        if not len(played):
            return
        self.position = start + len(played)
        try:
            planned = self.output.ring.copy_played(start, self.position)
        except ValueError:
            return
        self.frames += len(played)
        low = min(1.0, self.output.limiting_lowest)
        self.limited += int(np.count_nonzero(outside(planned, played, 1.0)))
        self.torn += breaks(outside(planned, played, low))


def outside(
    planned: NDArray[np.float32], played: NDArray[np.float32], lowest: float
) -> NDArray[np.bool_]:
    """Frames where the output is not the plan times a gain between `lowest` and 1."""
    sign = np.sign(planned)
    size, got = np.abs(planned), played * sign
    wrong = (got > size + TOLERANCE) | (got < lowest * size - TOLERANCE)
    result: NDArray[np.bool_] = np.logical_or.reduce(wrong, axis=1)
    return result


def breaks(wrong: NDArray[np.bool_], apart: int = 960) -> int:
    """Number of separate wrong places; closer ones than `apart` frames count as one."""
    where = np.flatnonzero(wrong)
    return 0 if not len(where) else 1 + int(np.count_nonzero(np.diff(where) > apart))

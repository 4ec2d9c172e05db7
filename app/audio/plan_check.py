"""Whether what was heard is what was planned. Pure; runs beside the soak and the stage test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TOLERANCE: Final = 1e-5


@dataclass
class PlanCheck:
    """Compares what was heard with what was planned, and looks for breaks. Frames at 48 kHz.

    Behind the reader the plan's ring still holds what it was to play. Where nothing was limited
    or faded, the tap holds the same: a frame that differs came out torn.
    """

    output: Any
    position: int = 0
    torn: int = 0
    frames: int = 0
    limited: int = 0

    def look(self) -> None:
        """Take in what was heard since the last look; at least every few seconds."""
        status = self.output.status()
        start, heard = self.output.tap.follow(self.position)
        if not len(heard):
            return
        self.position = start + len(heard)
        try:
            planned = self.output.ring.copy(start, self.position)
        except ValueError:
            return
        self.frames += len(heard)
        low = min(1.0, status.limiting_lowest)
        self.limited += int(np.count_nonzero(outside(planned, heard, 1.0)))
        self.torn += breaks(outside(planned, heard, low))


def outside(
    planned: NDArray[np.float32], heard: NDArray[np.float32], lowest: float
) -> NDArray[np.bool_]:
    """Frames where heard is not planned times a gain between `lowest` and 1."""
    sign = np.sign(planned)
    size, got = np.abs(planned), heard * sign
    wrong = (got > size + TOLERANCE) | (got < lowest * size - TOLERANCE)
    return np.logical_or.reduce(wrong, axis=1)


def breaks(wrong: NDArray[np.bool_], apart: int = 960) -> int:
    """How many separate places are wrong; closer ones than `apart` frames count as one."""
    where = np.flatnonzero(wrong)
    return 0 if not len(where) else 1 + int(np.count_nonzero(np.diff(where) > apart))

"""State of single parts' patterns: locks and re-rolls; see `patterns`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.music.score import PARTS


@dataclass(frozen=True, eq=False)
class Pattern:
    """One bar of rows (steps in a bar, columns) by place in the bar, and the mode it was in."""

    rows: NDArray[np.uint8]
    mode: str

    def row(self, place: int) -> NDArray[np.uint8]:
        """The row at a place in the bar; in another metre the pattern goes round."""
        return np.asarray(self.rows[place % len(self.rows)])


@dataclass(frozen=True)
class PartPatterns:
    """State of locks and re-rolls, by PARTS or as bits of parts.

    locked: the locked patterns. begun: first row of a bar that is being written anew, -1 for none.
    anew: bars that were written anew, kept to until the section ends. due: re-rolls that wait.
    pressed: re-rolls that the controls had in the last block. wanted: locks that they had in the
    last step.
    """

    locked: tuple[Pattern | None, ...] = (None,) * len(PARTS)
    begun: tuple[int, ...] = (-1,) * len(PARTS)
    anew: tuple[Pattern | None, ...] = (None,) * len(PARTS)
    due: int = 0
    pressed: int = 0
    wanted: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is locked, and nothing is or was written anew."""
        bars = (*self.locked, *self.anew)
        return not self.due and not self.wanted and not any(bars) and max(self.begun) < 0

    @property
    def renewed(self) -> int:
        """Bits of the parts that are being written anew."""
        return sum(1 << part for part, first in enumerate(self.begun) if first >= 0)

    @property
    def held(self) -> int:
        """Bits of the parts whose locked pattern is known."""
        return sum(1 << part for part, pattern in enumerate(self.locked) if pattern is not None)

    def latched(self, controls: Controls) -> PartPatterns:
        """With the re-rolls that the controls newly ask for."""
        pressed = sum(1 << PARTS.index(part) for part in controls.reroll)
        if pressed == self.pressed and not pressed:
            return self
        return replace(self, due=self.due | (pressed & ~self.pressed), pressed=pressed)

    def rows(self, place: int) -> tuple[NDArray[np.uint8] | None, ...]:
        """By PARTS, the locked pattern's row at a place in the bar; None where it is free."""
        return tuple(None if p is None else p.row(place) for p in self.locked)

    def anew_rows(self, place: int) -> tuple[NDArray[np.uint8] | None, ...]:
        """As `rows`, of the bars that were written anew."""
        return tuple(None if p is None else p.row(place) for p in self.anew)

    def in_section(self) -> PartPatterns:
        """The patterns where another section begins."""
        return replace(self, anew=NO_PATTERNS.anew) if any(self.anew) else self

    @property
    def modes(self) -> tuple[str, ...]:
        """By PARTS, the mode of the locked pattern; "" where it is free."""
        return tuple("" if p is None else p.mode for p in self.locked)


NO_PATTERNS: Final = PartPatterns()


@dataclass(frozen=True, eq=False)
class HeldBars:
    """Bars that are held as a loop: rows (steps, columns), and the mode that they are in.

    first: row of the stream at which the loop first goes round, `place` steps into a bar of `bar`
    steps. asked: bars that the control asked for. variation: 0 to 1, as the control has it now.
    """

    rows: NDArray[np.uint8]
    mode: str
    first: int
    place: int
    bar: int
    asked: int
    variation: float = 0.0

    def row(self, step: int) -> NDArray[np.uint8]:
        """The row that the loop has at a step of the stream."""
        return np.asarray(self.rows[(step - self.first) % len(self.rows)])


def at_start(patterns: PartPatterns) -> PartPatterns:
    """The patterns for music that starts afresh: locked bars stay, others are forgotten."""
    return replace(NO_PATTERNS, locked=patterns.locked, pressed=patterns.pressed)

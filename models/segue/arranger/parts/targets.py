"""Targets of single parts in a step: locked rows, and biases of the odds for re-rolls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.music.score import DRUMS, PARTS
from models.segue.arranger.parts.patterns import COLUMNS, copy_part, moved_token
from models.segue.arranger.parts.state import PartPatterns
from models.segue.arranger.sampling import Logits
from models.segue.arranger.state import Row
from models.segue.arranger.steps import DRUM_COLUMNS, LEVELS, STRIKE, SYMBOL

AVOID: Final = 2.0  # log-odds against what a part had here, where it is written anew
FULLER: Final = 0.8  # log-odds on onsets there: without sources, the network writes fewer
KEEP: Final = 2.5  # log-odds of what was written anew, until the section ends
_FREE: Final[tuple[Row | None, ...]] = (None,) * len(PARTS)
_FIRST_LEVELS: Final = np.arange(len(DRUMS)) * LEVELS


@dataclass(frozen=True)
class PartTargets:
    """What locked parts play here, and the modes of their patterns; what parts have that were
    written anew; bits of the parts that are being written anew, and the row that they had.
    keep: log-odds of what was written anew. symbol: chord (+ 1) that sounds; None leaves it open.
    """

    locked: tuple[Row | None, ...] = _FREE
    modes: tuple[str, ...] = ("",) * len(PARTS)
    anew: tuple[Row | None, ...] = _FREE
    renewed: int = 0
    avoid: Row | None = None
    keep: float = KEEP
    symbol: int | None = None

    @classmethod
    def of(cls, patterns: PartPatterns, place: int, avoid: Row | None) -> PartTargets:
        """Targets at a place in the bar; `avoid`: the row a bar ago."""
        if patterns.idle:
            return NO_TARGETS
        return cls(
            patterns.rows(place), patterns.modes, patterns.anew_rows(place), patterns.renewed, avoid
        )

    def is_renewed(self, part: int) -> bool:
        """Whether a part is being written anew."""
        return bool(self.renewed >> part & 1)

    def fixed(self, part: int, row: Row, mode: str) -> bool:
        """Write a locked part into the row, whose chord is known; False where it is free."""
        source = self.locked[part]
        if source is None:
            return False
        copy_part(row, part, source, self.modes[part], mode)
        return True

    def fuller(self, part: int) -> float:
        """Log-odds to add to a part's onsets."""
        return FULLER if self.is_renewed(part) else 0.0

    def shift_drums(self, logits: Logits) -> None:
        """Add to the (drums * levels,) log-odds of the drums."""
        kept = self.anew[0]
        if kept is not None:
            logits[_FIRST_LEVELS + kept[DRUM_COLUMNS]] += self.keep
        if self.avoid is not None and self.is_renewed(0):
            logits[_FIRST_LEVELS + self.avoid[DRUM_COLUMNS]] -= AVOID

    def shift(self, part: int, logits: Logits, row: Row, mode: str) -> None:
        """Add to the log-odds of a pitched part's tokens in a row whose chord is known."""
        logits[STRIKE:] += self.fuller(part)
        kept = self.anew[part]
        if kept is not None:
            logits[moved_token(part, kept, int(row[SYMBOL]), mode, mode)] += self.keep
        if self.avoid is not None and self.is_renewed(part):
            logits[int(self.avoid[COLUMNS[part][0]])] -= AVOID


NO_TARGETS: Final = PartTargets()

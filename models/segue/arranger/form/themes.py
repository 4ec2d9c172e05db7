"""Themes: the first statement of each section, stored so that it can return.

Pitches count from the tonic, so a theme comes back in whatever key is played then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

THEME_BARS: Final = 8  # a theme is as long at most
RECALL: Final = 1.6  # log-odds for what the theme had, when it returns
VARIATION: Final = 0.5  # the same where it is varied


@dataclass(frozen=True, eq=False)
class Theme:
    """The first bars of a section: its code, steps in a bar, and rows (steps, columns)."""

    section: int
    bar: int
    rows: NDArray[np.uint8]

    def row(self, offset: int) -> NDArray[np.uint8]:
        """The row `offset` steps into the section; a theme goes round."""
        return np.asarray(self.rows[offset % len(self.rows)])


def find(themes: tuple[Theme, ...], section: int, bar: int) -> Theme | None:
    """The theme of a section, if it was played in this metre (steps in a bar)."""
    for theme in themes:
        if theme.section == section and theme.bar == bar:
            return theme
    return None


def add_theme(
    themes: tuple[Theme, ...], section: int, bar: int, rows: list[NDArray[np.uint8]]
) -> tuple[Theme, ...]:
    """`themes` with another one, if the section has none in this metre and is two bars or more."""
    whole = len(rows) // bar
    if whole < 2 or find(themes, section, bar) is not None:
        return themes
    bars = 1 << (min(whole, THEME_BARS).bit_length() - 1)
    other = tuple(theme for theme in themes if theme.section != section)
    return (*other, Theme(section, bar, np.stack(rows[: bars * bar])))


def recall(again: int) -> float:
    """Log-odds for what the theme had, when a section comes for the `again`-th time more."""
    if not again:
        return 0.0
    return VARIATION if again % 2 else RECALL

"""Themes: the first statement is kept, goes round, and belongs to its metre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.segue.arranger.form.themes import RECALL, THEME_BARS, VARIATION, add_theme, find, recall


def rows(bars: int, bar: int = 16, first: int = 0) -> list[NDArray[np.uint8]]:
    return [np.full(26, first + i % 200, np.uint8) for i in range(bars * bar)]


def test_the_first_statement_is_kept() -> None:
    themes = add_theme((), 3, 16, rows(4))
    again = add_theme(themes, 3, 16, rows(4, first=50))
    assert again is themes
    theme = find(themes, 3, 16)
    assert theme is not None and len(theme.rows) == 64
    assert theme.row(5)[0] == 5 and theme.row(64 + 5)[0] == 5


def test_a_theme_is_whole_phrases_and_not_too_long() -> None:
    (theme,) = add_theme((), 1, 16, rows(7))
    assert len(theme.rows) == 4 * 16
    (theme,) = add_theme((), 1, 16, rows(16))
    assert len(theme.rows) == THEME_BARS * 16
    assert add_theme((), 1, 16, rows(1)) == ()


def test_another_metre_has_another_theme() -> None:
    themes = add_theme((), 1, 16, rows(4))
    assert find(themes, 1, 12) is None
    themes = add_theme(themes, 1, 12, rows(4, bar=12))
    assert find(themes, 1, 12) is not None and len(themes) == 1


def test_returns_are_closer_than_variations() -> None:
    assert [recall(n) for n in range(4)] == [0.0, VARIATION, RECALL, VARIATION]

"""Part styles: what a style says of drums and bass, without the terms that have none.

"Hip hop with flute" is a mixture of a genre and an instrument. Half of the corpus' songs of such a
mixture have the flute's drums and bass, which are none; who asks for it wants the genre's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.segue.arranger.setting import NOBODY, SettingNet, odds_of
from models.segue.style import anchors, terms

Style = NDArray[np.float32]
CHOICES_OF: Final = {"kit": ("metre", "kit", "bpm", "swing"), "bass": ("bass",)}
"""The choices that are made by the style of a part, by the choice of its player."""
PLAYED: Final = 0.2
"""An instrument that comes without the part more rarely than this plays it."""
UNPLAYED: Final = 0.7
"""A genre that comes without the part more often than this leaves it to the other genres."""
INSTRUMENTS_YIELD: Final = (0.1, 0.25)
GENRES_YIELD: Final = (0.35, 0.45)
"""Share of the rest of a style under which terms without the part decide with it, and over which
they do not: instruments beside any genre, a genre without the part where it is not the larger."""
MAX_ENTRIES: Final = 512


class PartStyles:
    """The styles by which a style's parts are chosen.

    Args:
        net: says which of the terms lack a part.
        table: (terms, style_dim) the terms' places in the style space.
        categories: of each term, "instrument" or another.

    """

    def __init__(
        self, net: SettingNet, table: NDArray[np.float32], categories: tuple[str, ...]
    ) -> None:
        instrument = np.array([category == "instrument" for category in categories])
        self._without: dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}
        for part in CHOICES_OF:
            nobody = np.exp(odds_of(net, part, table)[:, NOBODY[part]])
            self._without[part] = instrument & (nobody > PLAYED), ~instrument & (nobody > UNPLAYED)
        self._table = table.astype(np.float64)
        self._inverse = anchors.decomposition(table)
        self._found: dict[bytes, Mapping[str, Style]] = {}

    @classmethod
    def load(cls, net: SettingNet) -> PartStyles | None:
        """With the shipped terms; None for a network of another style space."""
        if net.style_dim != anchors.DIM:
            return None
        return cls(net, anchors.load(), tuple(term.category for term in terms.TERMS))

    def of(self, style: Style) -> Mapping[str, Style]:
        """Styles (style_dim,) by choice (CHOICES_OF), where they are others than the style."""
        name = style.tobytes()
        found = self._found.get(name)
        if found is None:
            if len(self._found) > MAX_ENTRIES:
                self._found.clear()
            found = {}
            for part, choices in CHOICES_OF.items():
                other = self._part_style(style, part)
                if other is not style:
                    found |= dict.fromkeys(choices, other)
            self._found[name] = found
        return found

    def _part_style(self, style: Style, part: str) -> Style:
        instruments, genres = self._without[part]
        style = self._yielding(style, instruments, INSTRUMENTS_YIELD)
        return self._yielding(style, genres, GENRES_YIELD)

    def _yielding(
        self, style: Style, silent: NDArray[np.bool_], yields: tuple[float, float]
    ) -> Style:
        """A style without some of its terms, as far as the rest of it is `yields` large."""
        shares = np.maximum(self._inverse @ style.astype(np.float64), 0.0)
        total = float(shares.sum())
        rest = float(shares[~silent].sum())
        few, enough = yields
        if total <= 0.0 or rest >= 0.99 * total or rest <= few * total:
            return style
        # Over a range, so that nothing leaps while a knob moves from one to the other.
        amount = min(1.0, (rest / total - few) / (enough - few))
        pure = (style - (shares * silent) @ self._table) * (total / rest)
        return np.asarray((1.0 - amount) * style + amount * pure, np.float32)

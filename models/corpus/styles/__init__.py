"""Table of styles: genres, instrument terms, and idioms that these use."""

from __future__ import annotations

from typing import Final

from models.corpus.styles import bands, electronic, players, world
from models.corpus.styles.base import PlayerStyle, Style
from models.errors import SegueError

STYLES: Final[dict[str, Style]] = {
    style.name: style for style in (*electronic.STYLES, *bands.STYLES, *world.STYLES)
}
PLAYERS: Final[dict[str, PlayerStyle]] = {player.name: player for player in players.PLAYERS}
GENRES: Final = tuple(sorted(name for name in STYLES if not name[0].islower()))
"""Terms of genres and moods."""
INSTRUMENT_TERMS: Final = tuple(sorted(PLAYERS))
TERMS: Final = tuple(sorted((*GENRES, *INSTRUMENT_TERMS), key=str.lower))
"""All prompt terms of the composer."""


def style_named(name: str) -> Style:
    """A genre or idiom; SegueError if there is none of that name."""
    if name not in STYLES:
        raise SegueError(f"'{name}' is no style of the composer; use one of {', '.join(GENRES)}.")
    return STYLES[name]

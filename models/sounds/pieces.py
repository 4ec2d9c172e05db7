"""Pieces of a learned sound: which of them plays, and how one gives way to the next. Pure.

An album is played one piece after the other; so is a sound that was learned from one. Which piece
has its turn follows from a number that is counted on: its share of the music is how often it comes,
and by the golden ratio each stretch of turns is spread evenly over the pieces (Knuth, The Art of
Computer Programming, volume 3, section 6.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.sounds.file import LearnedSound, SoundPiece

GOLDEN: Final = 2_654_435_769
"""2 ** 32 over the golden ratio."""


class KeptSounds(Protocol):
    """Where learned sounds are found by name."""

    def kept(self, name: str) -> LearnedSound: ...


class Turn(NamedTuple):
    """Whose turn it is: a number that is counted on, and the share, 0 to 1, of the piece that it
    means; the rest is the piece's before it.
    """

    number: int = 0
    share: float = 1.0


def weights_of(pieces: Sequence[SoundPiece], turn: Turn) -> tuple[tuple[SoundPiece, float], ...]:
    """The pieces that play at a turn, with weights that sum to 1; none where there are none."""
    if not pieces:
        return ()
    now = pieces[_chosen(pieces, turn.number)]
    before = pieces[_chosen(pieces, turn.number - 1)]
    if turn.share >= 1.0 or now is before:
        return ((now, 1.0),)
    return ((before, 1.0 - turn.share), (now, turn.share))


def _chosen(pieces: Sequence[SoundPiece], number: int) -> int:
    ends = np.cumsum([piece.seconds for piece in pieces])
    place = (number * GOLDEN % 2**32) / 2**32
    return min(int(np.searchsorted(ends, place * ends[-1], side="right")), len(pieces) - 1)


def style_at(sound: LearnedSound, turn: Turn) -> NDArray[np.float32]:
    """Style (128,) of a sound at a turn."""
    found = weights_of(sound.pieces, turn)
    if not found:
        return sound.style
    if len(found) == 1:
        return found[0][0].style
    return np.asarray(sum(weight * piece.style for piece, weight in found), np.float32)


def alone(sound: LearnedSound, piece: SoundPiece) -> LearnedSound:
    """The sound as if it had been learned from a piece of it alone."""
    return replace(sound, style=piece.style, changes={**sound.changes, **piece.changes}, pieces=())

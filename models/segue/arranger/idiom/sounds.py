"""The idiom of the learned sounds that act in a block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from models.segue.arranger.idiom.idiom import Idiom, idiom_of, mixed
from models.sounds.file import LearnedSound
from models.sounds.pieces import KeptSounds, Turn, weights_of

HALF: Final = 0.5
"""Share of an idiom's log-odds that acts at amount 1: between the arranger's own playing and the
music, as the music is heard less surely than it is played."""

Idioms: TypeAlias = Callable[[Mapping[str, float], Turn], Idiom | None]
"""The idiom of sounds by name and scale, at a turn of their pieces; None where none of them has
one."""


def no_idioms(scales: Mapping[str, float], turn: Turn) -> Idiom | None:
    """Of no sounds at all."""
    return None


class SoundIdioms:
    """Idioms of the sounds of a library; the last mix is kept."""

    def __init__(self, library: KeptSounds) -> None:
        self._library = library
        self._mix: tuple[tuple[tuple[LearnedSound, float], ...], Turn] = ((), Turn())
        self._idiom: Idiom | None = None

    def __call__(self, scales: Mapping[str, float], turn: Turn) -> Idiom | None:
        """The idiom of a mix.

        Raises:
            SegueError: a sound that is not here, damaged or of other weights.

        """
        if not scales:
            return None
        sounds = tuple((self._library.kept(name), scale) for name, scale in scales.items())
        if (sounds, turn) != self._mix:
            parts = ((idiom_at(sound, turn), scale) for sound, scale in sounds)
            self._idiom = mixed((one, HALF * scale) for one, scale in parts if one is not None)
            self._mix = sounds, turn
        return self._idiom


def idiom_at(sound: LearnedSound, turn: Turn) -> Idiom | None:
    """The idiom of a sound at a turn; None where it has none."""
    whole = idiom_of(sound.changes)
    parts = [(idiom_of(p.changes) or whole, weight) for p, weight in weights_of(sound.pieces, turn)]
    own = [(idiom, weight) for idiom, weight in parts if idiom is not None]
    return mixed(own) if own else whole

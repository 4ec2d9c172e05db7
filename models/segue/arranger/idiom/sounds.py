"""The idiom of the learned sounds that act in a block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from models.segue.arranger.idiom.idiom import Idiom, idiom_of, mixed
from models.sounds.file import LearnedSound
from models.sounds.library import SoundLibrary

HALF: Final = 0.5
"""Share of an idiom's log-odds that acts at amount 1: between the arranger's own playing and the
music, as the music is heard less surely than it is played."""

Idioms: TypeAlias = Callable[[Mapping[str, float]], Idiom | None]
"""The idiom of sounds by name and scale; None where none of them has one."""


def no_idioms(scales: Mapping[str, float]) -> Idiom | None:
    """Of no sounds at all."""
    return None


class SoundIdioms:
    """Idioms of the sounds of a library; the last mix is kept."""

    def __init__(self, library: SoundLibrary) -> None:
        self._library = library
        self._mix: tuple[tuple[LearnedSound, float], ...] = ()
        self._idiom: Idiom | None = None

    def __call__(self, scales: Mapping[str, float]) -> Idiom | None:
        """The idiom of a mix.

        Raises:
            SegueError: a sound that is not here, damaged or of other weights.

        """
        if not scales:
            return None
        mix = tuple((self._library.kept(name), scale) for name, scale in scales.items())
        if mix != self._mix:
            parts = ((idiom_of(sound.changes), scale) for sound, scale in mix)
            self._idiom = mixed((one, HALF * scale) for one, scale in parts if one is not None)
            self._mix = mix
        return self._idiom

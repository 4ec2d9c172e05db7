"""Pieces of learned sounds in a stream: whose turn it is, and the style that it brings.

A piece stays for a few sections of the form, and gives way to the next as one prompt does to
another that is faded in. `clear` draws anew. All of it follows from the arranger's state, so that
moments and performances come back to it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.engine.controls import Controls, Style
from models.segue.arranger.state import State
from models.sounds.pieces import KeptSounds, Turn, style_at

SECTIONS: Final = 4
"""Sections of the form that a piece stays for: a minute or more."""
GLIDE_BEATS: Final = 4
"""Beats in which one piece gives way to the next."""


def turn_of(state: State) -> Turn:
    """Whose turn it is in the block after a state of the arranger."""
    entered = max(0, sum(state.plan.counts) - 1)
    turns, stayed = divmod(entered, SECTIONS)
    if not turns or stayed or state.setting is None:
        return Turn(state.seed + turns)
    beats = (state.history.length - state.form.start) // state.setting.steps_per_beat
    return Turn(state.seed + turns, min(1.0, (beats + 1) / GLIDE_BEATS))


class LearnedPieces:
    """Styles of mixes with learned sounds in them; the last one is kept.

    Args:
        library: where the sounds are.

    """

    def __init__(self, library: KeptSounds) -> None:
        self._library = library
        self._kept: tuple[object, Style | None] = (None, None)

    def style(self, controls: Controls, state: State) -> Style | None:
        """The style of a block: that of the controls, in which each sound that acts is at its
        present piece instead of the middle of its files.

        Args:
            controls: of the block.
            state: of the arranger, before it.

        Returns:
            That of the controls itself where no sound with pieces acts.

        Raises:
            SegueError: a sound that is not here, damaged or of other weights.

        """
        style = controls.style
        if style is None or not controls.sounds:
            return style
        sounds = [(self._library.kept(name), scale) for name, scale in controls.sounds.items()]
        sounds = [(sound, min(1.0, scale)) for sound, scale in sounds if sound.pieces]
        if not sounds:
            return style
        turn = turn_of(state)
        wanted = (style.tobytes(), sounds, turn)
        known, moved = self._kept
        if wanted != known:
            # In double precision, so that one sound alone is at its piece to the bit.
            total = style.astype(np.float64)
            for sound, scale in sounds:
                total += scale * (style_at(sound, turn).astype(np.float64) - sound.style)
            moved = total.astype(np.float32)
            self._kept = wanted, moved
        return moved

    def with_style(self, controls: Controls, state: State) -> Controls:
        """Controls with that style."""
        style = self.style(controls, state)
        return controls if style is controls.style else controls.with_(style=style)

"""Style send: what the performer plays as a prompt among the others.

The last seconds of input are embedded again with every bar (the live audio prompt of Live Music
Models, appendix E), or every two seconds where there is no beat.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.controls import Style, blend
from models.errors import SegueError

LISTEN_SECONDS: Final = 10.0
EVERY_SECONDS: Final = 2.0
LEAST_SECONDS: Final = 1.0
MOST_SECONDS: Final = 6.0
STEADY: Final = 0.95
"""Cosine from which two styles that were heard are the same."""
AUDIBLE_PEAK: Final = 1e-3
"""Peak (-60 dB) below which the input has nothing to say, and its last style stays."""


class SendTimer:
    """When to listen again: at a new bar, or after a while."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._bar: int | None = None

    def due(self, now: float, bar: int | None) -> bool:
        """Whether it is time, and if so note it.

        Args:
            now: seconds.
            bar: something that changes with every bar; None where there is no beat.

        """
        passed = MOST_SECONDS if self._last is None else now - self._last
        new_bar = bar is not None and bar != self._bar
        if passed < LEAST_SECONDS:
            return False
        if not new_bar and passed < (EVERY_SECONDS if bar is None else MOST_SECONDS):
            return False
        self._last, self._bar = now, bar
        return True


def settled(before: Style | None, now: Style) -> Style:
    """What was heard now, or before where that is nearly the same.

    The ear is a little restless from bar to bar, and a band whose players are drawn by the style
    would change them back and forth.
    """
    if before is None or before.shape != now.shape:
        return now
    length = float(np.linalg.norm(before) * np.linalg.norm(now))
    return before if float(before @ now) >= STEADY * length else now


def mixed(style: Style | None, heard: Style, amount: float) -> Style:
    """The style of the prompts with what was heard in it.

    An ear is less sure than a text: it hears a little of many styles, and the vector of such a
    mixture is short. At its own length half of it would count for a quarter, and by itself it would
    steer weakly; so it is made as long as that of the prompts.

    Args:
        style: of the prompts; None for none.
        heard: what was heard.
        amount: 0 to 1, its share.

    """
    length = float(np.linalg.norm(heard))
    if style is None or length <= 0.0:
        return heard
    scaled = heard * np.float32(np.linalg.norm(style) / length)
    return blend((style, scaled), (1.0 - amount, amount))


def audible(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sound (n, 2), without the silence before it. SegueError where it is all silence."""
    loud = np.flatnonzero(np.abs(sound).max(axis=1) >= AUDIBLE_PEAK)
    if not len(loud):
        raise SegueError("nothing is played into the input.")
    return sound[loud[0] :]


def parse_sends(arguments: list[str]) -> dict[str, float]:
    """Sends of a command line such as "style=0.6", by name. SegueError for wrong ones."""
    sends = {}
    for argument in arguments:
        name, _, number = argument.partition("=")
        try:
            amount = float(number)
        except ValueError:
            amount = -1.0
        if not 0.0 <= amount <= 1.0:
            raise SegueError(f"'{argument}' is no send: write one such as style=0.6, 0 to 1.")
        sends[name.strip()] = amount
    return sends

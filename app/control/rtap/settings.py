"""What a client of the accompaniment asks for, and the window that it means. Pure logic."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from app.control.osc.messages import Argument
from app.control.rtap.messages import PACKAGE_SIZES, RATE, STEMS, WINDOW
from models.errors import SegueError

SNAP: Final = 0.02
"""Samples; a 32-bit share of WINDOW is this exact."""
NUMBERS: Final[dict[str, tuple[str, float, float, str]]] = {
    "/update_r": ("ratio", 128 / WINDOW, 1.0, "a share of the window, up to 1"),
    "/w": ("look_ahead", -1.0, 1.0, "-1, 0 or 1"),
    "/update_fade": ("fade", 0.0, 1.0, "a share of a second, 0 to 1"),
    "/update_package_size": (
        "package",
        *PACKAGE_SIZES,
        f"{PACKAGE_SIZES[0]} to {PACKAGE_SIZES[1]} samples",
    ),
    "/verbose": ("verbose", -math.inf, math.inf, "0 or 1"),
}
"""Field, lowest and highest value, and what is meant, of the messages with one number."""


@dataclass(frozen=True)
class RtapSettings:
    """Settings of the published server, with its defaults.

    Attributes:
        ratio: `r`, the window's share of WINDOW, above 0 to 1.
        look_ahead: `w`: -1, the window that was just sent; 0, the one after it; 1, the one after
            that, which leaves a window's length to compute and to send.
        fade: overlap of two answers, as a share of RATE, 0 to 1.
        package: samples in a packet of the answer.
        stems: that are wanted, of STEMS.
        verbose: whether each batch is told in a line.

    """

    ratio: float = 0.25
    look_ahead: float = 1.0
    fade: float = 0.02
    package: int = 5120
    stems: tuple[str, ...] = ()
    verbose: bool = False

    @property
    def step(self) -> int:
        """Samples of a window, and of a batch."""
        return _whole(WINDOW * self.ratio)

    @property
    def overlap(self) -> int:
        """Samples before the window that an answer has as well."""
        return _whole(self.fade * RATE)

    def window_after(self, position: int) -> tuple[int, int]:
        """Start and end, in samples of the context, of the answer to a batch.

        Args:
            position: end of the batch.

        """
        start = position + int(self.look_ahead) * self.step
        return start - self.overlap, start + self.step


def _whole(samples: float) -> int:
    """Whole samples of a share, cut off as the published client cuts them; a share that came as a
    32-bit float counts as what it was meant to be.
    """
    near = round(samples)
    return near if abs(samples - near) < SNAP else int(samples)


def changed(settings: RtapSettings, address: str, arguments: tuple[Argument, ...]) -> RtapSettings:
    """The settings after a control message.

    Args:
        settings: before it.
        address: such as "/w".
        arguments: of the message.

    Raises:
        SegueError: a value that cannot be, or an address that sets nothing.

    """
    if address == "/predict_instruments":
        if len(arguments) > len(STEMS):
            raise SegueError(f"/predict_instruments has one flag for each of {', '.join(STEMS)}.")
        wanted = zip(STEMS, arguments, strict=False)
        return replace(settings, stems=tuple(stem for stem, on in wanted if on == 1))
    if address not in NUMBERS:
        raise SegueError(f"{address[:40]} is no message of this server.")
    field, low, high, words = NUMBERS[address]
    value = arguments[0] if len(arguments) == 1 else None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise SegueError(f"{address} takes one number: {words}.")
    fits = low <= value <= high and (field != "look_ahead" or value == int(value))
    if not fits:
        raise SegueError(f"{address} {value:g}: give {words}.")
    kind = type(getattr(settings, field))
    return replace(settings, **{field: kind(value)})

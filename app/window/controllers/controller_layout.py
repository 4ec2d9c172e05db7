"""Layout of a controller's drawing: a box for each control.

A map places its controls, in units of one key. Controls that were learned later have no place of
their own and are put in rows below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.control.midi.mapping import ControllerElement

Box = tuple[float, float, float, float]
"""x, y, width, height."""

ACROSS: Final = 8
GAP: Final = 0.35


def boxes(controls: Sequence[ControllerElement]) -> dict[str, Box]:
    """Control id -> its box; boxes do not overlap."""
    placed: dict[str, Box] = {}
    homeless: list[ControllerElement] = []
    for control in controls:
        box = (control.x, control.y, control.width, control.height)
        if any(_overlap(box, other) for other in placed.values()):
            homeless.append(control)
        else:
            placed[control.id] = box
    top = max((y + h for _, y, _, h in placed.values()), default=0.0)
    across = max(ACROSS, int(max((x + w for x, _, w, _ in placed.values()), default=0.0)))
    x, y = 0.0, top + (GAP if placed else 0.0)
    for control in homeless:
        if x + control.width > across and x > 0.0:
            x, y = 0.0, y + 1.0
        placed[control.id] = (x, y, control.width, 1.0)
        x += control.width
    return placed


def extent(placed: dict[str, Box]) -> tuple[float, float]:
    """Width and height of the whole drawing."""
    return (
        max((x + w for x, _, w, _ in placed.values()), default=1.0),
        max((y + h for _, y, _, h in placed.values()), default=1.0),
    )


def _overlap(a: Box, b: Box) -> bool:
    slack = 0.02  # tolerance for rounded numbers
    return (
        a[0] < b[0] + b[2] - slack
        and b[0] < a[0] + a[2] - slack
        and a[1] < b[1] + b[3] - slack
        and b[1] < a[1] + a[3] - slack
    )

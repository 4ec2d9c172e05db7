"""Soft takeover: what a knob does whose position differs from the value it controls.

Position and value drift apart when a scene is recalled, the mouse moves the value, or the knob is
used on another layer. All positions are 0..1 in the knob's own scale.

* jump: the value follows the knob at once.
* pickup: nothing happens until the knob reaches or passes the value; then it follows.
* scale: the value moves in proportion to what is left on that side, so that knob and value reach
  the end together. Never a jump.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

TakeoverMode = Literal["jump", "pickup", "scale"]
TAKEOVER_MODES: Final[tuple[TakeoverMode, ...]] = ("jump", "pickup", "scale")
PICKUP_TOLERANCE: Final = 1.5 / 127
"""A knob within a step and a half of the value has reached it."""
VALUE_TOLERANCE: Final = 1e-4
"""Largest difference from the position last set at which the knob still controls the value."""


@dataclass(frozen=True, slots=True)
class TakeoverState:
    """State of takeover between one knob and one target.

    knob: its last position, None where unknown. sent: the position it last set, None where it does
    not control the value.
    """

    knob: float | None = None
    sent: float | None = None


def is_engaged(state: TakeoverState, value: float) -> bool:
    """Whether the knob controls the value: nothing else has moved it since."""
    return state.sent is not None and abs(state.sent - value) <= VALUE_TOLERANCE


def move(
    mode: TakeoverMode, state: TakeoverState, knob: float, value: float
) -> tuple[TakeoverState, float | None]:
    """Move the knob to `knob` while the value is at `value`: new state, and new value or None."""
    if mode == "jump":
        return TakeoverState(knob, knob), knob
    if mode == "pickup":
        return _pickup(state, knob, value)
    return _scale(state, knob, value)


def _pickup(state: TakeoverState, knob: float, value: float) -> tuple[TakeoverState, float | None]:
    if is_engaged(state, value):
        return TakeoverState(knob, knob), knob
    before = state.knob
    near = abs(knob - value) <= PICKUP_TOLERANCE
    passed = before is not None and (before - value) * (knob - value) <= 0.0
    if near or passed:
        return TakeoverState(knob, knob), knob
    return TakeoverState(knob, None), None


def _scale(state: TakeoverState, knob: float, value: float) -> tuple[TakeoverState, float | None]:
    before = state.knob
    if before is None:
        # Its origin is unknown: only a knob at the value may control it.
        if abs(knob - value) <= PICKUP_TOLERANCE:
            return TakeoverState(knob, knob), knob
        return TakeoverState(knob, None), None
    if knob == before:
        return replace(state, knob=knob), None
    if knob > before:
        share = (knob - before) / (1.0 - before)
        new = value + (1.0 - value) * share
    else:
        share = (before - knob) / before
        new = value - value * share
    new = min(max(new, 0.0), 1.0)
    return TakeoverState(knob, new), new

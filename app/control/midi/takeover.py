"""TakeoverState: what a knob that stands elsewhere does to a value. GUI lane; pure, table-tested.

A knob's place and a value drift apart when a scene is recalled, the mouse moves the value, or
the knob works on another layer. All positions are 0..1 in the knob's own scale.

* jump: the value goes where the knob is, at once.
* pickup: nothing happens until the knob reaches or passes the value; then it holds on to it.
* scale: the value moves with the knob, by the share of the way that is left on that side, so that
  both arrive at the end together. Never a jump.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

TakeoverMode = Literal["jump", "pickup", "scale"]
TAKEOVER_MODES: Final[tuple[TakeoverMode, ...]] = ("jump", "pickup", "scale")
PICKUP_TOLERANCE: Final = 1.5 / 127
"""A knob within a step and a half of the value has reached it."""
VALUE_TOLERANCE: Final = 1e-4
"""What the value may differ by from what the knob last set and still be the knob's own."""


@dataclass(frozen=True, slots=True)
class TakeoverState:
    """What a knob remembers about one target.

    knob: where it was last seen, None before. sent: what it last set the value to, None where it
    does not hold the value.
    """

    knob: float | None = None
    sent: float | None = None

    def released(self) -> TakeoverState:
        """The knob is no longer believed to be where it was (unplugged, another layer)."""
        return TakeoverState()


def is_engaged(state: TakeoverState, value: float) -> bool:
    """Whether the knob has the value in its hand: nobody else has moved it since."""
    return state.sent is not None and abs(state.sent - value) <= VALUE_TOLERANCE


def move(
    mode: TakeoverMode, state: TakeoverState, knob: float, value: float
) -> tuple[TakeoverState, float | None]:
    """The knob is at `knob`, the value at `value`: new memory, and the new value or None."""
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
        # Where it came from is not known: only a knob that stands at the value may hold it.
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

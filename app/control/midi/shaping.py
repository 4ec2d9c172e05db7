"""Range, direction and response curve between a control's position and a target's.

`to_target` maps a control's position 0..1 to a target's; `to_control` is its inverse, for takeover
and feedback. Values outside the range are clamped.
"""

from __future__ import annotations

import math
from typing import Final, Literal

ResponseCurve = Literal["linear", "slow", "fast", "s"]
RESPONSE_CURVES: Final[tuple[ResponseCurve, ...]] = ("linear", "slow", "fast", "s")
"""slow: fine at the bottom. fast: fine at the top. s: fine at both ends."""


def apply_curve(shape: ResponseCurve, x: float) -> float:
    """Response curve, 0..1 -> 0..1, rising."""
    if shape == "slow":
        return x * x
    if shape == "fast":
        return math.sqrt(x)
    if shape == "s":
        return x * x * (3.0 - 2.0 * x)
    return x


def invert_curve(shape: ResponseCurve, y: float) -> float:
    """The inverse of `apply_curve`."""
    if shape == "slow":
        return math.sqrt(y)
    if shape == "fast":
        return y * y
    if shape == "s":
        return 0.5 - math.sin(math.asin(1.0 - 2.0 * y) / 3.0)
    return y


def to_target(
    x: float,
    low: float = 0.0,
    high: float = 1.0,
    invert: bool = False,
    shape: ResponseCurve = "linear",
) -> float:
    """Position of the target for a control's position."""
    x = min(max(x, 0.0), 1.0)
    y = apply_curve(shape, 1.0 - x if invert else x)
    return low + y * (high - low)


def to_control(
    target: float,
    low: float = 0.0,
    high: float = 1.0,
    invert: bool = False,
    shape: ResponseCurve = "linear",
) -> float:
    """Position of the control for a target's position."""
    y = min(max((target - low) / (high - low), 0.0), 1.0)
    x = min(max(invert_curve(shape, y), 0.0), 1.0)
    return 1.0 - x if invert else x

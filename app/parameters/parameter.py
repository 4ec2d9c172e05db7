"""What can be moved or triggered: a parameter's range, curve, unit and words. GUI lane; pure logic.

The values live in `app.parameters.registry.Registry`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from models.errors import SegueError

Value = float | bool | str | None
Kind = Literal["continuous", "switch", "trigger", "choice"]
Curve = Literal["linear", "logarithmic", "taper"]

TAPER_EXPONENT: Final = 0.5
"""A fader in dB spends half of its way on the loudest three tenths of the range, as mixers do."""


@dataclass(frozen=True)
class Parameter:
    """What a parameter is; its current value lives in the registry.

    `low`, `high`, `default` in `unit`; `step` and `fine` are one arrow key without and with shift.
    `default` None means auto. `choices` only for kind "choice". `group` is a heading for listings.
    """

    name: str
    label: str
    kind: Kind = "continuous"
    low: float = 0.0
    high: float = 1.0
    default: Value = 0.0
    curve: Curve = "linear"
    unit: str = ""
    step: float = 0.05
    fine: float = 0.01
    decimals: int = 2
    choices: tuple[str, ...] = ()
    auto: bool = False
    group: str = ""
    help: str = ""

    def __post_init__(self) -> None:
        if self.kind == "continuous" and not self.low < self.high:
            raise SegueError(f"Parameter '{self.name}' needs low < high.")
        if self.curve == "logarithmic" and self.low <= 0:
            raise SegueError(f"Parameter '{self.name}' needs low > 0 for a logarithmic curve.")
        if self.kind == "choice" and not self.choices:
            raise SegueError(f"Parameter '{self.name}' needs choices.")

    def to_unit(self, value: Value) -> float:
        """Value -> position 0..1 along the curve; auto reads as the middle of the way."""
        if self.kind == "trigger":
            return 0.0
        if self.kind == "switch":
            return 1.0 if value else 0.0
        if self.kind == "choice":
            if value is None or len(self.choices) == 1:
                return 0.0
            return self.choices.index(str(value)) / (len(self.choices) - 1)
        if value is None:
            return 0.5
        x = min(max(float(value), self.low), self.high)
        if self.curve == "logarithmic":
            return math.log(x / self.low) / math.log(self.high / self.low)
        u = (x - self.low) / (self.high - self.low)
        return float(u ** (1.0 / TAPER_EXPONENT)) if self.curve == "taper" else u

    def from_unit(self, position: float) -> Value:
        """Position 0..1 -> value, the inverse of `to_unit`; clamps."""
        if not math.isfinite(position):
            raise SegueError(f"'{self.name}' needs a finite position between 0 and 1.")
        u = min(max(position, 0.0), 1.0)
        if self.kind == "switch":
            return u >= 0.5
        if self.kind == "choice":
            return self.choices[round(u * (len(self.choices) - 1))]
        if self.kind == "trigger":
            return None
        if self.curve == "logarithmic":
            return self.low * (self.high / self.low) ** u
        if self.curve == "taper":
            u = u**TAPER_EXPONENT
        return self.low + u * (self.high - self.low)

    def accept(self, value: Value) -> Value:
        """The value as it would be stored: right type, inside the range. Raises SegueError."""
        if value is None:
            if not self.auto:
                raise SegueError(f"'{self.name}' has no auto position; give it a value.")
            return None
        if self.kind == "switch":
            return number_of(self.name, value) >= 0.5
        if self.kind == "choice":
            if isinstance(value, str):
                if value not in self.choices:
                    known = ", ".join(self.choices[:12])
                    raise SegueError(f"'{value}' is no choice of '{self.name}'; known: {known}.")
                return value
            index = round(number_of(self.name, value))
            return self.choices[min(max(index, 0), len(self.choices) - 1)]
        return min(max(number_of(self.name, value), self.low), self.high)

    def text(self, value: Value) -> str:
        """The value as the window writes it."""
        if value is None:
            return "auto"
        if self.kind == "switch":
            return "on" if value else "off"
        if self.kind == "choice":
            return str(value)
        if self.kind == "trigger":
            return ""
        number = float(value)
        if self.unit == "%":
            return f"{number * 100:.0f} %"
        if self.unit == "dB" and number <= self.low:
            return "off"
        body = f"{round(number, self.decimals) + 0.0:.{self.decimals}f}"  # never -0.00
        return f"{body} {self.unit}" if self.unit else body


def number_of(name: str, value: Value) -> float:
    """The value as a finite number; SegueError, naming the parameter, where it is none."""
    if isinstance(value, str) or value is None:
        raise SegueError(f"'{name}' needs a number, not '{value}'.")
    number = float(value)
    if not math.isfinite(number):
        raise SegueError(f"'{name}' needs a finite number.")
    return number

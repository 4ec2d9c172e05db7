"""Definition of a parameter: kind, range, curve, unit and text.

Values are in `app.parameters.registry.Registry`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from models.errors import SegueError
from models.music.user_instruments import is_user_instrument, parse_user_instrument

Value = float | bool | str | None
Kind = Literal["continuous", "switch", "trigger", "choice"]
Curve = Literal["linear", "logarithmic", "taper"]

TAPER_EXPONENT: Final = 0.5
"""A fader in dB has its upper half for the loudest three tenths of the range, as mixers do."""


@dataclass(frozen=True)
class Parameter:
    """Definition of a parameter.

    Args:
        name: as in maps, OSC and files, such as "prompt.1.weight".
        label: for the window and lists.
        kind: continuous, switch, trigger or choice.
        low, high: range in `unit`.
        default: value in `unit`; None is auto.
        curve: response of a knob; "taper" is that of a mixer's fader in dB.
        step, fine: in `unit`, by one arrow key without and with shift.
        choices: values of kind "choice".
        ends: text at `low` and at `high` in place of the number.
        files: whether instruments of the performer's own are values as well.
        auto: whether the model may choose (value None).
        group: heading in lists.
        help: tooltip.

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
    ends: tuple[str, str] | None = None
    files: bool = False
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
        """Position 0..1 along the curve for a value; auto is the middle."""
        if self.kind == "trigger":
            return 0.0
        if self.kind == "switch":
            return 1.0 if value else 0.0
        if self.kind == "choice":
            if value is None or len(self.choices) == 1 or value not in self.choices:
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
        """Value for a position 0..1, clamped; the inverse of `to_unit`.

        Raises:
            SegueError: the position is not finite.

        """
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
            return float(self.low * (self.high / self.low) ** u)
        if self.curve == "taper":
            u = u**TAPER_EXPONENT
        return self.low + u * (self.high - self.low)

    def accept(self, value: Value) -> Value:
        """The value converted to the parameter's type and range.

        Raises:
            SegueError: the value is of a wrong type, not finite, or no choice.

        """
        if value is None:
            if not self.auto:
                raise SegueError(f"'{self.name}' has no auto position; give it a value.")
            return None
        if self.kind == "switch":
            return number_of(self.name, value) >= 0.5
        if self.kind == "choice":
            if isinstance(value, str):
                if self.files and is_user_instrument(value):
                    return value
                if value not in self.choices:
                    known = ", ".join(self.choices[:12])
                    raise SegueError(f"'{value}' is no choice of '{self.name}'; known: {known}.")
                return value
            index = round(number_of(self.name, value))
            return self.choices[min(max(index, 0), len(self.choices) - 1)]
        return min(max(number_of(self.name, value), self.low), self.high)

    def text(self, value: Value) -> str:
        """The value as displayed."""
        if value is None:
            return "auto"
        if self.kind == "switch":
            return "on" if value else "off"
        if self.kind == "choice":
            own = parse_user_instrument(value)
            return str(value) if own is None else own.label
        if self.kind == "trigger":
            return ""
        number = float(value)
        if self.unit == "%":
            return f"{number * 100:.0f} %"
        if self.ends is not None and not self.low < number < self.high:
            return self.ends[number >= self.high]
        if self.unit == "dB" and number <= self.low:
            return "off"
        body = f"{round(number, self.decimals) + 0.0:.{self.decimals}f}"  # never -0.00
        return f"{body} {self.unit}" if self.unit else body


def number_of(name: str, value: Value) -> float:
    """The value as a finite float. Raises SegueError, which names the parameter."""
    if isinstance(value, str) or value is None:
        raise SegueError(f"'{name}' needs a number, not '{value}'.")
    number = float(value)
    if not math.isfinite(number):
        raise SegueError(f"'{name}' needs a finite number.")
    return number

"""What each kind of parameter makes of the argument of an OSC message.

| argument          | continuous           | switch         | choice          | trigger        |
|-------------------|----------------------|----------------|-----------------|----------------|
| i h f d, a number | in its unit, clamped | on from 0.5    | index, from 0   | strength, 0..1 |
| s S, a number     | the same             | the same       | name, or index  | the same       |
| s S, words        | auto                 | on off         | name, auto      | -              |
|                   |                      | true false     |                 |                |
| T I               | highest              | on             | -               | fires          |
| F                 | lowest               | off            | -               | nothing        |
| N                 | auto                 | -              | auto            | nothing        |
| none              | answered             | answered       | answered        | fires          |

By position (`/segue/unit/...`) a number is 0..1 along the curve, for a choice from the first to the
last; T, F, N and auto are as above. "auto" and N are only for parameters that have auto. Names of
choices and words are the same in capitals. Everything else is refused with a sentence.
"""

from __future__ import annotations

import math
import re
from typing import Final

from app.control.osc.messages import Argument
from app.parameters.parameter import Parameter, Value
from models.errors import SegueError

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.IGNORECASE)
_SWITCH_WORDS: Final = {"on": True, "true": True, "off": False, "false": False}


def value_of(parameter: Parameter, argument: Argument) -> Value:
    """Value of a parameter in its own unit.

    Args:
        parameter: Any but a trigger.
        argument: As `messages.parse` returns it.

    Returns:
        What `Registry.set` takes.

    Raises:
        SegueError: The parameter takes no such argument.

    """
    if argument is None or _is_auto(argument):
        return None
    if isinstance(argument, bool):
        if parameter.kind == "choice":
            raise SegueError(f"'{parameter.name}' needs a name or a number, not true or false.")
        if parameter.kind == "switch":
            return argument
        return parameter.high if argument else parameter.low
    if isinstance(argument, str):
        return _from_text(parameter, argument.strip())
    if parameter.kind == "choice" and not 0 <= argument < len(parameter.choices):
        last = len(parameter.choices) - 1
        raise SegueError(f"'{parameter.name}' has choices 0 to {last}, not {argument:g}.")
    return float(argument)


def position_of(parameter: Parameter, argument: Argument) -> float | None:
    """Position 0..1 of a parameter, None for auto. Raises SegueError as `value_of`."""
    if argument is None or _is_auto(argument):
        return None
    number = _number(argument) if isinstance(argument, str) else float(argument)
    if number is None:
        raise SegueError(f"'{parameter.name}' needs a position from 0 to 1, not '{argument}'.")
    return number


def strength_of(parameter: Parameter, arguments: list[Argument]) -> float:
    """Strength 0..1 of a trigger; 0 does not fire. Raises SegueError for words."""
    if not arguments:
        return 1.0
    first = arguments[0]
    number = _number(first) if isinstance(first, str) else float(first or 0.0)
    if number is None:
        raise SegueError(f"'{parameter.name}' is a trigger; send it a number or nothing.")
    return min(max(number, 0.0), 1.0)


def _from_text(parameter: Parameter, text: str) -> Value:
    if parameter.kind == "choice":
        for choice in parameter.choices:
            if choice.casefold() == text.casefold():
                return choice
    if parameter.kind == "switch" and text.casefold() in _SWITCH_WORDS:
        return _SWITCH_WORDS[text.casefold()]
    number = _number(text)
    if number is None:
        if _number(text.replace(",", ".", 1)) is not None:
            point = text.replace(",", ".", 1)
            raise SegueError(f"'{parameter.name}' needs a point, {point}, not '{text[:40]}'.")
        return text[:40]  # refused by the parameter, which knows its choices
    return value_of(parameter, number)


def _is_auto(argument: Argument) -> bool:
    return isinstance(argument, str) and argument.strip().casefold() == "auto"


def _number(text: str) -> float | None:
    """A finite number as text; None for anything else, underscores and hexadecimals included."""
    text = text.strip()
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    return number if math.isfinite(number) else None

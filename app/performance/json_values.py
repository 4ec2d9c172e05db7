"""JSON forms of a performance's values."""

from __future__ import annotations

from collections.abc import Mapping

from models.engine.control_values import check_notes
from models.engine.parts import PartMap
from models.engine.prompts import Prompt
from models.music.hearing.sketch import Sketch


def prompt_value(prompt: Prompt) -> dict[str, object]:
    """JSON form of a prompt."""
    named = {"text": prompt.text} if prompt.text is not None else {"audio": prompt.audio}
    amount = {} if prompt.amount == 1.0 else {"amount": prompt.amount}
    return {**named, "weight": prompt.weight, **amount}


def plain_value(value: object) -> object:
    """JSON form of a control's value."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple) and any(isinstance(each, Sketch) for each in value):
        return [sketch.as_json() for sketch in value]
    if isinstance(value, tuple):
        return list(check_notes(value))
    if isinstance(value, PartMap):
        return value.as_json()
    if isinstance(value, Mapping):
        return dict(value)
    return value

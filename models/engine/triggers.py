"""Triggers among the controls: by name, as each acts once in the block that carries it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from models.engine.control_values import TRIGGERS
from models.engine.controls import Controls

REROLL: Final = "reroll."
STRIKE: Final = "strike."


def triggers_of(controls: Controls) -> frozenset[str]:
    """Names of the triggers that are pressed: of TRIGGERS, "reroll.lead" for a part, and
    "strike.60" for a key.
    """
    pressed = {name for name in TRIGGERS if getattr(controls, name)}
    pressed |= {f"{STRIKE}{note}" for note in controls.strikes}
    return frozenset(pressed | {REROLL + part for part in controls.reroll})


def strikes_of(names: Iterable[str]) -> tuple[int, ...]:
    """MIDI numbers of the keys that are struck, among the names of triggers."""
    return tuple(sorted(int(name[len(STRIKE) :]) for name in names if name.startswith(STRIKE)))


def with_triggers(controls: Controls, names: Collection[str]) -> Controls:
    """The controls with exactly these triggers pressed.

    Args:
        controls: of a block.
        names: of triggers, as `triggers_of` names them.

    """
    if triggers_of(controls) == set(names):
        return controls
    switches = {name: name in names for name in TRIGGERS}
    parts = frozenset(name[len(REROLL) :] for name in names if name.startswith(REROLL))
    return controls.with_(**switches, reroll=parts, strikes=strikes_of(names))

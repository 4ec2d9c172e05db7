"""Triggers on their way into the plan: each acts once, however often the plan is rewritten."""

from __future__ import annotations

from models.engine.controls import Controls
from models.engine.triggers import triggers_of, with_triggers


class TriggerQueue:
    """Triggers of the performer, each with the plan position of the block that carries it.

    A block that is rendered again, or replaced from an earlier position on, has not acted: its
    triggers go into the block that is rendered instead. A later block follows from its snapshot.
    """

    def __init__(self) -> None:
        self._positions: dict[str, int | None] = {}  # None: not in a block yet

    @property
    def waiting(self) -> bool:
        """Whether any trigger is in no block yet."""
        return None in self._positions.values()

    def take(self, controls: Controls) -> Controls:
        """Note the triggers of new controls; returns the controls without them."""
        self._positions.update(dict.fromkeys(triggers_of(controls)))
        return with_triggers(controls, ())

    def controls_at(self, position: int, controls: Controls) -> Controls:
        """Controls of the block at a plan position, with the triggers that it carries."""
        due = {name for name, at in self._positions.items() if at is None or at >= position}
        return with_triggers(controls, due | triggers_of(controls))

    def planned(self, position: int, controls: Controls) -> None:
        """Note that the block at a position is in the plan, rendered with these controls."""
        self._positions.update(dict.fromkeys(triggers_of(controls), position))

    def drop(self, controls: Controls) -> Controls:
        """Forget all triggers; returns the controls without any."""
        self.clear()
        return with_triggers(controls, ())

    def clear(self) -> None:
        """Forget all triggers."""
        self._positions.clear()

"""Commands of shortcuts and buttons, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from app.parameters.registry import Registry

REPEATABLE: Final = frozenset(
    {"window.quieter", "window.louder", "window.zoom_in", "window.zoom_out", "edit.undo",
     "edit.redo"}
)  # fmt: skip
"""Actions that a held key may repeat."""
FOCUS: Final = "window.focus."
"""Prefix of the actions that focus a prompt strip, by its number."""


class Commands:
    """Runs an action: a command of the window, or a parameter by its name.

    Args:
        registry: switches are toggled, triggers fired.
        window_commands: commands by name.
        focus_strip: takes the number of a prompt strip, from 1.

    """

    def __init__(
        self,
        registry: Registry,
        window_commands: Mapping[str, Callable[[], object]],
        focus_strip: Callable[[int], None],
    ) -> None:
        self._registry, self._table, self._focus_strip = registry, window_commands, focus_strip

    def run(self, action: str) -> None:
        """Run an action by name."""
        if action.startswith(FOCUS):
            self._focus_strip(int(action.removeprefix(FOCUS)))
        elif action in self._table:
            self._table[action]()
        elif self._registry[action].kind == "switch":
            self._registry.toggle(action, "keyboard")
        else:
            self._registry.trigger(action, "keyboard")

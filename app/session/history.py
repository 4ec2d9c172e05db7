"""Undo and redo of whole documents.

Documents are immutable and share their parts, so a step costs little. Edits of the same key in
quick succession (one knob or several at once) are one step. Edits outside the document, such as
those of a controller map, take their turn as a `SideEdit`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

T = TypeVar("T")
State = TypeVar("State")

LIMIT: Final = 500
GESTURE: Final = 1.0
"""Seconds of rest after which an edit of the same key begins a new step."""
TOGETHER: Final = 0.25
"""Seconds between the edits of one key while another key is edited too."""


@dataclass(frozen=True)
class SideEdit(Generic[State]):
    """Step outside the document: `swap` restores `state` and returns the state it replaced."""

    state: State
    swap: Callable[[State], State]

    def swapped(self) -> SideEdit[State]:
        """The step back; what it returns is what this one restores."""
        return SideEdit(self.swap(self.state), self.swap)


def edit_key(name: str) -> str:
    """Key of the step that an edit of a parameter belongs to: x and y are one gesture."""
    if name in ("map.x", "map.y"):
        return "map"
    if name.startswith("prompt.") and name.endswith((".x", ".y")):
        return "places"
    return name


AnySideEdit: TypeAlias = SideEdit[Any]
"""A side edit of whatever state."""


class EditHistory(Generic[T]):
    """Undo and redo stacks of documents."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._undo: list[tuple[str, T | AnySideEdit]] = []
        self._redo: list[tuple[str, T | AnySideEdit]] = []
        self._limit = limit
        self._active: dict[str, tuple[float, tuple[str, T | AnySideEdit]]] = {}
        """Keys being edited: time of the last edit, and the step that it belongs to."""

    def continues(self, key: str, now: float) -> bool:
        """Whether an edit of `key` now belongs to a recorded step; prolongs the gesture.

        Steps of keys that are edited at the same time are merged.
        """
        if key not in self._active or not self._undo:
            return False
        when, step = self._active[key]
        newest = self._undo[-1] is step
        if now - when > (GESTURE if newest else TOGETHER) or not (newest or self._join(step)):
            return False
        self._active[key] = (now, step)
        return True

    def _join(self, step: tuple[str, T | AnySideEdit]) -> bool:
        """Merge all later steps into this one, if they are all still being edited."""
        at = next((n for n, each in enumerate(self._undo) if each is step), None)
        if at is None:
            return False
        later = self._undo[at + 1 :]
        live = [own for _, own in self._active.values()]
        for each in later:
            if isinstance(each[1], SideEdit) or not any(own is each for own in live):
                return False
        del self._undo[at + 1 :]
        for key, (when, own) in self._active.items():
            if any(own is each for each in later):
                self._active[key] = (when, step)
        return True

    def record(self, key: str, before: T | AnySideEdit, now: float) -> None:
        """Record the document before an edit; clears the redo stack."""
        step = (key, before)
        self._undo.append(step)
        del self._undo[: -self._limit]
        self._redo.clear()
        self._active = {k: v for k, v in self._active.items() if now - v[0] <= TOGETHER}
        self._active[key] = (now, step)

    def interrupt(self) -> None:
        """Make the next edit a step of its own."""
        self._active.clear()

    def undo(self, current: Callable[[], T], restore: Callable[[T], None]) -> str:
        """Undo the last step; its key, '' where there is none.

        current: gives the document. restore: replaces it.
        """
        return self._step(self._undo, self._redo, current, restore)

    def redo(self, current: Callable[[], T], restore: Callable[[T], None]) -> str:
        """Redo the last undone step; as `undo`."""
        return self._step(self._redo, self._undo, current, restore)

    def _step(
        self,
        source: list[tuple[str, T | AnySideEdit]],
        target: list[tuple[str, T | AnySideEdit]],
        current: Callable[[], T],
        restore: Callable[[T], None],
    ) -> str:
        if not source:
            return ""
        key, state = source.pop()
        self._active.clear()
        if isinstance(state, SideEdit):
            target.append((key, state.swapped()))
        else:
            target.append((key, current()))
            restore(state)
        return key

    @property
    def undo_name(self) -> str:
        """Key of the step that undo would undo, '' if there is none."""
        return self._undo[-1][0] if self._undo else ""

    @property
    def redo_name(self) -> str:
        return self._redo[-1][0] if self._redo else ""

    def clear(self) -> None:
        self._undo.clear()
        self._redo.clear()
        self._active.clear()

"""Undo and redo of whole documents. GUI lane; pure, table-tested.

Documents are immutable and share their parts, so a step costs little. Edits of the same thing in
quick succession (a knob being turned, or several by both hands) are one step. What is no part of
the document and yet to be undone in its turn, such as a controller's map, is an `SideEdit` among
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

LIMIT: Final = 500
GESTURE: Final = 1.0
"""Seconds of rest after which the same knob begins a new step."""
TOGETHER: Final = 0.25
"""Seconds within which a knob moves again that is turned while another one is."""


@dataclass(frozen=True)
class SideEdit:
    """A step beside the document: `swap` puts `state` back and returns what was there instead."""

    state: Any
    swap: Callable[[Any], Any]


def edit_key(name: str) -> str:
    """Edits with one key within a gesture are one step: the map moves all weights at once, and a
    prompt (or all of them, spread) both ways."""
    if name in ("map.x", "map.y"):
        return "map"
    if name.startswith("prompt.") and name.endswith((".x", ".y")):
        return "places"
    return name


class EditHistory(Generic[T]):
    """What was before each edit, and what was undone."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._past: list[tuple[str, T | SideEdit]] = []
        self._future: list[tuple[str, T | SideEdit]] = []
        self._limit = limit
        self._moving: dict[str, tuple[float, tuple[str, T | SideEdit]]] = {}
        """What is being turned: when it was last moved, and the step that it belongs to."""

    def continues(self, key: str, now: float) -> bool:
        """Whether an edit of `key` now belongs to a step already kept; prolongs the gesture.

        Where it is not the last step, both hands are moving: their steps become one.
        """
        if key not in self._moving or not self._past:
            return False
        when, step = self._moving[key]
        newest = self._past[-1] is step
        if now - when > (GESTURE if newest else TOGETHER) or not (newest or self._join(step)):
            return False
        self._moving[key] = (now, step)
        return True

    def _join(self, step: tuple[str, T | SideEdit]) -> bool:
        """Let all steps after this one be part of it, where they are being made still."""
        at = next((n for n, each in enumerate(self._past) if each is step), None)
        if at is None:
            return False
        later = self._past[at + 1 :]
        live = [own for _, own in self._moving.values()]
        for each in later:
            if isinstance(each[1], SideEdit) or not any(own is each for own in live):
                return False
        del self._past[at + 1 :]
        for key, (when, own) in self._moving.items():
            if any(own is each for each in later):
                self._moving[key] = (when, step)
        return True

    def record(self, key: str, before: T | SideEdit, now: float) -> None:
        """An edit begins: keep what was before it. Drops what could be redone."""
        step = (key, before)
        self._past.append(step)
        del self._past[: -self._limit]
        self._future.clear()
        self._moving = {k: v for k, v in self._moving.items() if now - v[0] <= TOGETHER}
        self._moving[key] = (now, step)

    def interrupt(self) -> None:
        """The next edit is a step of its own, however soon it comes."""
        self._moving.clear()

    def undo(self, present: Callable[[], T], put: Callable[[T], None]) -> str:
        """Go back to before the last edit; its key, '' where there is none.

        present: the document as it is. put: makes it another.
        """
        return self._step(self._past, self._future, present, put)

    def redo(self, present: Callable[[], T], put: Callable[[T], None]) -> str:
        """Go back to before the last undo; as `undo`."""
        return self._step(self._future, self._past, present, put)

    def _step(
        self,
        source: list[tuple[str, T | SideEdit]],
        target: list[tuple[str, T | SideEdit]],
        present: Callable[[], T],
        put: Callable[[T], None],
    ) -> str:
        if not source:
            return ""
        key, state = source.pop()
        self._moving.clear()
        if isinstance(state, SideEdit):
            target.append((key, SideEdit(state.swap(state.state), state.swap)))
        else:
            target.append((key, present()))
            put(state)
        return key

    @property
    def undo_name(self) -> str:
        """The key of the edit that undo would take back, '' if there is none."""
        return self._past[-1][0] if self._past else ""

    @property
    def redo_name(self) -> str:
        return self._future[-1][0] if self._future else ""

    def clear(self) -> None:
        self._past.clear()
        self._future.clear()
        self._moving.clear()

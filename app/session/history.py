"""Undo and redo of whole documents. GUI lane; pure, table-tested.

Documents are immutable and share their parts, so a step costs little. Edits of the same thing in
quick succession (a knob being turned) are one step.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

T = TypeVar("T")

LIMIT: Final = 500
GESTURE: Final = 1.0
"""Seconds of rest after which the same knob begins a new step."""


class History(Generic[T]):
    """What was before each edit, and what was undone."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._past: list[tuple[str, T]] = []
        self._future: list[tuple[str, T]] = []
        self._limit = limit
        self._gesture: tuple[str, float] | None = None

    def continues(self, key: str, now: float) -> bool:
        """Whether an edit of `key` now belongs to the step already kept; prolongs the gesture."""
        same = (
            self._gesture is not None
            and self._gesture[0] == key
            and now - self._gesture[1] <= GESTURE
        )
        if same:
            self._gesture = (key, now)
        return same

    def record(self, key: str, before: T, now: float) -> None:
        """An edit begins: keep what was before it. Drops what could be redone."""
        self._past.append((key, before))
        del self._past[: -self._limit]
        self._future.clear()
        self._gesture = (key, now)

    def interrupt(self) -> None:
        """The next edit is a step of its own, however soon it comes."""
        self._gesture = None

    def undo(self, present: T) -> T | None:
        """What was before the last edit, or None."""
        return self._step(self._past, self._future, present)

    def redo(self, present: T) -> T | None:
        """What was before the last undo, or None."""
        return self._step(self._future, self._past, present)

    def _step(self, source: list[tuple[str, T]], target: list[tuple[str, T]], now: T) -> T | None:
        if not source:
            return None
        key, document = source.pop()
        target.append((key, now))
        self._gesture = None
        return document

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
        self._gesture = None

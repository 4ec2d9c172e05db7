"""Session: a performer's prompts, values and scenes, with undo.

The registry holds everything that has a name; the session adds the prompts' texts, the scenes and
their moments, records edits for undo and notifies listeners.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeAlias

from app.parameters import catalogue
from app.parameters.magenta_parameters import COUPLED
from app.parameters.parameter import Value
from app.parameters.registry import Change, Registry
from app.performance.moment import Moment
from app.session.document import Document
from app.session.first_session import first_document
from app.session.history import EditHistory, SideEdit, State, edit_key
from app.session.prompts.list import PromptList
from app.session.scene_bank import SceneBank

NON_EDIT_SOURCES: Final = frozenset(
    {"undo", "load", "scene", "morph", "orbit", "map", "availability", "clock", COUPLED}
)
"""Sources of changes that are not edits."""

Topic: TypeAlias = str
"""What changed: "prompts" (text, number, order), "scenes", "history", "file", "moments", "opened"
(another session)."""


class Session:
    """Prompts, values and scenes of a performer, and every edit of them.

    moments: moments of the scenes by key. pending_moments: keys of those still being read.
    edits: number of edits so far, for autosave.
    """

    def __init__(
        self, registry: Registry | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.registry = registry if registry is not None else catalogue.build_registry()
        self._values = self._session_values()
        self.prompts = PromptList(self.registry, self)
        self.scenes = SceneBank(self.registry, self, self.prompts, lambda: self._values)
        self.seed = 0
        self.moments: dict[str, Moment] = {}
        self.pending_moments: frozenset[str] = frozenset()
        self.edits = 0
        self._saved_edits = 0
        self._clock = clock
        self._history: EditHistory[Document] = EditHistory()
        self._listeners: list[Callable[[Topic], None]] = []
        self._muted = 0  # depth of blocks in which changes of parameters are no edits
        self.registry.subscribe(self._on_change)
        self.new()

    # -- listeners -----------------------------------------------------------------------------
    def subscribe(self, listener: Callable[[Topic], None]) -> Callable[[], None]:
        """Call a listener with each topic; returns the function that ends it."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def notify(self, topic: Topic) -> None:
        for listener in tuple(self._listeners):
            listener(topic)

    # -- the whole session ---------------------------------------------------------------------
    def _session_values(self) -> dict[str, Value]:
        return {
            name: value
            for name, value in self.registry.values().items()
            if catalogue.matches(name, catalogue.SESSION_PATTERNS)
        }

    def document(self) -> Document:
        """The session as it is now."""
        return Document(tuple(self.prompts), self._values, tuple(self.scenes), self.seed)

    def apply(self, document: Document, source: str = "load") -> None:
        """Become a document; parameters that it does not mention go to their defaults."""
        with self._without_edits(), self.registry.batch():
            self.prompts.assign(document.prompts)
            self.scenes.assign(document.scenes)
            self.seed = document.seed
            for name in self._values:
                value = document.values.get(name, self.registry[name].default)
                if name not in document.values and name.startswith("mixer."):
                    continue
                self.registry.restore(name, value, source)
        self.notify("prompts")
        self.notify("scenes")

    def load(self, document: Document, pending_moments: frozenset[str] = frozenset()) -> None:
        """Open a session; clears the history.

        pending_moments: keys of the moments that `add_loaded_moments` will bring.
        """
        self.moments, self.pending_moments = {}, pending_moments
        self.notify("opened")
        self.apply(document, "load")
        self.clear_history()

    def add_loaded_moments(self, found: Mapping[str, Moment]) -> None:
        """Add the pending moments, as far as they were found."""
        self.moments, self.pending_moments = {**found, **self.moments}, frozenset()
        self.notify("moments")

    def add_moment(self, key: str, moment: Moment) -> None:
        """Add the moment of a scene."""
        self.moments[key] = moment
        self.edits += 1
        self.notify("moments")

    def new(self) -> None:
        """Open a fresh session; clears the history."""
        self.load(first_document())

    # -- edits ---------------------------------------------------------------------------------
    @property
    def unsaved(self) -> bool:
        return self.edits != self._saved_edits

    def mark_saved(self, edits: int | None = None) -> None:
        """Note that all edits, or the first `edits`, are in the file."""
        self._saved_edits = self.edits if edits is None else edits
        self.notify("file")

    @contextmanager
    def edit(self, key: str, topic: Topic = "") -> Iterator[None]:
        """One step of the history; changes of parameters within belong to it."""
        self._begin_edit(key)
        with self._without_edits():
            yield
        self._history.interrupt()
        if topic:
            self.notify(topic)

    @contextmanager
    def _without_edits(self) -> Iterator[None]:
        self._muted += 1
        try:
            yield
        finally:
            self._muted -= 1
        self._values = self._session_values()

    def _on_change(self, change: Change) -> None:
        if change.name not in self._values:
            return
        if not self._muted and change.source not in NON_EDIT_SOURCES:
            self._begin_edit(edit_key(change.name))
        self._values[change.name] = self.registry.get(change.name)

    def _begin_edit(self, key: str) -> None:
        """Record the state before an edit."""
        now, saved = self._clock(), not self.unsaved
        self.edits += 1
        if not self._history.continues(key, now):
            self._history.record(key, self.document(), now)
            self.notify("history")
        if saved:
            self.notify("file")

    def record_side_edit(self, key: str, step: SideEdit[State], *, alone: bool = True) -> None:
        """Record an edit of something outside the document.

        alone: it is a step of its own, else it joins a recent step of the same key.
        """
        if alone:
            self._history.interrupt()
        now = self._clock()
        if not self._history.continues(key, now):
            self._history.record(key, step, now)
        self.notify("history")

    def undo(self) -> str:
        """Undo the last edit; its key, '' where there is none."""
        return self._travel(self._history.undo)

    def redo(self) -> str:
        """Redo the last undone edit; its key, '' where there is none."""
        return self._travel(self._history.redo)

    def _travel(
        self, step: Callable[[Callable[[], Document], Callable[[Document], None]], str]
    ) -> str:
        key = step(self.document, self._restore)
        if key:
            self.notify("history")
        return key

    def _restore(self, document: Document) -> None:
        self.apply(document, "undo")
        self.edits += 1
        self.notify("file")

    def clear_history(self) -> None:
        self._history.clear()
        self.mark_saved()
        self.notify("history")

    @property
    def can_undo(self) -> bool:
        return bool(self._history.undo_name)

    @property
    def can_redo(self) -> bool:
        return bool(self._history.redo_name)

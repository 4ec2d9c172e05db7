"""The session: prompts, values and scenes, and every edit of them. GUI lane; pure, no Qt.

The registry is the truth for everything that has a name; this class owns what has none (the words
of prompts, the scenes), notes edits for undo, and says what is to be heard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from app.parameters import catalogue
from app.parameters.parameter import Value
from app.parameters.registry import Change, Registry
from app.session import prompt_mix as mix
from app.session import prompt_plane as plane
from app.session.document import Document, Scene, SessionPrompt, scene_title
from app.session.first_session import first_document
from app.session.history import EditHistory, SideEdit, edit_key
from app.session.morph import Morph, plan
from models.errors import SegueError

QUIET: Final = frozenset(
    {"undo", "load", "scene", "morph", "orbit", "map", "availability", "clock"}
)
"""Hands whose changes are no edits of their own."""
PARTS: Final = ("weight", "mute", "solo", "x", "y")

Topic = str
"""What listeners are told: "prompts" (words, number, order), "scenes", "history", "file", "moments"
(places in the music that came), "opened" (another session)."""


class Session:
    """One performer's session. Raises SegueError for what cannot be done."""

    def __init__(
        self, registry: Registry | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.registry = registry if registry is not None else catalogue.build_registry()
        self.prompts: tuple[SessionPrompt, ...] = ()
        self.scenes: tuple[Scene | None, ...] = (None,) * catalogue.SCENES
        self.seed = 0
        self.moments: dict[str, Any] = {}  # places in the music that scenes go back to, by key
        self.pending_moments: frozenset[str] = (
            frozenset()
        )  # keys of those that are still being read
        self.edits = 0  # counts edits, so that autosave and "unsaved" know
        self._saved_edits = 0
        self._clock = clock
        self._history: EditHistory[Document] = EditHistory()
        self._listeners: list[Callable[[Topic], None]] = []
        self._silent = 0
        self._mirror = self._all_values()
        self.registry.subscribe(self._on_change)
        self.new()

    # -- listeners -----------------------------------------------------------------------------
    def subscribe(self, listener: Callable[[Topic], None]) -> Callable[[], None]:
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def _tell(self, topic: Topic) -> None:
        for listener in tuple(self._listeners):
            listener(topic)

    # -- the whole -----------------------------------------------------------------------------
    def _all_values(self) -> dict[str, Value]:
        return {
            name: value
            for name, value in self.registry.values().items()
            if catalogue.matches(name, catalogue.SESSION_PATTERNS)
        }

    def document(self) -> Document:
        """The session as it is now."""
        return Document(self.prompts, self._mirror, self.scenes, self.seed)

    def apply(self, document: Document, source: str = "load") -> None:
        """Become the document; what it does not mention goes to its default."""
        self._silent += 1
        try:
            with self.registry.batch():
                self._set_prompts(document.prompts)
                self.scenes = document.scenes
                self.seed = document.seed
                for name in self._mirror:
                    value = document.values.get(name, self.registry[name].default)
                    if name not in document.values and name.startswith("mixer."):
                        continue
                    self.registry.restore(name, value, source)
        finally:
            self._silent -= 1
        self._mirror = self._all_values()
        self._tell("prompts")
        self._tell("scenes")

    def load(self, document: Document, pending_moments: frozenset[str] = frozenset()) -> None:
        """Open a session; clears the history.

        pending_moments: keys of the moments that `add_loaded_moments` will bring.
        """
        self.moments, self.pending_moments = {}, pending_moments
        self._tell("opened")
        self.apply(document, "load")
        self.clear_history()

    def add_loaded_moments(self, found: Mapping[str, Any]) -> None:
        """What was awaited, as far as it was found; what was kept since is newer."""
        self.moments, self.pending_moments = {**found, **self.moments}, frozenset()
        self._tell("moments")

    def new(self) -> None:
        """A fresh session; nothing of the one before can be undone."""
        self.load(first_document())

    def clear_history(self) -> None:
        self._history.clear()
        self.mark_saved()
        self._tell("history")

    @property
    def unsaved(self) -> bool:
        return self.edits != self._saved_edits

    def mark_saved(self, edits: int | None = None) -> None:
        """What is in the file are all edits, or the first so many."""
        self._saved_edits = self.edits if edits is None else edits
        self._tell("file")

    # -- edits ---------------------------------------------------------------------------------
    def _on_change(self, change: Change) -> None:
        if change.name not in self._mirror:
            return
        if not self._silent and change.source not in QUIET:
            self._edit(edit_key(change.name))
        self._mirror[change.name] = self.registry.get(change.name)

    def _edit(self, key: str) -> None:
        """An edit begins; the state is still as it was before."""
        now, saved = self._clock(), not self.unsaved
        self.edits += 1
        if not self._history.continues(key, now):
            self._history.record(key, self.document(), now)
            self._tell("history")
        if saved:
            self._tell("file")

    def record_side_edit(self, key: str, step: SideEdit, *, alone: bool = True) -> None:
        """An edit of what is no part of the session, to be undone in its turn. alone: it is a step
        of its own; else it belongs to the step of the same key that has just been."""
        if alone:
            self._history_breaks()
        now = self._clock()
        if not self._history.continues(key, now):
            self._history.record(key, step, now)
        self._tell("history")

    def undo(self) -> str:
        """Take back the last edit; its name, '' where there is none."""
        return self._travelled(self._history.undo(self.document, self._go_back))

    def redo(self) -> str:
        """Make an undone edit again; its name, '' where there is none."""
        return self._travelled(self._history.redo(self.document, self._go_back))

    def _go_back(self, document: Document) -> None:
        self.apply(document, "undo")
        self.edits += 1
        self._tell("file")

    def _travelled(self, name: str) -> str:
        if name:
            self._tell("history")
        return name

    @property
    def can_undo(self) -> bool:
        return bool(self._history.undo_name)

    @property
    def can_redo(self) -> bool:
        return bool(self._history.redo_name)

    # -- prompts -------------------------------------------------------------------------------
    def _set_prompts(self, prompts: tuple[SessionPrompt, ...]) -> None:
        self.prompts = prompts
        catalogue.set_prompt_count(self.registry, len(prompts))

    def _strips(self) -> list[tuple[SessionPrompt, dict[str, Value]]]:
        return [
            (prompt, {part: self.registry.get(f"prompt.{n}.{part}") for part in PARTS})
            for n, prompt in enumerate(self.prompts, 1)
        ]

    def _put_strips(self, strips: Sequence[tuple[SessionPrompt, dict[str, Value]]]) -> None:
        self._silent += 1
        try:
            with self.registry.batch():
                self._set_prompts(tuple(prompt for prompt, _ in strips))
                for n in range(1, catalogue.PROMPTS + 1):
                    for part in PARTS:
                        name = f"prompt.{n}.{part}"
                        default = self.registry[name].default
                        value = strips[n - 1][1][part] if n <= len(strips) else default
                        self.registry.restore(name, value, "load")
        finally:
            self._silent -= 1
        self._mirror = self._all_values()
        self._tell("prompts")

    def add_prompt(self, text: str = "", *, audio: str | None = None, weight: float = 0.0) -> int:
        """A new strip at the right end, silent unless told otherwise; returns its number."""
        if len(self.prompts) >= catalogue.PROMPTS:
            raise SegueError(f"{catalogue.PROMPTS} prompts are the most; remove one first.")
        self._edit("add prompt")
        used = {prompt.colour for prompt in self.prompts}
        colour = next(c for c in range(catalogue.PROMPTS) if c not in used)
        x, y = plane.free_place(self.points())
        values: dict[str, Value] = {"weight": weight, "mute": False, "solo": False, "x": x, "y": y}
        self._put_strips([*self._strips(), (SessionPrompt(text, audio, colour), values)])
        self._history_breaks()
        return len(self.prompts)

    def remove_prompt(self, n: int) -> None:
        """Take strip n (from 1) away. The last one stays."""
        self._check(n)
        if len(self.prompts) == 1:
            raise SegueError("One prompt must stay; change its words instead.")
        self._edit("remove prompt")
        strips = self._strips()
        del strips[n - 1]
        self._put_strips(strips)
        self._history_breaks()

    def move_prompt(self, n: int, to: int) -> None:
        """Strip n goes to place `to`; the others close up."""
        self._check(n)
        self._check(to)
        if n == to:
            return
        self._edit("move prompt")
        strips = self._strips()
        strips.insert(to - 1, strips.pop(n - 1))
        self._put_strips(strips)
        self._history_breaks()

    def set_prompt(self, n: int, *, text: str | None = None, audio: str | None = None) -> None:
        """New words, or a sound (with `text` its name), for strip n."""
        self._check(n)
        old = self.prompts[n - 1]
        new = replace(old, text=old.text if text is None else text, audio=audio)
        self._replace(n, new, "prompt text")

    def set_colour(self, n: int, colour: int) -> None:
        self._check(n)
        self._replace(n, replace(self.prompts[n - 1], colour=colour % 16), "prompt colour")

    def _replace(self, n: int, new: SessionPrompt, key: str) -> None:
        if new == self.prompts[n - 1]:
            return
        self._edit(key)
        self.prompts = (*self.prompts[: n - 1], new, *self.prompts[n:])
        self._tell("prompts")
        self._history_breaks()

    def _history_breaks(self) -> None:
        """The next edit is a step of its own, however soon it comes."""
        self._history.interrupt()

    def _check(self, n: int) -> None:
        if not 1 <= n <= len(self.prompts):
            raise SegueError(f"There is no prompt {n}; there are {len(self.prompts)}.")

    # -- what is heard -------------------------------------------------------------------------
    def weights(self) -> list[float]:
        """Effective weight of each strip, after mute and solo."""
        get, count = self.registry.get, len(self.prompts)
        return mix.effective_weights(
            [self.registry.number(f"prompt.{n}.weight") for n in range(1, count + 1)],
            [bool(get(f"prompt.{n}.mute")) for n in range(1, count + 1)],
            [bool(get(f"prompt.{n}.solo")) for n in range(1, count + 1)],
        )

    def shares(self) -> list[float]:
        """Each strip's share of the mix, 0..1. Strips without words have none."""
        weights = self.weights()
        return mix.shares(
            [w if p.style_key else 0.0 for w, p in zip(weights, self.prompts, strict=True)]
        )

    def points(self) -> list[plane.Point]:
        """Where the prompts lie on the map."""
        number = self.registry.number
        return [
            (number(f"prompt.{n}.x"), number(f"prompt.{n}.y"))
            for n in range(1, len(self.prompts) + 1)
        ]

    def apply_map_weights(self, source: str) -> None:
        """Set the weights by the cursor's distance; muted prompts are left out of it."""
        number, get = self.registry.number, self.registry.get
        numbers = [n for n in range(1, len(self.prompts) + 1) if not get(f"prompt.{n}.mute")]
        points = self.points()
        weights = plane.map_weights(
            (number("map.x"), number("map.y")),
            [points[n - 1] for n in numbers],
            number("map.reach"),
        )
        for n, weight in zip(numbers, weights, strict=True):
            self.registry.set(f"prompt.{n}.weight", round(weight, 4), source)

    # -- scenes --------------------------------------------------------------------------------
    def current_scene(self, name: str = "", moment: str | None = None) -> Scene:
        """What is now, as a scene."""
        values = {
            key: value
            for key, value in self._mirror.items()
            if catalogue.matches(key, catalogue.SCENE_PATTERNS)
            and not (key.startswith("prompt.") and int(key.split(".")[1]) > len(self.prompts))
        }
        return Scene(name, self.prompts, values, moment)

    def save_scene(self, n: int, name: str = "", moment: str | None = None) -> None:
        """Keep what is now on pad n (from 1)."""
        kept = self.scenes[n - 1]
        title = scene_title(self.document(), self.shares()) if kept is None else kept.name
        self._put_scene(n, self.current_scene(name or title, moment), "save scene")

    def add_moment(self, key: str, moment: Any) -> None:
        """The place in the music that a scene was saved with; to be saved as well."""
        self.moments[key] = moment
        self.edits += 1
        self._tell("moments")

    def rename_scene(self, n: int, name: str) -> None:
        scene = self.scenes[n - 1]
        if scene is not None and name.strip():
            self._put_scene(n, replace(scene, name=name.strip()), "rename scene")

    def clear_scene(self, n: int) -> None:
        if self.scenes[n - 1] is not None:
            self._put_scene(n, None, "empty pad")

    def swap_scenes(self, n: int, other: int) -> None:
        if n == other:
            return
        self._edit("move scene")
        scenes = list(self.scenes)
        scenes[n - 1], scenes[other - 1] = scenes[other - 1], scenes[n - 1]
        self.scenes = tuple(scenes)
        self._history_breaks()
        self._tell("scenes")

    def _put_scene(self, n: int, scene: Scene | None, key: str) -> None:
        self._edit(key)
        self.scenes = (*self.scenes[: n - 1], scene, *self.scenes[n:])
        self._history_breaks()
        self._tell("scenes")

    def recall(self, n: int) -> Scene | None:
        """Bring scene n back at once; None where the pad is empty."""
        scene = self.scenes[n - 1]
        if scene is None:
            return None
        self._edit(f"scene {n}")
        self._become(scene.prompts, dict(scene.values), "scene")
        self._history_breaks()
        return scene

    def begin_morph(self, n: int, seconds: float) -> Morph | None:
        """Start a morph to scene n; call `step_morph` until it says it is done."""
        scene = self.scenes[n - 1]
        if scene is None:
            return None
        self._edit(f"scene {n}")
        way = plan(self.current_scene(), scene, seconds)
        self._become(way.prompts, way.at(0.0, self.registry), "morph")
        self._history_breaks()
        return way

    def step_morph(self, way: Morph, elapsed: float) -> bool:
        """Move on; True when the scene has been reached (and is exactly the scene)."""
        if way.done(elapsed):
            self._become(way.final.prompts, dict(way.final.values), "morph")
            return True
        with self.registry.batch():
            for name, value in way.at(elapsed, self.registry).items():
                self.registry.restore(name, value, "morph")
        return False

    def _become(
        self, prompts: tuple[SessionPrompt, ...], values: dict[str, Value], source: str
    ) -> None:
        changed = prompts != self.prompts
        with self.registry.batch():
            self._set_prompts(prompts)
            for name, value in values.items():
                self.registry.restore(name, value, source)
        if changed:
            self._tell("prompts")

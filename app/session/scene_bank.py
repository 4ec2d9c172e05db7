"""Scenes of a session: saving, recall and morphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import overload

from app.parameters import catalogue
from app.parameters.instrument_parameters import SCENES
from app.parameters.parameter import Value
from app.parameters.registry import Registry
from app.session.document import Scene, SessionPrompt, scene_title
from app.session.morph import Morph, plan_morph
from app.session.prompts.list import Editor, PromptList


class SceneBank(Sequence[Scene | None]):
    """Scenes on their pads, None where a pad is empty. Methods count pads from 1."""

    def __init__(
        self,
        registry: Registry,
        editor: Editor,
        prompts: PromptList,
        values: Callable[[], Mapping[str, Value]],
    ) -> None:
        """values: gives the session's current values by parameter name."""
        self._registry, self._editor = registry, editor
        self._prompts, self._values = prompts, values
        self._scenes: tuple[Scene | None, ...] = (None,) * SCENES

    @overload
    def __getitem__(self, index: int) -> Scene | None: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Scene | None, ...]: ...
    def __getitem__(self, index: int | slice) -> Scene | tuple[Scene | None, ...] | None:
        return self._scenes[index]

    def __len__(self) -> int:
        return len(self._scenes)

    def __iter__(self) -> Iterator[Scene | None]:
        return iter(self._scenes)

    def assign(self, scenes: Sequence[Scene | None]) -> None:
        """Replace all scenes, without an edit."""
        self._scenes = tuple(scenes)

    def current(self, name: str = "", moment: str | None = None) -> Scene:
        """The session's current state as a scene. moment: key of its moment."""
        values = {
            key: value
            for key, value in self._values().items()
            if catalogue.matches(key, catalogue.SCENE_PATTERNS)
            and not (key.startswith("prompt.") and int(key.split(".")[1]) > len(self._prompts))
        }
        return Scene(name, tuple(self._prompts), values, moment)

    def save(self, n: int, name: str = "", moment: str | None = None) -> None:
        """Save the current state on pad n; an empty name keeps the pad's or makes one."""
        old = self[n - 1]
        if not name:
            name = old.name if old else scene_title(self._prompts, self._prompts.shares(), self)
        self._put(n, self.current(name, moment), "save scene")

    def rename(self, n: int, name: str) -> None:
        scene = self[n - 1]
        if scene is not None and name.strip():
            self._put(n, replace(scene, name=name.strip()), "rename scene")

    def clear(self, n: int) -> None:
        if self[n - 1] is not None:
            self._put(n, None, "empty pad")

    def swap(self, n: int, other: int) -> None:
        if n == other:
            return
        scenes = list(self)
        scenes[n - 1], scenes[other - 1] = scenes[other - 1], scenes[n - 1]
        with self._editor.edit("move scene", "scenes"):
            self.assign(scenes)

    def _put(self, n: int, scene: Scene | None, key: str) -> None:
        with self._editor.edit(key, "scenes"):
            self.assign((*self[: n - 1], scene, *self[n:]))

    def recall(self, n: int) -> Scene | None:
        """Restore scene n at once; None where the pad is empty."""
        scene = self[n - 1]
        if scene is not None:
            with self._editor.edit(f"scene {n}"):
                self._restore(scene.prompts, scene.values, "scene")
        return scene

    def begin_morph(self, n: int, seconds: float) -> Morph | None:
        """Start a morph to scene n; call `step_morph` until it returns True."""
        scene = self[n - 1]
        if scene is None:
            return None
        morph = plan_morph(self.current(), scene, seconds)
        with self._editor.edit(f"scene {n}"):
            self._restore(morph.prompts, morph.at(0.0, self._registry), "morph")
        return morph

    def step_morph(self, morph: Morph, elapsed: float) -> bool:
        """Apply a morph after `elapsed` seconds; True when the scene has been reached exactly."""
        if morph.done(elapsed):
            self._restore(morph.final.prompts, morph.final.values, "morph")
            return True
        with self._registry.batch():
            for name, value in morph.at(elapsed, self._registry).items():
                self._registry.restore(name, value, "morph")
        return False

    def _restore(
        self, prompts: tuple[SessionPrompt, ...], values: Mapping[str, Value], source: str
    ) -> None:
        changed = prompts != tuple(self._prompts)
        with self._registry.batch():
            self._prompts.assign(prompts)
            for name, value in values.items():
                self._registry.restore(name, value, source)
        if changed:
            self._editor.notify("prompts")

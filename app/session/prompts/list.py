"""Prompts of a session: edits, and their weights in the mix and on the map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final, Protocol, overload

from app.parameters import catalogue
from app.parameters.parameter import Value
from app.parameters.registry import Registry
from app.session.document import SessionPrompt
from app.session.prompts import mix as mix
from app.session.prompts import plane as plane
from models.engine.sounds import is_sound
from models.errors import SegueError

STRIP_PARAMETERS: Final = ("weight", "mute", "solo", "x", "y", "amount")

Strip = tuple[SessionPrompt, dict[str, Value]]
"""A prompt and the values of its STRIP_PARAMETERS."""


class Editor(Protocol):
    """Records edits for undo and notifies listeners, as `Session` does."""

    def edit(self, key: str, topic: str = "") -> AbstractContextManager[None]: ...
    def notify(self, topic: str) -> None: ...


class PromptList(Sequence[SessionPrompt]):
    """Prompts in the order of their strips. Methods count strips from 1, as parameters do."""

    def __init__(self, registry: Registry, editor: Editor) -> None:
        self._registry, self._editor = registry, editor
        self._prompts: tuple[SessionPrompt, ...] = ()

    @overload
    def __getitem__(self, index: int) -> SessionPrompt: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[SessionPrompt, ...]: ...
    def __getitem__(self, index: int | slice) -> SessionPrompt | tuple[SessionPrompt, ...]:
        return self._prompts[index]

    def __len__(self) -> int:
        return len(self._prompts)

    def __iter__(self) -> Iterator[SessionPrompt]:
        return iter(self._prompts)

    def assign(self, prompts: Sequence[SessionPrompt]) -> None:
        """Replace all prompts, without an edit."""
        self._prompts = tuple(prompts)
        sounds = [n for n, prompt in enumerate(prompts, 1) if is_sound(prompt.text)]
        catalogue.set_prompt_count(self._registry, len(prompts), sounds)

    def _strips(self) -> list[Strip]:
        return [
            (prompt, {part: self._registry.get(f"prompt.{n}.{part}") for part in STRIP_PARAMETERS})
            for n, prompt in enumerate(self, 1)
        ]

    def _edit_strips(self, key: str, strips: Sequence[Strip]) -> None:
        with self._editor.edit(key, "prompts"), self._registry.batch():
            self.assign([prompt for prompt, _ in strips])
            for n in range(1, catalogue.PROMPTS + 1):
                for part in STRIP_PARAMETERS:
                    name = f"prompt.{n}.{part}"
                    default = self._registry[name].default
                    value = strips[n - 1][1][part] if n <= len(strips) else default
                    self._registry.restore(name, value, "load")

    def add(self, text: str = "", *, audio: str | None = None, weight: float = 0.0) -> int:
        """Add a strip at the right end; returns its number. SegueError where there is no room."""
        if len(self) >= catalogue.PROMPTS:
            raise SegueError(f"{catalogue.PROMPTS} prompts are the most; remove one first.")
        used = {prompt.colour for prompt in self}
        colour = next(c for c in range(catalogue.PROMPTS) if c not in used)
        x, y = plane.free_point(self.points())
        values: dict[str, Value] = {
            "weight": weight, "mute": False, "solo": False, "x": x, "y": y, "amount": 1.0,
        }  # fmt: skip
        strip = (SessionPrompt(text, audio, colour), values)
        self._edit_strips("add prompt", [*self._strips(), strip])
        return len(self)

    def remove(self, n: int) -> None:
        """Remove strip n. SegueError for the last one."""
        self._check(n)
        if len(self) == 1:
            raise SegueError("One prompt must stay; change its words instead.")
        strips = self._strips()
        del strips[n - 1]
        self._edit_strips("remove prompt", strips)

    def move(self, n: int, to: int) -> None:
        """Move strip n to place `to`."""
        self._check(n)
        self._check(to)
        if n != to:
            strips = self._strips()
            strips.insert(to - 1, strips.pop(n - 1))
            self._edit_strips("move prompt", strips)

    def set(self, n: int, *, text: str | None = None, audio: str | None = None) -> None:
        """Set the text of strip n, or its audio file (`text` is then the name to show)."""
        self._check(n)
        old = self[n - 1]
        text = old.text if text is None else text
        self._replace(n, replace(old, text=text, audio=audio), "prompt text")

    def set_colour(self, n: int, colour: int) -> None:
        self._check(n)
        self._replace(n, replace(self[n - 1], colour=colour % 16), "prompt colour")

    def _replace(self, n: int, new: SessionPrompt, key: str) -> None:
        if new != self[n - 1]:
            with self._editor.edit(key, "prompts"):
                self.assign((*self[: n - 1], new, *self[n:]))

    def _check(self, n: int) -> None:
        if not 1 <= n <= len(self):
            raise SegueError(f"There is no prompt {n}; there are {len(self)}.")

    def weights(self) -> list[float]:
        """Effective weight of each prompt, after mute and solo."""
        get, numbers = self._registry.get, range(1, len(self) + 1)
        return mix.effective_weights(
            [self._registry.number(f"prompt.{n}.weight") for n in numbers],
            [bool(get(f"prompt.{n}.mute")) for n in numbers],
            [bool(get(f"prompt.{n}.solo")) for n in numbers],
        )

    def shares(self) -> list[float]:
        """Share of each prompt in the mix, 0 to 1; empty prompts have none."""
        weights = zip(self.weights(), self, strict=True)
        return mix.shares([weight if prompt.style_key else 0.0 for weight, prompt in weights])

    def points(self) -> list[plane.Point]:
        """Positions of the prompts on the map."""
        number = self._registry.number
        return [(number(f"prompt.{n}.x"), number(f"prompt.{n}.y")) for n in range(1, len(self) + 1)]

    def apply_map_weights(self, source: str) -> None:
        """Set the weights by the distance of the map's cursor, except of muted prompts."""
        number, get, points = self._registry.number, self._registry.get, self.points()
        numbers = [n for n in range(1, len(self) + 1) if not get(f"prompt.{n}.mute")]
        cursor, points = (number("map.x"), number("map.y")), [points[n - 1] for n in numbers]
        weights = plane.map_weights(cursor, points, number("map.reach"))
        for n, weight in zip(numbers, weights, strict=True):
            self._registry.set(f"prompt.{n}.weight", round(weight, 4), source)

"""Morph: gradual change from the current state to a scene.

Continuous values move along their parameter's curve; switches, choices and auto change half-way.
Prompts that both sides have move in weight, the others fade out and in; so during a morph the
strips are the union of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.parameters.instrument_parameters import PROMPTS
from app.parameters.parameter import Value
from app.parameters.registry import Registry
from app.session.document import Scene, SessionPrompt
from app.session.prompts.list import STRIP_PARAMETERS


@dataclass(frozen=True)
class Morph:
    """Change from `start` to `end` values over the strips `prompts`; final: the scene itself."""

    prompts: tuple[SessionPrompt, ...]
    start: Mapping[str, Value]
    end: Mapping[str, Value]
    final: Scene
    seconds: float

    def at(self, elapsed: float, registry: Registry) -> dict[str, Value]:
        """Values after `elapsed` seconds."""
        position = 1.0 if self.seconds <= 0.0 else min(max(elapsed / self.seconds, 0.0), 1.0)
        return {
            name: between(registry, name, self.start.get(name, value), value, position)
            for name, value in self.end.items()
        }

    def done(self, elapsed: float) -> bool:
        return elapsed >= self.seconds


def between(registry: Registry, name: str, a: Value, b: Value, position: float) -> Value:
    """Value at `position` 0 to 1 between a and b, along the parameter's curve."""
    if position <= 0.0:
        return a
    if position >= 1.0:
        return b
    parameter = registry[name]
    if parameter.kind != "continuous" or a is None or b is None:
        return a if position < 0.5 else b
    start, end = parameter.to_unit(a), parameter.to_unit(b)
    return parameter.from_unit(start + (end - start) * position)


def plan_morph(now: Scene, target: Scene, seconds: float) -> Morph:
    """Morph from the current state to a target scene.

    Where the union of prompts exceeds the strips, the quietest of those that leave go at once.
    """
    matched: dict[int, int] = {}  # target index -> index now
    taken: set[int] = set()
    for t, prompt in enumerate(target.prompts):
        for n, other in enumerate(now.prompts):
            if n not in taken and other.style_key and other.style_key == prompt.style_key:
                matched[t] = n
                taken.add(n)
                break
    leaving = [n for n in range(len(now.prompts)) if n not in taken]
    room = PROMPTS - len(target.prompts)
    leaving = sorted(leaving, key=lambda n: -_weight(now, n))[:room]
    leaving.sort()

    prompts = (*target.prompts, *(now.prompts[n] for n in leaving))
    start = {k: v for k, v in now.values.items() if not k.startswith("prompt.")}
    end = {k: v for k, v in target.values.items() if not k.startswith("prompt.")}
    for t in range(len(target.prompts)):
        source = matched.get(t)
        for part in STRIP_PARAMETERS:
            name = f"prompt.{t + 1}.{part}"
            arrived = target.values.get(name)
            if arrived is None:
                continue
            end[name] = arrived
            if source is not None:
                start[name] = now.values.get(f"prompt.{source + 1}.{part}", arrived)
            else:
                start[name] = 0.0 if part == "weight" else arrived
    for slot, n in enumerate(leaving, len(target.prompts) + 1):
        for part in STRIP_PARAMETERS:
            value = now.values.get(f"prompt.{n + 1}.{part}")
            if value is None:
                continue
            name = f"prompt.{slot}.{part}"
            start[name] = value
            end[name] = 0.0 if part == "weight" else value
    return Morph(prompts, start, end, target, seconds)


def _weight(scene: Scene, index: int) -> float:
    value = scene.values.get(f"prompt.{index + 1}.weight")
    return float(value) if isinstance(value, int | float) else 0.0

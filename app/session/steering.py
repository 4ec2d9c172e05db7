"""From a scene to what the engine is told: controls and the prompts that they come from.

GUI lane; pure numpy. Styles come from the inference lane, by `SessionPrompt.style_key`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.parameters.catalogue import CONTROL_OF
from app.session import prompt_mix as mix
from app.session.document import Scene, SessionPrompt
from models.engine.controls import Controls, Style, blend
from models.engine.prompts import Prompt as EnginePrompt
from models.music.score import STEMS

SOFT: Final = ("bpm", "key", "density", "notes")
"""Controls that may be advice as well as an order, by their strength."""
STATES: Final = ("empty", "waiting", "ready", "failed")


class StyleBook:
    """The styles known so far, which are on their way, and which cannot be had."""

    def __init__(self) -> None:
        self._styles: dict[str, Style] = {}
        self._problems: dict[str, str] = {}
        self._asked: set[str] = set()

    def wanted(self, prompts: tuple[SessionPrompt, ...]) -> list[SessionPrompt]:
        """Prompts whose style must now be asked for; each is told once."""
        fresh = []
        for prompt in prompts:
            key = prompt.style_key
            if key and key not in self._styles and key not in self._asked:
                self._asked.add(key)
                self._problems.pop(key, None)
                fresh.append(prompt)
        return fresh

    def arrived(self, key: str, style: Style) -> None:
        self._styles[key] = style
        self._problems.pop(key, None)

    def failed(self, key: str, problem: str) -> None:
        self._problems[key] = problem

    def retry(self, key: str) -> None:
        """Ask again for what failed."""
        if key in self._problems:
            self._asked.discard(key)

    def forget(self) -> None:
        """Another engine: other styles."""
        self._styles.clear()
        self._problems.clear()
        self._asked.clear()

    def get(self, key: str) -> Style | None:
        return self._styles.get(key)

    def state(self, prompt: SessionPrompt) -> tuple[str, str]:
        """One of STATES, and for "failed" the sentence."""
        key = prompt.style_key
        if not key:
            return "empty", ""
        if key in self._styles:
            return "ready", ""
        if key in self._problems:
            return "failed", self._problems[key]
        return "waiting", ""


@dataclass(frozen=True)
class Steering:
    """What one submission holds. `mixed` is False while no prompt that counts has a style yet."""

    controls: Controls
    prompts: tuple[EnginePrompt, ...]
    mixed: bool


def scene_weights(scene: Scene) -> list[float]:
    """Effective weight of each prompt of a scene."""

    def part(n: int, name: str, default: float) -> float:
        value = scene.values.get(f"prompt.{n}.{name}", default)
        return float(value) if isinstance(value, int | float) else default

    numbers = range(1, len(scene.prompts) + 1)
    return mix.effective_weights(
        [part(n, "weight", 1.0) for n in numbers],
        [bool(part(n, "mute", 0.0)) for n in numbers],
        [bool(part(n, "solo", 0.0)) for n in numbers],
    )


def _strength(scene: Scene, settings: Mapping[str, object]) -> dict[str, float]:
    """The strength of the soft controls that are set; nothing where they decide, as by default."""
    amount = scene.values.get("strength", 1.0)
    if not isinstance(amount, int | float) or amount >= 1.0:
        return {}
    return {name: float(amount) for name in SOFT if settings.get(name) not in (None, ())}


def steer(
    scene: Scene,
    styles: StyleBook,
    acting: frozenset[str],
    last_style: Style | None = None,
    notes: tuple[int, ...] = (),
) -> Steering:
    """Controls of a scene. `acting` are the controls that the engine has; others stay at auto.

    Where no prompt counts (all down, or none ready) the style stays what it was: the music must
    not jump to nowhere because the last fader was closed.
    """
    ready, weights, heard = [], [], []
    for prompt, weight in zip(scene.prompts, scene_weights(scene), strict=True):
        style = styles.get(prompt.style_key)
        if style is None or weight <= 0.0:
            continue
        ready.append(style)
        weights.append(weight)
        heard.append(
            EnginePrompt(audio=prompt.audio, weight=weight)
            if prompt.audio is not None
            else EnginePrompt(text=prompt.text, weight=weight)
        )
    style = blend(ready, weights) if ready else last_style
    settings = {
        control: scene.values.get(name) for name, control in CONTROL_OF.items() if control in acting
    }
    muted = frozenset(stem for stem in STEMS if scene.values.get(f"stem.{stem}") is False)
    notes = notes if "notes" in acting else ()
    controls = Controls(
        style=style,
        mute=muted if "mute" in acting else frozenset(),
        notes=notes,
        strength=_strength(scene, {**settings, "notes": notes}) if "strength" in acting else {},
        # The same key for an engine that knows drums but no stems; on, they are its own choice.
        drums=False if "drums" in muted and "mute" not in acting and "drums" in acting else None,
        **settings,  # type: ignore[arg-type]
    )
    return Steering(controls, tuple(heard), bool(ready))

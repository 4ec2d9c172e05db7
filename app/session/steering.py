"""Steering: the engine's controls from a scene and the styles of its prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.audio.input.settings import INPUT_STYLE
from app.parameters.catalogue import CONTROL_OF, ENGINE_OPTIONS
from app.parameters.parameter import Value
from app.parameters.part_parameters import REROLLS, held_bars, part_controls
from app.session.document import Scene, SessionPrompt
from app.session.prompts import mix as mix
from app.session.style_send import mixed
from models.engine.control_values import TRIGGERS
from models.engine.controls import Controls, Style, blend
from models.engine.frozen_map import FrozenMap
from models.engine.prompts import Prompt as EnginePrompt
from models.engine.sounds import MAX_AMOUNT, sound_scales
from models.engine.triggers import strikes_of
from models.music.hearing.sketch import Sketch
from models.music.score import STEMS

SOFT: Final = ("bpm", "key", "density", "notes")
"""Controls with a strength."""
NO_SOUNDS: Final[FrozenMap[float]] = FrozenMap()
STATES: Final = ("empty", "waiting", "ready", "failed")


class StyleBook:
    """Styles by `SessionPrompt.style_key`: known, requested and failed."""

    def __init__(self) -> None:
        self._styles: dict[str, Style] = {}
        self._errors: dict[str, str] = {}
        self._requested: set[str] = set()

    def take_missing(self, prompts: Sequence[SessionPrompt]) -> list[SessionPrompt]:
        """Prompts whose style must be requested now; each is returned once."""
        missing = []
        for prompt in prompts:
            key = prompt.style_key
            if key and key not in self._styles and key not in self._requested:
                self._requested.add(key)
                self._errors.pop(key, None)
                missing.append(prompt)
        return missing

    def add(self, key: str, style: Style) -> None:
        self._styles[key] = style
        self._errors.pop(key, None)

    def fail(self, key: str, sentence: str) -> None:
        self._errors[key] = sentence

    def remove(self, key: str) -> None:
        """Forget one style."""
        self._styles.pop(key, None)

    def retry(self, key: str) -> None:
        """Allow another request after a failure."""
        if key in self._errors:
            self._requested.discard(key)

    def forget(self) -> None:
        """Forget everything, for another engine."""
        self._styles.clear()
        self._errors.clear()
        self._requested.clear()

    def get(self, key: str) -> Style | None:
        return self._styles.get(key)

    def state(self, prompt: SessionPrompt) -> tuple[str, str]:
        """State of a prompt's style, one of STATES, and for "failed" the sentence."""
        key = prompt.style_key
        if not key:
            return "empty", ""
        if key in self._styles:
            return "ready", ""
        if key in self._errors:
            return "failed", self._errors[key]
        return "waiting", ""


@dataclass(frozen=True)
class Steering:
    """Controls and prompts of one submission. mixed: whether any audible prompt has a style."""

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


def _amount(scene: Scene, n: int) -> float:
    """How much of what a learned sound learned acts in prompt n, 0 to MAX_AMOUNT."""
    value = scene.values.get(f"prompt.{n}.amount", 1.0)
    return min(max(float(value), 0.0), MAX_AMOUNT) if isinstance(value, int | float) else 1.0


def _strength(scene: Scene, settings: Mapping[str, object]) -> dict[str, float]:
    """Strength of the soft controls that are set; empty at full strength."""
    amount = scene.values.get("strength", 1.0)
    if not isinstance(amount, int | float) or amount >= 1.0:
        return {}
    return {name: float(amount) for name in SOFT if settings.get(name) not in (None, ())}


def _memory(scene: Scene, acting: frozenset[str]) -> dict[str, Value]:
    """The memory send's controls; none while it is closed."""
    amount = scene.values.get("send.memory", 0.0)
    if "memory" not in acting or not isinstance(amount, int | float) or amount <= 0.0:
        return {}
    bars = scene.values.get("send.memory.bars", 4.0)
    if "memory_mode" not in acting:
        return {"memory": float(amount)}
    return {
        "memory": float(amount),
        "memory_mode": scene.values.get("send.memory.mode"),
        "loop_bars": round(bars) if isinstance(bars, int | float) else 4,
    }


def _echo(scene: Scene, acting: frozenset[str]) -> dict[str, Value]:
    """The echo send's controls; none while it is closed."""
    amount = scene.values.get("send.echo", 0.0)
    if "echo" not in acting or not isinstance(amount, int | float) or amount <= 0.0:
        return {}
    names = ("time", "feedback", "dream")
    values = {f"echo_{name}": scene.values.get(f"send.echo.{name}") for name in names}
    return {"echo": float(amount), **values}


def _drums(scene: Scene, acting: frozenset[str], muted: frozenset[str]) -> bool | None:
    """Whether an engine with drums but no stems plays them; None where it may choose."""
    if "drums" not in acting or "mute" in acting:
        return None
    chosen = scene.values.get("drums")
    if "drums" in muted or chosen == "off":
        return False
    return True if chosen == "on" else None


def steer(
    scene: Scene,
    styles: StyleBook,
    acting: frozenset[str],
    last_style: Style | None = None,
    notes: tuple[int, ...] = (),
    triggers: frozenset[str] = frozenset(),
    sketches: tuple[Sketch, ...] = (),
    holding: bool = False,
    last_sounds: Mapping[str, float] = NO_SOUNDS,
) -> Steering:
    """Controls of a scene.

    Args:
        scene: its prompts and values.
        styles: known styles.
        acting: controls that the engine has; others stay at auto.
        last_style: used where no prompt is audible: closing the last fader changes nothing.
        notes: MIDI numbers of the keys held.
        triggers: names of the parameters whose triggers act with these controls, and of the keys
            that are struck, as `models.engine.triggers` names them.
        sketches: what parts play, one a part.
        holding: whether hold is on.
        last_sounds: as `last_style`, of the learned sounds.

    """
    ready, weights, used = [], [], []
    for n, (prompt, weight) in enumerate(
        zip(scene.prompts, scene_weights(scene), strict=True), start=1
    ):
        style = styles.get(prompt.style_key)
        if style is None or weight <= 0.0:
            continue
        ready.append(style)
        weights.append(weight)
        used.append(
            EnginePrompt(audio=prompt.audio, weight=weight)
            if prompt.audio is not None
            else EnginePrompt(text=prompt.text, weight=weight, amount=_amount(scene, n))
        )
    heard, send = styles.get(INPUT_STYLE), scene.values.get("send.style", 0.0)
    style = blend(ready, weights) if ready else last_style
    if heard is not None and isinstance(send, int | float) and send > 0.0:
        # Its share of the mix, however many prompts there are. Not among those that are recorded:
        # the input is not kept.
        style = mixed(style, heard, float(send) if ready else 1.0)
    settings: dict[str, object] = {
        control: scene.values.get(name) for name, control in CONTROL_OF.items() if control in acting
    }
    settings.update({name: scene.values.get(name) for name in ENGINE_OPTIONS if name in acting})
    settings.update(_memory(scene, acting))
    settings.update(_echo(scene, acting))
    settings.update({name: True for name in TRIGGERS if name in triggers & acting})
    if "sounds" in acting:
        settings["sounds"] = sound_scales(used) if used else last_sounds
    if "sketches" in acting:
        settings["sketches"] = sketches
    if "parts" in acting:
        settings["parts"] = part_controls(scene.values)
    if "hold" in acting and holding:
        settings["hold"] = held_bars(scene.values)
        settings["variation"] = scene.values.get("hold.variation")
    if "reroll" in acting:
        settings["reroll"] = frozenset(REROLLS[name] for name in triggers & REROLLS.keys())
    muted = frozenset(stem for stem in STEMS if scene.values.get(f"stem.{stem}") is False)
    notes = notes if "notes" in acting else ()
    controls = Controls(
        style=style,
        mute=muted if "mute" in acting else frozenset(),
        notes=notes,
        strength=_strength(scene, {**settings, "notes": notes}) if "strength" in acting else {},
        drums=_drums(scene, acting, muted),
        strikes=strikes_of(triggers) if "strikes" in acting else (),
        **settings,  # type: ignore[arg-type]
    )
    return Steering(controls, tuple(used), bool(ready))

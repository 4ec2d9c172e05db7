"""Catalogue of all parameters of the instrument.

Names are a contract with controller maps, OSC addresses and performance files: never rename one.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Never

from app.parameters.input_parameters import (
    SKETCH_PARAMETERS,
    input_parameters,
    set_engine_sends,
)
from app.parameters.instrument_parameters import (
    PROMPTS,
    control_parameters,
    keys_parameters,
    map_parameters,
    prompt_parameters,
    scene_parameters,
    transport_parameters,
    window_parameters,
)
from app.parameters.magenta_parameters import (
    couple_drums,
    magenta_parameters,
    set_magenta_controls,
)
from app.parameters.part_parameters import PART_PATTERNS, part_parameters, set_engine_parts
from app.parameters.registry import Registry
from models.engine.control_values import AXES, TRIGGERS
from models.music.score import STEMS

EMPTY: Final[Mapping[str, Never]] = MappingProxyType({})

CONTROL_OF: Final = {
    "tempo": "bpm",
    "key": "key",
    "energy": "energy",
    "density": "density",
    "brightness": "brightness",
    "chaos": "chaos",
    "guidance": "guidance",
    "guidance_notes": "guidance_notes",
    "guidance_drums": "guidance_drums",
    "temperature": "temperature",
    "top_k": "top_k",
}
"""Parameter -> field of `models.engine.controls.Controls`; each has an auto position."""
ENGINE_OPTIONS: Final = (
    "follow_prompts", "change_at", "dream", *AXES, "generation_mode", "note_width", "note_onsets",
)  # fmt: skip
"""Parameters with the name of their field of `Controls`; they have no auto position."""
REWINDING: Final = ("transport.hold", "scene.with_moment")
"""Parameters of an engine that can go back in its music."""
KEYS_PARAMETERS: Final = ("keys.latch", "keys.octave", "keys.off")
"""Parameters of an engine that plays held notes."""

SCENE_PATTERNS: Final = (
    "prompt.*.weight",
    "prompt.*.amount",
    "prompt.*.mute",
    "prompt.*.solo",
    "prompt.*.x",
    "prompt.*.y",
    "map.x",
    "map.y",
    "stem.*",
    "drums",
    *PART_PATTERNS,
    "strength",
    *CONTROL_OF,
    *ENGINE_OPTIONS,
    "send.*",
    "follow.*",
)
"""Parameters that a scene stores."""
SESSION_PATTERNS: Final = (
    *SCENE_PATTERNS,
    "map.reach",
    "map.speed",
    "mixer.master",
    "input.gain",
    "input.gate",
    "scene.mode",
    "scene.morph_time",
)
"""Parameters that a session stores and undo restores."""


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name matches one of the shell patterns."""
    return _matches(name, tuple(patterns))


@lru_cache(maxsize=4096)
def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    # Cached, because it is called for every parameter at every change.
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def build_registry() -> Registry:
    """Registry with every parameter. Strips and engine controls are not available at first."""
    registry = Registry()
    groups = (
        prompt_parameters, map_parameters, control_parameters, magenta_parameters,
        part_parameters, transport_parameters, keys_parameters, input_parameters,
        scene_parameters, window_parameters,
    )  # fmt: skip
    for parameter in (parameter for group in groups for parameter in group()):
        registry.add(parameter)
    stems = (f"stem.{stem}" for stem in STEMS)
    for name in (
        *CONTROL_OF,
        *ENGINE_OPTIONS,
        *TRIGGERS,
        "strength",
        *KEYS_PARAMETERS,
        *SKETCH_PARAMETERS,
        *stems,
    ):
        registry.set_available(name, False)
    set_magenta_controls(registry, frozenset())
    couple_drums(registry)
    set_engine_sends(registry, frozenset())
    set_engine_parts(registry)
    set_prompt_count(registry, 0)
    return registry


def set_prompt_count(registry: Registry, count: int, sounds: Collection[int] = ()) -> None:
    """Make the parameters of strips 1..count available, and those of the others not; the amount
    only of the strips in `sounds`, whose prompts are learned sounds.
    """
    for index in range(1, PROMPTS + 1):
        for part in ("weight", "mute", "solo", "x", "y"):
            registry.set_available(f"prompt.{index}.{part}", index <= count)
        registry.set_available(f"prompt.{index}.amount", index in sounds)


def set_engine_controls(
    registry: Registry,
    controls: frozenset[str],
    ranges: Mapping[str, tuple[float, float]] = EMPTY,
    defaults: Mapping[str, float] = EMPTY,
    rewinds: bool = True,
) -> None:
    """Make those parameters available that the engine has.

    Args:
        registry: the parameters.
        controls: names of fields of `Controls` that act, as in `EngineInfo.controls`.
        ranges: control -> (low, high) where the engine has a narrower range.
        defaults: control -> value from which a knob starts that was on auto.
        rewinds: whether the engine can go back in its music.

    """
    for name in REWINDING:
        registry.set_available(name, rewinds)
    for name, control in CONTROL_OF.items():
        registry.set_available(name, control in controls)
        if registry[name].kind == "continuous":
            registry.set_range(name, ranges.get(control), defaults.get(control))
    registry.set_available("tempo.tap", "bpm" in controls)
    for name in (*ENGINE_OPTIONS, *TRIGGERS, "strength"):
        registry.set_available(name, name in controls)
    set_magenta_controls(registry, controls)
    for name in KEYS_PARAMETERS:
        registry.set_available(name, "notes" in controls)
    for name in SKETCH_PARAMETERS:
        registry.set_available(name, "sketches" in controls)
    for stem in STEMS:
        # An engine without stems can still play without drums; `couple_drums` keeps both at one.
        drums = stem == "drums" and "drums" in controls
        registry.set_available(f"stem.{stem}", "mute" in controls or drums)

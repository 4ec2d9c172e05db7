"""Parameters of Magenta RealTime's held keys, drums, sampling and presets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.parameters.parameter import Parameter
from app.parameters.registry import Change, Registry
from models.engine.control_values import NOTE_ONSETS, RANGES
from models.magenta_rt2.presets import PRESETS

DRUMS: Final = ("auto", "on", "off")
"""Of the parameter "drums": the model's own choice, always, never."""
PRESET: Final = "preset."
PRESET_TRIGGERS: Final = {f"{PRESET}{name}": preset for name, preset in PRESETS.items()}
"""Triggers by name, with the values that each sets."""


def magenta_parameters() -> Iterable[Parameter]:
    """The parameters; none is available until an engine has its control."""
    low, high = RANGES["note_width"]
    yield Parameter(
        "note_width", "Only my keys", low=low, high=high, step=1.0, fine=1.0, decimals=0,
        unit="st", ends=("off", "all"), group="Keys",
        help="How far around each held key nothing else may sound, in semitones. All: nothing but "
        "the keys held; off: the model plays along as it likes.",
    )  # fmt: skip
    yield Parameter(
        "note_onsets", "Key onsets", "choice", default=NOTE_ONSETS[0], choices=NOTE_ONSETS,
        group="Keys",
        help="Free: the model may strike, strum or bow a held key again and again. Strike: it "
        "begins when you strike it, and sustains.",
    )  # fmt: skip
    yield Parameter(
        "drums", "Drums", "choice", default=DRUMS[0], choices=DRUMS, group="Controls",
        help="Drums always, never, or as the model likes.",
    )  # fmt: skip
    low, high = RANGES["temperature"]
    yield Parameter(
        "temperature", "Temperature", low=low, high=high, default=None, auto=True, step=0.05,
        fine=0.01, decimals=2, group="Sampling",
        help="How evenly likely and unlikely sounds are drawn: from always the likeliest to wild. "
        "On auto chaos decides.",
    )  # fmt: skip
    low, high = RANGES["top_k"]
    yield Parameter(
        "top_k", "Top-k", low=low, high=high, default=None, auto=True, curve="logarithmic",
        step=20.0, fine=1.0, decimals=0, group="Sampling",
        help="Among how many of the likeliest sounds one is drawn. On auto chaos decides.",
    )  # fmt: skip
    for name, preset in PRESET_TRIGGERS.items():
        yield Parameter(
            name, f"Preset {preset.label}", "trigger", group="Sampling",
            help=f"Temperature, top-k and guidance as {preset.help} begins with them.",
        )  # fmt: skip


def set_magenta_controls(registry: Registry, controls: frozenset[str]) -> None:
    """Make those parameters available whose control the engine has."""
    for name in ("note_width", "note_onsets", "drums"):
        registry.set_available(name, name in controls)
    for name in PRESET_TRIGGERS:
        registry.set_available(name, {"top_k", "guidance_notes"} <= controls)


def couple_drums(registry: Registry) -> None:
    """Keep "drums" and "stem.drums" at one: drums that are off are a stem that may not play.

    Maps, scenes and sessions from before know the stem alone.
    """

    def follow(change: Change) -> None:
        if not registry.available("drums"):
            return
        drums, stem = registry.get("drums"), registry.get("stem.drums")
        if (drums == "off") != (stem is False):
            if change.name == "drums" and change.source != "availability":
                registry.set("stem.drums", drums != "off", COUPLED)
            else:
                registry.set("drums", "auto" if stem else "off", COUPLED)

    for name in ("drums", "stem.drums"):
        registry.subscribe(follow, name)


COUPLED: Final = "coupled"
"""Source of a change that follows from another one."""

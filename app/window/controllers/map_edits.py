"""Labels of controls and targets, and edits of a controller map. No Qt.

A `ControllerMap` is immutable: each edit returns a copy in which everything else keeps its order.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from app.control.midi.decode import ControlKind, is_button_kind, is_relative
from app.control.midi.mapping import (
    MESSAGES_OF,
    SHIFT,
    ControllerElement,
    ControllerMap,
    Mapping,
    default_shape,
)
from app.parameters.registry import Registry

_NUMBERED: Final = re.compile(r"^(prompt|scene)\.(\d+)\.(\w+)$")
_SHORT: Final = {"weight": "P", "mute": "M", "solo": "S", "recall": "Sc ", "save": "Keep "}
_WORDS: Final = {"cc": "CC", "note": "Note", "nrpn": "NRPN", "pressure": "Pressure"}
_ALONE: Final = {"bend": "Pitch bend", "aftertouch": "Aftertouch", "program": "Program change"}
_BRIEF: Final = {
    "transport.play": "Play",
    "transport.hold": "Hold",
    "transport.clear": "Clear",
    "transport.panic": "Panic",
    "feedback.resend": "LEDs",
    "tempo.tap": "Tap",
    "mixer.master": "Volume",
    "scene.*.recall": "Scenes",
    "capture.save": "Save",
    "scene.with_moment": "Moment",
    "brightness": "Bright",
    "guidance": "Guide",
    "guidance_notes": "G notes",
    "guidance_drums": "G drums",
    "note_width": "My keys",
    "note_onsets": "Onsets",
    "temperature": "Temp",
    "preset.python": "Python",
    "preset.runtime": "Max/Pd",
    "preset.app": "Jam",
    "preset.collider": "Collider",
    "map.reach": "Reach",
    "map.speed": "Speed",
    "map.orbit": "Orbit",
    "scene.morph_time": "Morph",
    "map.x": "Map x",
    "map.y": "Map y",
    SHIFT: "Shift",
}
LAYER_LABELS: Final = {"base": "first", "shift": "second (shift held)", "any": "both"}
TAKEOVER_LABELS: Final = {"pickup": "pickup", "scale": "scale", "jump": "jump"}
CURVE_LABELS: Final = {
    "linear": "linear",
    "slow": "logarithmic: fine at the bottom",
    "fast": "reverse logarithmic: fine at the top",
    "s": "S: fine at both ends",
}
ACTION_LABELS: Final = {
    "auto": "automatic",
    "toggle": "toggle",
    "gate": "momentary",
    "trigger": "trigger",
    "next": "next choice",
    "previous": "previous choice",
    "set": "set a value",
}
"""Words of the form, and before a colon or a bracket of the list."""


def word(labels: dict[str, str], key: str) -> str:
    """A label without its explanation, for the list."""
    return labels[key].partition(":")[0].partition(" (")[0]


def target_label(target: str, registry: Registry) -> str:
    """Label of a target in lists."""
    if target == SHIFT:
        return "Second layer while held"
    if "*" in target:
        return "Scene by program number" if target.startswith("scene.") else target
    return registry[target].label if target in registry else target


def short_label(target: str, registry: Registry) -> str:
    """Label of a target in a few letters, for the drawing of a controller."""
    if target in _BRIEF:
        return _BRIEF[target]
    found = _NUMBERED.match(target)
    if found is not None:
        head = _SHORT.get(found[3])
        return f"{head}{found[2]}" if head else f"{found[2]} {found[3]}"
    return registry[target].label if target in registry else target


def control_description(control: ControllerElement) -> str:
    """What a control sends: 'CC 16, channel 1'."""
    words = _ALONE.get(control.message) or f"{_WORDS.get(control.message, '')} {control.number}"
    where = "any channel" if control.channel is None else f"channel {control.channel}"
    return f"{words}, {where}"


def next_in_row(target: str, registry: Registry, mapped: set[str]) -> str | None:
    """The next target of a row: prompt 2 after prompt 1.

    None at the end of the row, and where the next one is mapped already.
    """
    found = _NUMBERED.match(target)
    if found is None:
        return None
    name = f"{found[1]}.{int(found[2]) + 1}.{found[3]}"
    there = name in registry and registry.available(name) and name not in mapped
    return name if there else None


def same_row(first: str, other: str) -> bool:
    """Whether both targets are in one row, such as all mutes."""
    a, b = _NUMBERED.match(first), _NUMBERED.match(other)
    if a is None or b is None:
        return a is b
    return (a[1], a[3]) == (b[1], b[3])


def kinds_for(control: ControllerElement) -> tuple[ControlKind, ...]:
    """The kinds that a control may be changed to: those that send such messages."""
    return tuple(
        kind
        for kind, messages in MESSAGES_OF.items()
        if control.message in messages and (kind != "knob14" or (control.number or 0) < 32)
    )


def with_kind(control: ControllerElement, kind: ControlKind) -> ControllerElement:
    """The control as another kind, with its shape and feedback."""
    feedback = control.feedback
    if is_relative(kind) or feedback.message == "none":
        style = feedback.style
    else:
        style = "state" if is_button_kind(kind) else "value"
    return replace(
        control, kind=kind, shape=default_shape(kind), feedback=replace(feedback, style=style)
    )


def replace_control(controller: ControllerMap, control: ControllerElement) -> ControllerMap:
    """Replace the control of the same name."""
    controls = tuple(control if each.id == control.id else each for each in controller.controls)
    return replace(controller, controls=controls, _by_id={})


def replace_mapping(controller: ControllerMap, old: Mapping, new: Mapping) -> ControllerMap:
    """Replace a mapping; another one of the new one's control, target and layer is removed."""
    same = (new.control, new.target, new.layer)
    mappings = tuple(
        new if each == old else each
        for each in controller.mappings
        if each == old or (each.control, each.target, each.layer) != same
    )
    return replace(controller, mappings=mappings, _by_id={})


def remove_mapping(controller: ControllerMap, mapping: Mapping) -> ControllerMap:
    """Remove a mapping."""
    mappings = tuple(each for each in controller.mappings if each != mapping)
    return replace(controller, mappings=mappings, _by_id={})


def remove_control(controller: ControllerMap, name: str) -> ControllerMap:
    """Remove a control and its mappings."""
    controls = tuple(each for each in controller.controls if each.id != name)
    mappings = tuple(each for each in controller.mappings if each.control != name)
    return replace(controller, controls=controls, mappings=mappings, _by_id={})


def edit_gesture(before: Mapping | None, after: Mapping) -> str:
    """Name of a continuous edit, where only numbers differ; '' for a single edit."""
    if before is None or before == after:
        return ""
    same = replace(before, low=after.low, high=after.high, step=after.step) == after
    return f"{after.control} {after.target} {after.layer}" if same else ""


def find_mapping(controller: ControllerMap, mapping: Mapping) -> Mapping | None:
    """The mapping with the same control, target and layer."""
    place = (mapping.control, mapping.target, mapping.layer)
    found = (m for m in controller.mappings if (m.control, m.target, m.layer) == place)
    return next(found, None)


def range_text(mapping: Mapping, registry: Registry) -> str:
    """The range that a mapping covers, in the target's unit; '' where it has none."""
    if mapping.target not in registry or registry[mapping.target].kind != "continuous":
        return ""
    parameter = registry[mapping.target]
    ends = [parameter.text(parameter.from_unit(u)) for u in (mapping.low, mapping.high)]
    if mapping.invert:
        ends.reverse()
    return f"{ends[0]} … {ends[1]}"


def details(mapping: Mapping) -> str:
    """Settings of a mapping that differ from the defaults, for the list."""
    words: list[str] = []
    if mapping.layer != "base":
        layers = "layers" if mapping.layer == "any" else "layer"
        words.append(f"{word(LAYER_LABELS, mapping.layer)} {layers}")
    if (mapping.low, mapping.high) != (0.0, 1.0):
        words.append(f"{mapping.low * 100:.0f}–{mapping.high * 100:.0f} %")
    if mapping.invert:
        words.append("invert")
    if mapping.shape != "linear":
        words.append(word(CURVE_LABELS, mapping.shape))
    if mapping.takeover != "pickup":
        words.append(word(TAKEOVER_LABELS, mapping.takeover))
    if mapping.action != "auto":
        value = "" if mapping.value is None else f" {mapping.value}"
        action = "set" if mapping.action == "set" else word(ACTION_LABELS, mapping.action)
        words.append(f"{action}{value}")
    return ", ".join(words)

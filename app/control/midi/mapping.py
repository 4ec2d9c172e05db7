"""Controller maps: the controls of a device and what each one moves. GUI lane; pure, immutable.

A map is a file (`map_file`). Its controls describe the device and never change with use; its
mappings join controls to parameters of the registry, or to the surface itself (`SHIFT`).
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from app.control.midi.decode import ControlKind, is_button_kind, is_relative
from app.control.midi.detection import DetectedControl
from app.control.midi.shaping import ResponseCurve
from app.control.midi.takeover import TakeoverMode
from app.parameters.parameter import Parameter

VERSION: Final = 1
FORMAT: Final = "segue-controller-map"
SHIFT: Final = "surface.shift"
"""The target of a button that reaches the second layer while it is held."""
LAYERS: Final = ("base", "shift", "any")
ACTIONS: Final = ("auto", "set", "toggle", "gate", "trigger", "next", "previous")
MESSAGES: Final = ("cc", "note", "bend", "aftertouch", "pressure", "program", "nrpn")
ELEMENT_SHAPES: Final = ("knob", "encoder", "fader", "button", "pad", "wheel", "key")
NUMBERED_MESSAGES: Final = ("cc", "note", "pressure", "nrpn")
MESSAGES_OF: Final[dict[ControlKind, tuple[str, ...]]] = {
    "knob": ("cc",),
    "knob14": ("cc",),
    "relative-twos": ("cc",),
    "relative-offset": ("cc",),
    "relative-sign": ("cc",),
    "button": ("note", "cc"),
    "toggle": ("note", "cc"),
    "pad": ("note",),
    "bend": ("bend",),
    "aftertouch": ("aftertouch",),
    "pressure": ("pressure",),
    "program": ("program",),
    "nrpn": ("nrpn",),
}

Layer = Literal["base", "shift", "any"]
Action = Literal["auto", "set", "toggle", "gate", "trigger", "next", "previous"]


@dataclass(frozen=True)
class Feedback:
    """What is sent back to show a value.

    message: "cc", "note", "bend" or "none". style "value" sends low..high along the value's way;
    "state" sends off, dim (there, but not on: a scene that is saved) or on.
    """

    message: str = "none"
    channel: int = 1
    number: int = 0
    style: str = "state"
    off: int = 0
    dim: int = 0
    on: int = 127
    low: int = 0
    high: int = 127


@dataclass(frozen=True)
class ControllerElement:
    """One thing on the device that a hand can move.

    channel: 1..16, None for any. number: of note, controller or NRPN; None where there is none.
    motor: it moves by itself when told to. x, y, width, height: on a drawing, in units of one key.
    """

    id: str
    label: str
    kind: ControlKind
    message: str
    channel: int | None = None
    number: int | None = None
    feedback: Feedback = Feedback()
    motor: bool = False
    shape: str = "knob"
    x: float = 0.0
    y: float = 0.0
    width: float = 1.0
    height: float = 1.0


@dataclass(frozen=True)
class Mapping:
    """A control moves a target.

    low, high: the part of the target's way (0..1) that the control covers. step: how far one
    click of an encoder goes, as a share of that way. value: for action "set", in the target's unit.
    """

    control: str
    target: str
    layer: Layer = "base"
    takeover: TakeoverMode = "pickup"
    low: float = 0.0
    high: float = 1.0
    invert: bool = False
    shape: ResponseCurve = "linear"
    action: Action = "auto"
    value: float | bool | str | None = None
    step: float = 1 / 128


@dataclass(frozen=True)
class Keyboard:
    """Keys that play: channel 1..16 or None for any; notes low..high, moved by `transpose`."""

    channel: int | None = None
    low: int = 0
    high: int = 127
    transpose: int = 0

    def plays(self, channel: int, note: int) -> bool:
        return self.channel in (None, channel) and self.low <= note <= self.high


@dataclass(frozen=True)
class ControllerMap:
    """A device and its mappings. ports: shell patterns for names of ports, numbers left out; one
    that begins with "!" leaves out what else would fit.

    source: the maker's document the numbers are from. on_open: system exclusive or channel
    messages (bytes) sent when the device is connected.
    """

    name: str
    maker: str = ""
    source: str = ""
    notes: str = ""
    ports: tuple[str, ...] = ()
    controls: tuple[ControllerElement, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    keyboard: Keyboard | None = None
    on_open: tuple[bytes, ...] = ()
    _by_id: dict[str, ControllerElement] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {control.id: control for control in self.controls})

    def control(self, name: str) -> ControllerElement:
        return self._by_id[name]

    def matches_port(self, port: str) -> bool:
        """Whether a port of this (plain) name belongs to the device; '!' leaves ports out."""
        name = port.casefold()

        def one(patterns: list[str]) -> bool:
            return any(fnmatch.fnmatchcase(name, pattern.casefold()) for pattern in patterns)

        left_out = [pattern[1:] for pattern in self.ports if pattern.startswith("!")]
        return one([each for each in self.ports if each[:1] != "!"]) and not one(left_out)

    def mappings_of(self, target: str) -> tuple[Mapping, ...]:
        return tuple(mapping for mapping in self.mappings if mapping.target == target)

    def without(self, *, target: str | None = None, control: str | None = None) -> ControllerMap:
        """Without the mappings of a target, of a control, or of both together."""
        kept = tuple(
            mapping
            for mapping in self.mappings
            if (target is not None and mapping.target != target)
            or (control is not None and mapping.control != control)
        )
        return replace(self, mappings=kept, _by_id={})

    def with_mapping(self, mapping: Mapping) -> ControllerMap:
        """With one mapping more; the same control and target in the same layer is replaced."""
        kept = tuple(
            other
            for other in self.mappings
            if (other.control, other.target, other.layer)
            != (mapping.control, mapping.target, mapping.layer)
        )
        return replace(self, mappings=(*kept, mapping), _by_id={})

    def with_control(self, control: ControllerElement) -> ControllerMap:
        """With a control more, or another in the place of the one of that name."""
        controls = tuple(other for other in self.controls if other.id != control.id)
        return replace(self, controls=(*controls, control), _by_id={})

    def find(self, learned: DetectedControl) -> ControllerElement | None:
        """The control that sends what was learned."""
        for control in self.controls:
            if (
                control.message == learned.message
                and control.number == learned.number
                and control.channel in (None, learned.channel)
            ):
                return control
        return None


def control_from_detection(learned: DetectedControl, count: int) -> ControllerElement:
    """A control for something learned that no map describes; `count` places it in the drawing."""
    number = "" if learned.number is None else f".{learned.number}"
    words = {"cc": "CC", "note": "Note", "nrpn": "NRPN"}.get(learned.message)
    label = words or learned.message.capitalize()
    if learned.number is not None:
        label = f"{label} {learned.number}"
    struck = is_button_kind(learned.kind)
    feedback = Feedback()
    if learned.message in ("cc", "note") and not is_relative(learned.kind):
        feedback = Feedback(
            learned.message,
            learned.channel,
            learned.number or 0,
            "state" if struck else "value",
        )
    return ControllerElement(
        id=f"{learned.message}{number}.ch{learned.channel}",
        label=label,
        kind=learned.kind,
        message=learned.message,
        channel=learned.channel,
        number=learned.number,
        feedback=feedback,
        shape=default_shape(learned.kind),
        x=count % 8,
        y=count // 8,
    )


def default_shape(kind: ControlKind) -> str:
    """How a control of a kind is drawn when nobody has said."""
    if is_relative(kind):
        return "encoder"
    return {
        "knob14": "fader",
        "button": "button",
        "toggle": "button",
        "program": "button",
        "pad": "pad",
        "bend": "wheel",
        "pressure": "key",
        "aftertouch": "key",
    }.get(kind, "knob")


def resolve_action(mapping: Mapping, kind: ControlKind, parameter: Parameter) -> Action:
    """What "auto" comes to: for buttons by what they act on, for the rest to set a position."""
    if mapping.action != "auto":
        return mapping.action
    if parameter.kind == "trigger":
        return "trigger"
    if kind == "toggle":
        return "gate"
    if is_button_kind(kind) and kind != "program":
        if parameter.kind == "switch":
            return "toggle"
        return "next" if parameter.kind == "choice" else "gate"
    return "set"

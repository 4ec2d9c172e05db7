"""Controller maps: the controls of a device and the targets that each one moves. Immutable.

A map is a file (`map_file`). Its controls describe the device and do not change with use; its
mappings connect controls to parameters of the registry, or to the surface itself (`SHIFT`).
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

Layer = Literal["base", "shift", "any"]
Action = Literal["auto", "set", "toggle", "gate", "trigger", "next", "previous"]

VERSION: Final = 1
FORMAT: Final = "segue-controller-map"
SHIFT: Final = "surface.shift"
"""Target of a button that selects the second layer while it is held."""
LAYERS: Final[tuple[Layer, ...]] = ("base", "shift", "any")
ACTIONS: Final[tuple[Action, ...]] = (
    "auto",
    "set",
    "toggle",
    "gate",
    "trigger",
    "next",
    "previous",
)
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


@dataclass(frozen=True)
class Feedback:
    """Feedback of a control: the message that shows a value.

    message: "cc", "note", "bend" or "none". style "value" sends low..high in proportion to the
    value; "state" sends off, dim (a saved scene that is not active) or on.
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
    """A control on the device: knob, fader, encoder, button, pad, wheel or key.

    channel: 1..16, None for any. number: of note, controller or NRPN; None where there is none.
    motor: a motor fader. x, y, width, height: in the drawing, in units of one key.
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
    """A mapping from a control to a target.

    low, high: the part of the target's range (0..1) that the control covers. step: how far one
    step of an encoder moves, as a share of that range. value: for action "set", in the target's
    unit.
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
    """Keys that play notes: channel 1..16 or None for any; notes low..high, plus `transpose`."""

    channel: int | None = None
    low: int = 0
    high: int = 127
    transpose: int = 0

    def plays(self, channel: int, note: int) -> bool:
        return self.channel in (None, channel) and self.low <= note <= self.high


@dataclass(frozen=True)
class ControllerMap:
    """A device and its mappings.

    ports: shell patterns for plain port names; one that begins with "!" excludes. source: the
    manufacturer's document of the numbers. on_open: system exclusive or channel messages (bytes)
    sent when the device is connected.
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
        """Whether a plain port name belongs to the device."""
        name = port.casefold()

        def one(patterns: list[str]) -> bool:
            return any(fnmatch.fnmatchcase(name, pattern.casefold()) for pattern in patterns)

        left_out = [pattern[1:] for pattern in self.ports if pattern.startswith("!")]
        return one([each for each in self.ports if each[:1] != "!"]) and not one(left_out)

    def mappings_of(self, target: str) -> tuple[Mapping, ...]:
        return tuple(mapping for mapping in self.mappings if mapping.target == target)

    def without(self, *, target: str | None = None, control: str | None = None) -> ControllerMap:
        """A copy without the mappings of a target, of a control, or of both together."""
        mappings = tuple(
            mapping
            for mapping in self.mappings
            if (target is not None and mapping.target != target)
            or (control is not None and mapping.control != control)
        )
        return replace(self, mappings=mappings, _by_id={})

    def with_mapping(self, mapping: Mapping) -> ControllerMap:
        """A copy with a mapping, which replaces one of the same control, target and layer."""
        mappings = tuple(
            other
            for other in self.mappings
            if (other.control, other.target, other.layer)
            != (mapping.control, mapping.target, mapping.layer)
        )
        return replace(self, mappings=(*mappings, mapping), _by_id={})

    def with_control(self, control: ControllerElement) -> ControllerMap:
        """A copy with a control, which replaces one of the same name."""
        controls = tuple(other for other in self.controls if other.id != control.id)
        return replace(self, controls=(*controls, control), _by_id={})

    def find(self, learned: DetectedControl) -> ControllerElement | None:
        """The control that sends what was detected."""
        for control in self.controls:
            if (
                control.message == learned.message
                and control.number == learned.number
                and control.channel in (None, learned.channel)
            ):
                return control
        return None


def control_from_detection(learned: DetectedControl, count: int) -> ControllerElement:
    """A control for a detected one that the map lacks; `count` places it in the drawing."""
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
    """Shape in which a kind of control is drawn by default."""
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
    """The action that "auto" stands for: by what a button acts on, else to set a position."""
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

"""Layout for TouchOSC, written to resources/osc/segue.tosc: `python -m app.control.osc.touchosc`.

The file is a zlib-compressed XML tree, with the names of nodes and properties that TouchOSC writes
itself (version 3 of the format). To use it, let Segue's OSC listen on the network card that the
tablet reaches, set that machine, send port 9010 and receive port 9011 in TouchOSC's OSC
connection, and press "listen" once: its faders then follow Segue.
"""

from __future__ import annotations

import uuid
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from app.control.osc.messages import ROOT, address_for
from app.parameters.instrument_parameters import PROMPTS, SCENES

FILE: Final = Path(__file__).resolve().parents[3] / "resources" / "osc" / "segue.tosc"
WIDTH: Final = 1024
HEIGHT: Final = 768
RECEIVES: Final = 9011
MOMENTARY: Final = 0
TOGGLE: Final = 2
WARM: Final = (0.95, 0.62, 0.25)
COOL: Final = (0.35, 0.7, 0.95)
GREY: Final = (0.45, 0.48, 0.52)
RED: Final = (0.9, 0.3, 0.3)
_SPACE: Final = uuid.UUID("5e60e000-0000-4000-8000-000000000000")

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Frame:
    """Frame of a node in TouchOSC's units, from the left top corner."""

    x: int
    y: int
    w: int
    h: int


def layout() -> bytes:
    """The whole file."""
    root = ET.Element("lexml", version="3")
    page = _node(root, "GROUP", "segue", Frame(0, 0, WIDTH, HEIGHT), (0.08, 0.09, 0.1))
    children = ET.SubElement(page, "children")
    column = WIDTH // PROMPTS
    for n in range(1, PROMPTS + 1):
        x = (n - 1) * column
        _label(children, f"{n}", Frame(x + 2, 4, column - 4, 20))
        weight = address_for(f"prompt.{n}.weight", unit=True)
        _fader(children, f"weight{n}", Frame(x + 4, 26, column - 8, 284), WARM, weight)
        mute = Frame(x + 4, 316, column - 8, 44)
        _button(children, f"mute{n}", "mute", mute, RED, address_for(f"prompt.{n}.mute"), TOGGLE)
    side = 66
    for n in range(1, SCENES + 1):
        x, y = (n - 1) % 8 * side, 372 + (n - 1) // 8 * side
        frame = Frame(x + 4, y, side - 8, side - 8)
        _button(children, f"scene{n}", f"{n}", frame, COOL, address_for(f"scene.{n}.recall"))
    _xy(children, "map", Frame(4, 508, 520, 256), COOL, "map.x", "map.y")
    knobs = ("tempo", "energy", "density", "brightness", "chaos", "guidance", "mixer.master")
    for i, name in enumerate(knobs):
        x = 540 + i * 68
        _label(children, name.rpartition(".")[2], Frame(x, 372, 66, 20))
        _fader(children, name, Frame(x + 4, 394, 58, 240), GREY, address_for(name, unit=True))
    buttons = (
        ("play", "transport.play", TOGGLE),
        ("hold", "transport.hold", TOGGLE),
        ("tap", "tempo.tap", MOMENTARY),
        ("fill", "fill", MOMENTARY),
        ("next", "next_section", MOMENTARY),
        ("clear", "transport.clear", MOMENTARY),
        ("record", "record", TOGGLE),
        ("undo", "edit.undo", MOMENTARY),
        ("panic", "transport.panic", MOMENTARY),
    )
    for i, (text, name, kind) in enumerate(buttons):
        frame = Frame(540 + i % 5 * 96, 646 + i // 5 * 58, 90, 50)
        colour = RED if text in ("panic", "record") else WARM
        _button(children, text, text, frame, colour, address_for(name), kind)
    frame = Frame(540 + 4 * 96, 646 + 58, 90, 50)
    _button(children, "listen", "listen", frame, GREY, ROOT + "subscribe", port=RECEIVES)
    ET.indent(root, "")
    text = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return zlib.compress(text, 9)


def _node(parent: ET.Element, kind: str, name: str, frame: Frame, colour: Colour) -> ET.Element:
    node = ET.SubElement(parent, "node", ID=str(uuid.uuid5(_SPACE, f"{kind} {name}")), type=kind)
    properties = ET.SubElement(node, "properties")
    _property(properties, "b", "background", "1")
    value = _property(properties, "c", "color")
    for letter, amount in zip("rgba", (*colour, 1.0), strict=True):
        ET.SubElement(value, letter).text = f"{amount:g}"
    value = _property(properties, "r", "frame")
    for letter in "xywh":
        ET.SubElement(value, letter).text = str(getattr(frame, letter))
    _property(properties, "s", "name", name)
    _property(properties, "b", "visible", "1")
    _property(properties, "b", "interactive", "0" if kind in ("GROUP", "LABEL") else "1")
    _value(node, "touch", "false")
    return node


def _property(properties: ET.Element, kind: str, key: str, text: str | None = None) -> ET.Element:
    """Add a property; returns its <value> element."""
    item = ET.SubElement(properties, "property", type=kind)
    ET.SubElement(item, "key").text = key
    value = ET.SubElement(item, "value")
    value.text = text
    return value


def _properties(node: ET.Element) -> ET.Element:
    found = node.find("properties")
    assert found is not None
    return found


def _value(node: ET.Element, key: str, default: str) -> None:
    values = node.find("values")
    if values is None:
        values = ET.SubElement(node, "values")
    item = ET.SubElement(values, "value")
    for tag, text in (
        ("key", key),
        ("locked", "0"),
        ("lockedDefaultCurrent", "0"),
        ("default", default),
        ("defaultPull", "0"),
    ):
        ET.SubElement(item, tag).text = text


def _osc(node: ET.Element, address: str, variable: str, port: int | None = None) -> None:
    """Add the OSC message of a control. port: send this number instead of the value."""
    messages = node.find("messages")
    if messages is None:
        messages = ET.SubElement(node, "messages")
    osc = ET.SubElement(messages, "osc")
    for tag, text in (
        ("enabled", "1"),
        ("send", "1"),
        ("receive", "0" if port else "1"),
        ("feedback", "0"),
        ("connections", "00001"),
    ):
        ET.SubElement(osc, tag).text = text
    trigger = ET.SubElement(ET.SubElement(osc, "triggers"), "trigger")
    ET.SubElement(trigger, "var").text = variable
    ET.SubElement(trigger, "condition").text = "RISE" if port else "ANY"
    _partial(ET.SubElement(osc, "path"), "CONSTANT", "STRING", address)
    arguments = ET.SubElement(osc, "arguments")
    if port is None:
        _partial(arguments, "VALUE", "FLOAT", variable)
    else:
        _partial(arguments, "CONSTANT", "INTEGER", str(port))


def _partial(parent: ET.Element, kind: str, conversion: str, value: str) -> None:
    partial = ET.SubElement(parent, "partial")
    for tag, text in (
        ("type", kind),
        ("conversion", conversion),
        ("value", value),
        ("scaleMin", "0"),
        ("scaleMax", "1"),
    ):
        ET.SubElement(partial, tag).text = text


def _fader(parent: ET.Element, name: str, frame: Frame, colour: Colour, address: str) -> None:
    node = _node(parent, "FADER", name, frame, colour)
    # Relative response: touching a fader must not make the value jump.
    _property(_properties(node), "i", "response", "1")
    _value(node, "x", "0")
    _osc(node, address, "x")


def _button(
    parent: ET.Element,
    name: str,
    text: str,
    frame: Frame,
    colour: Colour,
    address: str,
    kind: int = MOMENTARY,
    port: int | None = None,
) -> None:
    node = _node(parent, "BUTTON", name, frame, colour)
    _property(_properties(node), "i", "buttonType", str(kind))
    _property(_properties(node), "b", "press", "1")
    _property(_properties(node), "b", "release", "1")
    _value(node, "x", "0")
    _osc(node, address, "x", port)
    _label(parent, text, Frame(frame.x, frame.y + frame.h - 22, frame.w, 20), name)


def _xy(parent: ET.Element, name: str, frame: Frame, colour: Colour, x: str, y: str) -> None:
    node = _node(parent, "XY", name, frame, colour)
    _property(_properties(node), "i", "response", "1")
    for variable, target in (("x", x), ("y", y)):
        _value(node, variable, "0.5")
        _osc(node, address_for(target, unit=True), variable)


def _label(parent: ET.Element, text: str, frame: Frame, name: str = "") -> None:
    node = _node(parent, "LABEL", f"label {name or text}", frame, GREY)
    properties = _properties(node)
    for item in properties.findall("property"):
        if item.findtext("key") == "background":
            properties.remove(item)
    _property(properties, "b", "background", "0")
    _property(properties, "b", "outline", "0")
    _property(properties, "i", "textSize", "13")
    _value(node, "text", text)


if __name__ == "__main__":
    FILE.write_bytes(layout())

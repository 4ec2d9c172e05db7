"""Controller map files: JSON, with errors reported by line.

Version 1 of the format, a JSON object:

    {"format": "segue-controller-map", "version": 1, "name": "...", "maker": "...",
     "source": "the maker's document", "notes": "...", "ports": ["MIDI Mix*"],
     "on_open": ["F0 ... F7"], "keyboard": {"channel": "any", "low": 0, "high": 127},
     "controls": [{"id": "fader1", "label": "Fader 1", "kind": "knob", "message": "cc",
                   "channel": 1, "number": 19, "shape": "fader", "x": 0, "y": 4, "width": 1,
                   "height": 2, "motor": false,
                   "feedback": {"message": "cc", "channel": 1, "number": 19, "style": "value"}}],
     "mappings": [{"control": "fader1", "target": "prompt.1.weight", "layer": "base",
                   "takeover": "pickup", "low": 0, "high": 1, "invert": false,
                   "shape": "linear", "action": "auto"}]}

A channel is 1 to 16 or "any". Members with a default may be omitted.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Final, TypeVar, cast

from app.control.midi import json_tree
from app.control.midi.decode import KINDS
from app.control.midi.json_tree import Node
from app.control.midi.mapping import (
    ACTIONS,
    ELEMENT_SHAPES,
    FORMAT,
    LAYERS,
    MESSAGES,
    MESSAGES_OF,
    NUMBERED_MESSAGES,
    SHIFT,
    VERSION,
    ControllerElement,
    ControllerMap,
    Feedback,
    Keyboard,
    Mapping,
)
from app.control.midi.message import parse_hex
from app.control.midi.shaping import RESPONSE_CURVES as RESPONSE_CURVES
from app.control.midi.takeover import TAKEOVER_MODES
from app.parameters.registry import Registry
from models.errors import SegueError

SUFFIX: Final = ".json"
MAX_BYTES: Final = 1_000_000
MAX_ITEMS: Final = 2000

Choice = TypeVar("Choice", bound=str)


def load(path: Path, registry: Registry) -> ControllerMap:
    """Load a map. Raises SegueError, which names the line of a mistake."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SegueError(f"The map '{path.name}', line 1: the file is too large for a map.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise SegueError(f"The map '{path.name}' could not be read ({reason}).") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SegueError(f"The map '{path.name}', line {line}: this is no text.") from error
    try:
        return read(text, registry)
    except SegueError as error:
        raise SegueError(f"The map '{path.name}', {error}") from error


def read(text: str, registry: Registry) -> ControllerMap:
    """Parse a map. Raises SegueError: "line N: what is wrong."."""
    top = _ObjectReader(json_tree.parse(text), "the map")
    if top.text("format", "") != FORMAT:
        raise top.error("format", f"this is no controller map; its format must be '{FORMAT}'.")
    version = top.integer("version", 1, 10**6)
    if version > VERSION:
        raise top.error(
            "version", f"made by a newer Segue (version {version}, this one reads {VERSION})."
        )
    controls = tuple(_control(item) for item in top.objects("controls", "a control"))
    mappings = _mappings(top, {control.id: control for control in controls}, registry)
    keyboard = top.object("keyboard", "the keyboard")
    found = ControllerMap(
        name=top.text("name"),
        maker=top.text("maker", ""),
        source=top.text("source", ""),
        notes=top.text("notes", ""),
        ports=top.texts("ports"),
        controls=controls,
        mappings=mappings,
        keyboard=None if keyboard is None else _keyboard(keyboard),
        on_open=_on_open(top),
    )
    _unique(top)
    top.check_unused()
    return found


class _ObjectReader:
    """Reader of one JSON object that checks types and reports members that nobody has read."""

    def __init__(self, node: Node, what: str) -> None:
        if not isinstance(node.value, dict):
            raise SegueError(f"line {node.line}: {what} must be an object in braces.")
        self.members: dict[str, Node] = node.value
        self.line = node.line
        self.what = what
        self.used_names: set[str] = set()

    def error(self, name: str, sentence: str) -> SegueError:
        line = self.members[name].line if name in self.members else self.line
        return SegueError(f"line {line}: {sentence}")

    def get(self, name: str) -> Node | None:
        self.used_names.add(name)
        return self.members.get(name)

    def check_unused(self) -> None:
        for name in self.members:
            if name not in self.used_names:
                known = ", ".join(sorted(self.used_names))
                raise self.error(name, f"{self.what} has no '{name}'; it may have {known}.")

    def text(self, name: str, default: str | None = None) -> str:
        node = self.get(name)
        if node is None and default is not None:
            return default
        if node is None or not isinstance(node.value, str) or (default is None and not node.value):
            raise self.error(name, f"{self.what} needs '{name}', a text.")
        return node.value

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(
            item.value if isinstance(item.value, str) else self._bad_text(name, item)
            for item in self.items(name)
        )

    def _bad_text(self, name: str, item: Node) -> str:
        raise SegueError(f"line {item.line}: '{name}' is a list of texts.")

    def choice(self, name: str, known: Collection[Choice], default: str | None = None) -> Choice:
        words = self.text(name, default)
        if words not in known:
            raise self.error(name, f"'{words}' is no {name}; known: {', '.join(known)}.")
        return cast(Choice, words)

    def number(self, name: str, low: float, high: float, default: float) -> float:
        node = self.get(name)
        if node is None:
            return default
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self.error(name, f"'{name}' must be a number.")
        if not low <= node.value <= high:
            raise self.error(name, f"'{name}' must be from {low:g} to {high:g}.")
        return float(node.value)

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        node = self.get(name)
        if node is None and default is not None:
            return default
        if node is None or isinstance(node.value, bool) or not isinstance(node.value, int):
            raise self.error(name, f"{self.what} needs '{name}', a whole number.")
        if not low <= node.value <= high:
            raise self.error(name, f"'{name}' must be from {low} to {high}.")
        return node.value

    def boolean(self, name: str) -> bool:
        node = self.get(name)
        if node is not None and not isinstance(node.value, bool):
            raise self.error(name, f"'{name}' must be true or false.")
        return bool(node and node.value)

    def channel(self, name: str = "channel") -> int | None:
        node = self.get(name)
        if node is None or node.value == "any":
            return None
        return self.integer(name, 1, 16)

    def items(self, name: str) -> list[Node]:
        node = self.get(name)
        if node is None:
            return []
        if not isinstance(node.value, list) or len(node.value) > MAX_ITEMS:
            raise self.error(name, f"'{name}' must be a list of at most {MAX_ITEMS}.")
        return node.value

    def objects(self, name: str, what: str) -> list[_ObjectReader]:
        return [_ObjectReader(item, what) for item in self.items(name)]

    def object(self, name: str, what: str) -> _ObjectReader | None:
        node = self.get(name)
        return None if node is None else _ObjectReader(node, what)


def _control(item: _ObjectReader) -> ControllerElement:
    kind = item.choice("kind", KINDS)
    message = item.choice("message", MESSAGES, MESSAGES_OF[kind][0])
    if message not in MESSAGES_OF[kind]:
        expected = " or ".join(MESSAGES_OF[kind])
        raise item.error(
            "message", f"a control of kind '{kind}' sends {expected}, not '{message}'."
        )
    top = 16383 if message == "nrpn" else 31 if kind == "knob14" else 127
    number = item.integer("number", 0, top) if message in NUMBERED_MESSAGES else None
    feedback = item.object("feedback", "feedback")
    name = item.text("id")
    found = ControllerElement(
        id=name,
        label=item.text("label", name),
        kind=kind,
        message=message,
        channel=item.channel(),
        number=number,
        feedback=Feedback() if feedback is None else _feedback(feedback, number),
        motor=item.boolean("motor"),
        shape=item.choice("shape", ELEMENT_SHAPES, "knob"),
        x=item.number("x", 0, 100, 0),
        y=item.number("y", 0, 100, 0),
        width=item.number("width", 0.1, 100, 1),
        height=item.number("height", 0.1, 100, 1),
    )
    item.check_unused()
    return found


def _feedback(item: _ObjectReader, number: int | None) -> Feedback:
    found = Feedback(
        message=item.choice("message", ("cc", "note", "bend", "none"), "none"),
        channel=item.integer("channel", 1, 16, 1),
        number=item.integer("number", 0, 127, min(number or 0, 127)),
        style=item.choice("style", ("value", "state"), "state"),
        off=item.integer("off", 0, 127, 0),
        dim=item.integer("dim", 0, 127, 0),
        on=item.integer("on", 0, 127, 127),
        low=item.integer("low", 0, 127, 0),
        high=item.integer("high", 0, 127, 127),
    )
    item.check_unused()
    return found


def _mappings(
    top: _ObjectReader, controls: dict[str, ControllerElement], registry: Registry
) -> tuple[Mapping, ...]:
    found = []
    for item in top.objects("mappings", "a mapping"):
        name, target = item.text("control"), item.text("target")
        if name not in controls:
            raise item.error("control", f"there is no control '{name}' in this map.")
        known = registry.names(target) if "*" in target else [target] * (target in registry)
        if not known and target != SHIFT:
            raise item.error("target", f"Segue has no parameter '{target}'.")
        if "*" in target and controls[name].kind != "program":
            raise item.error("target", "only a program change may have a '*' in its target.")
        found.append(
            Mapping(
                control=name,
                target=target,
                layer=item.choice("layer", LAYERS, "base"),
                takeover=item.choice("takeover", TAKEOVER_MODES, "pickup"),
                low=item.number("low", 0, 1, 0),
                high=item.number("high", 0, 1, 1),
                invert=item.boolean("invert"),
                shape=item.choice("shape", RESPONSE_CURVES, "linear"),
                action=item.choice("action", ACTIONS, "auto"),
                value=_value(item, registry, target),
                step=item.number("step", 1e-5, 1, Mapping.step),
            )
        )
        if found[-1].low >= found[-1].high:
            raise item.error("low", "'low' must be less than 'high'; use 'invert' to reverse it.")
        item.check_unused()
    return tuple(found)


def _value(item: _ObjectReader, registry: Registry, target: str) -> float | bool | str | None:
    node = item.get("value")
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, int | float | str | bool) or target not in registry:
        raise item.error("value", "'value' must be a number, a text, true or false.")
    try:
        return registry[target].accept(node.value)
    except SegueError as error:
        raise item.error("value", str(error)) from None


def _keyboard(item: _ObjectReader) -> Keyboard:
    found = Keyboard(
        channel=item.channel(),
        low=item.integer("low", 0, 127, 0),
        high=item.integer("high", 0, 127, 127),
        transpose=item.integer("transpose", -60, 60, 0),
    )
    if found.low > found.high:
        raise item.error("low", "'low' must not be above 'high'.")
    item.check_unused()
    return found


def _on_open(top: _ObjectReader) -> tuple[bytes, ...]:
    found = []
    for item in top.items("on_open"):
        data = None
        if isinstance(item.value, str):
            data = parse_hex(item.value)
        if data is None:
            raise SegueError(f"line {item.line}: 'on_open' holds whole MIDI messages in hex.")
        found.append(data)
    return tuple(found)


def _unique(top: _ObjectReader) -> None:
    ids: set[str] = set()
    for item in top.objects("controls", "a control"):
        name = item.text("id")
        if name in ids:
            raise item.error("id", f"there is already a control '{name}'.")
        ids.add(name)


def to_json(controller: ControllerMap) -> dict[str, object]:
    """A map as plain lists and dictionaries, without defaults."""
    data: dict[str, object] = {"format": FORMAT, "version": VERSION, "name": controller.name}
    for name in ("maker", "source", "notes"):
        if getattr(controller, name):
            data[name] = getattr(controller, name)
    data["ports"] = list(controller.ports)
    if controller.on_open:
        data["on_open"] = [message.hex(" ").upper() for message in controller.on_open]
    if controller.keyboard is not None:
        data["keyboard"] = _plain(controller.keyboard)
    data["controls"] = [_plain(control) for control in controller.controls]
    data["mappings"] = [_plain(mapping) for mapping in controller.mappings]
    return data


def _plain(item: ControllerElement | Feedback | Keyboard | Mapping) -> dict[str, object]:
    data: dict[str, object] = {}
    for each in fields(item):
        value = getattr(item, each.name)
        default = each.default if each.default is not MISSING else None
        if isinstance(value, Feedback):
            if value != Feedback():
                # The number is written even when 0: its default is the control's own.
                data[each.name] = _plain(value) | {"number": value.number}
        elif (value != default or each.default is MISSING) and value is not None:
            data[each.name] = value
    return data


def write(controller: ControllerMap) -> str:
    """A map as text, with one line for each control and mapping."""
    lines = []
    for name, value in to_json(controller).items():
        if name in ("controls", "mappings") and isinstance(value, list) and value:
            inner = ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in value)
            lines.append(f" {json.dumps(name)}: [\n{inner}\n ]")
        else:
            lines.append(f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"

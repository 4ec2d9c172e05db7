"""The examples for TouchOSC and Pure Data: whole files, whose addresses all exist."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from app.control.osc import touchosc
from app.control.osc.messages import address_for
from app.control.osc.server import OscServer
from app.control.settings import DEFAULT_OSC_PORT
from app.parameters.catalogue import build_registry
from tests.app.control.osc.test_server import LOCAL, Client, make_registry, message

PATCH = touchosc.FILE.with_suffix(".pd")
REGISTRY = build_registry()
ADDRESSES = {address_for(each.name, unit=unit) for each in REGISTRY for unit in (False, True)}


def tree() -> ET.Element:
    return ET.fromstring(zlib.decompress(touchosc.FILE.read_bytes()))


def messages(kind: str) -> Iterator[tuple[str, str, ET.Element]]:
    """(address, variable, node) of all controls of a kind."""
    for node in tree().iter("node"):
        if node.get("type") == kind:
            for osc in node.iter("osc"):
                address = osc.findtext("path/partial/value", "")
                yield address, osc.findtext("triggers/trigger/var", ""), node


def test_the_file_is_what_the_generator_writes() -> None:
    assert zlib.decompress(touchosc.layout()) == zlib.decompress(touchosc.FILE.read_bytes())


def test_the_layout_is_whole() -> None:
    root = tree()
    assert root.tag == "lexml" and [node.get("type") for node in root] == ["GROUP"]
    ids = [node.get("ID") for node in root.iter("node")]
    assert len(set(ids)) == len(ids) > 60
    for node in root.iter("node"):
        properties = {
            item.findtext("key"): item.find("value") for item in node.findall("properties/property")
        }
        frame = properties["frame"]
        assert frame is not None
        x, y, w, h = (float(frame.findtext(letter, "-1")) for letter in "xywh")
        assert x >= 0 and y >= 0 and w > 0 and h > 0
        assert x + w <= touchosc.WIDTH and y + h <= touchosc.HEIGHT


def test_sixteen_faders_and_sixteen_pads() -> None:
    faders = {address for address, _, _ in messages("FADER")}
    assert {f"/segue/unit/prompt/{n}/weight" for n in range(1, 17)} <= faders
    assert "/segue/unit/density" in faders
    buttons = {address for address, _, _ in messages("BUTTON")}
    assert {f"/segue/scene/{n}/recall" for n in range(1, 17)} <= buttons
    assert {f"/segue/prompt/{n}/mute" for n in range(1, 17)} <= buttons
    assert {(a, v) for a, v, _ in messages("XY")} == {
        ("/segue/unit/map/x", "x"),
        ("/segue/unit/map/y", "y"),
    }


def test_every_address_of_the_layout_exists() -> None:
    found = [row for kind in ("FADER", "BUTTON", "XY") for row in messages(kind)]
    assert {address for address, _, _ in found} - ADDRESSES == {"/segue/subscribe"}
    for address, variable, node in found:
        name = address.removeprefix("/segue/").removeprefix("unit/").replace("/", ".")
        keys = [value.findtext("key") for value in node.findall("values/value")]
        assert variable in keys
        if name != "subscribe" and REGISTRY[name].kind == "trigger":
            assert node.get("type") == "BUTTON"


def test_what_the_layout_sends_is_obeyed() -> None:
    """Each control once, as TouchOSC would send it, over UDP."""
    registry = make_registry()
    server = OscServer(registry)
    server.start()
    client = Client(server)
    try:
        for kind in ("FADER", "BUTTON", "XY"):
            for address, _, _ in messages(kind):
                before = server.counts.applied
                client.raw(message(address, client.port if "subscribe" in address else 1.0))
                client.until(lambda before=before: server.counts.applied > before)  # type: ignore[misc]
        assert registry.get("prompt.16.weight") == 2.0 and registry.get("map.y") == 1.0
        assert registry.get("prompt.16.mute") is True and registry.get("mixer.master") == 0.0
        assert server.counts.unknown == server.counts.refused == 0
        assert client.hear()[0].startswith("/segue/")
    finally:
        client.socket.close()
        server.stop()


def test_every_address_of_the_patch_exists() -> None:
    text = PATCH.read_text(encoding="utf-8")
    assert text.startswith("#N canvas")
    found = re.findall(r"oscformat ([^;,]+)[;,]", text)
    assert len(found) >= 3
    for words in found:
        assert "/" + "/".join(words.split()) in ADDRESSES
    assert f"connect {LOCAL} {DEFAULT_OSC_PORT};" in text


def test_the_connections_of_the_patch_join_objects_that_exist() -> None:
    lines = PATCH.read_text(encoding="utf-8").replace("\n", " ").split(";")
    objects = [
        line for line in lines if re.match(r"\s*#X (obj|msg|text|floatatom|symbolatom)", line)
    ]
    joined = [tuple(int(n) for n in line.split()[2:6]) for line in lines if "#X connect" in line]
    assert joined
    for source, _, target, _ in joined:
        assert 0 <= source < len(objects) and 0 <= target < len(objects)


def test_the_button_that_asks_for_pushes_names_its_port() -> None:
    nodes = [node for address, _, node in messages("BUTTON") if address == "/segue/subscribe"]
    assert [node.findtext(".//arguments/partial/value") for node in nodes] == [
        str(touchosc.RECEIVES)
    ]

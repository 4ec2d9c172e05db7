"""Ready-made maps, broken maps, the hub with ports in memory, OSC over real UDP."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pythonosc.udp_client import SimpleUDPClient

from app.control.feedback_sender import RESYNC_DELAYS
from app.control.hub import ControlHub
from app.control.midi import map_file
from app.control.midi.echo import ECHO_SECONDS
from app.control.midi.library import READY_MADE, Library
from app.control.midi.ports import plain_name
from app.control.osc.server import OscServer
from app.control.settings import ControlSettings
from app.parameters.catalogue import build_registry, set_engine_controls, set_prompt_count
from app.parameters.registry import Registry
from models.errors import SegueError
from tests.support.midi_device import MemoryBackend

MAPS = sorted(READY_MADE.glob("*.json"))


@pytest.fixture
def registry() -> Registry:
    registry = build_registry()
    set_prompt_count(registry, 16)
    set_engine_controls(registry, frozenset({"bpm", "density", "brightness", "mute"}))
    return registry


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_ready_made_maps(path: Path, registry: Registry) -> None:
    found = map_file.load(path, registry)
    assert found.source and found.notes and found.mappings
    assert map_file.read(map_file.write(found), registry) == found


def test_there_are_six() -> None:
    assert len(MAPS) >= 6


DAMAGE: list[tuple[str, str]] = [
    ('"version": 1', '"version": 2'),
    ('"version": 1', '"version": "1"'),
    ('"version": 1,', ""),
    ('"format": "segue', '"format": "other'),
    ('"kind": "knob"', '"kind": "knoob"'),
    ('"channel": 1', '"channel": 17'),
    ('"channel": 1', '"channel": 0'),
    ('"number": 16', '"number": 128'),
    ('"number": 16', '"number": 1.5'),
    ('"number": 16', '"number": NaN'),
    ('"number": 16', '"number": 1, "number": 2'),
    ('"message": "cc"', '"message": "note"'),
    ('"shape": "fader"', '"shape": "blob"'),
    ('"id": "knob2.1"', '"id": "knob1.1"'),
    ('"control": "fader1"', '"control": "fader99"'),
    ('"target": "density"', '"target": "loudness"'),
    ('"target": "density"', '"target": "density", "takeover": "grab"'),
    ('"target": "density"', '"target": "density", "low": 0.8, "high": 0.2'),
    ('"target": "density"', '"target": "density", "colour": 1'),
    ('"target": "density"', '"target": "density", "invert": 1'),
    ('"target": "density"', '"target": "density'),
    ('"mappings": [', '"mappings": '),
    ('"ports": [', '"on_open": ["F0 99"], "ports": ['),
]


@pytest.mark.parametrize(("old", "new"), DAMAGE)
def test_damage_is_named_by_its_line(old: str, new: str, registry: Registry) -> None:
    text = (READY_MADE / "akai-midimix.json").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(SegueError, match=r"^line \d+: "):
        map_file.read(text.replace(old, new, 1), registry)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100, '{"a": 1} x'])
def test_what_is_no_map(text: str, registry: Registry) -> None:
    with pytest.raises(SegueError, match=r"^line \d+: "):
        map_file.read(text, registry)


def until(done: Callable[[], bool], work: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5.0
    while not done():
        assert time.monotonic() < deadline
        work()
        time.sleep(0.005)


def test_a_controller_that_comes_back(registry: Registry, tmp_path: Path) -> None:
    backend = MemoryBackend()
    hub = ControlHub(
        registry, tmp_path, open_backend=lambda api: backend, list_apis=lambda: ["MEMORY"]
    )
    hub.start()

    def work() -> None:
        hub.connections.poll_now()
        hub.drain()
        hub.tick()
        for port in hub.offers:
            hub.accept(port)

    try:
        for number in (20, 24, 28):
            name = f"MIDI Mix:MIDI Mix MIDI 1 {number}:0"
            registry.set("prompt.1.mute", False)
            backend.sent.clear()
            backend.names = [name]
            until(lambda name=name: name in backend.receivers, work)  # type: ignore[misc]
            until(lambda: bool(backend.sent), work)
            time.sleep(ECHO_SECONDS)  # a press so soon after the last light would be its echo
            backend.play(name, 0x90, 1, 127)
            until(lambda: registry.get("prompt.1.mute") is True, work)
            led = bytes((0x90, 1, 127))
            until(lambda led=led: led in [d for _, d in backend.sent], work)  # type: ignore[misc]
            backend.play(name, 0xB0, 19, 0)
            backend.play(name, 0xB0, 19, 127)
            until(lambda: registry.get("prompt.1.weight") == 2.0, work)
            backend.names = []
            until(lambda: not hub.connected, work)
        assert len(hub.surfaces) == 1
    finally:
        hub.stop()


def test_a_map_is_offered_and_the_answer_remembered(registry: Registry, tmp_path: Path) -> None:
    backend, received = MemoryBackend(), []
    name = "MIDI Mix:MIDI Mix MIDI 1 20:0"

    def open_hub() -> ControlHub:
        backend.names = [name, "Keystation:Keystation MIDI 1 24:0"]
        hub = ControlHub(
            registry, tmp_path, open_backend=lambda api: backend, list_apis=lambda: ["MEMORY"]
        )
        hub.on_offers = lambda: received.append(dict(hub.offers))
        hub.start()
        until(lambda: len(hub.connected) == 2, hub.drain)
        return hub

    def look() -> None:
        hub.connections.poll_now()
        hub.drain()

    hub = open_hub()
    try:
        assert hub.offers == {"MIDI Mix MIDI 1": "MIDImix"} and hub.offers in received
        registry.set("prompt.1.mute", False)
        backend.play(name, 0x90, 1, 127)
        hub.drain()
        assert registry.get("prompt.1.mute") is False and not hub.notes.held
        with pytest.raises(SegueError, match="No map is offered"):
            hub.accept("Keystation MIDI 1")
        backend.names = []
        until(lambda: not hub.offers, look)
        assert received[-1] == {}
        backend.names = [name]
        until(lambda: bool(hub.offers), look)
        hub.decline("MIDI Mix MIDI 1")
        assert received[-1] == {} and not hub.surfaces["MIDI Mix MIDI 1"].controller.mappings_of(
            "tempo"
        )
    finally:
        hub.stop()
    hub = open_hub()
    try:
        assert not hub.offers
        hub.use_ready_made("MIDI Mix MIDI 1", "MIDImix")
        backend.play(name, 0x90, 1, 127)
        hub.drain()
        assert registry.get("prompt.1.mute") is True
    finally:
        hub.stop()
    hub = open_hub()
    try:
        assert not hub.offers and hub.surfaces["MIDI Mix MIDI 1"].controller.name == "MIDImix"
    finally:
        hub.stop()


def test_osc_sets_and_counts(registry: Registry) -> None:
    server = OscServer(registry)
    server.start()
    client = SimpleUDPClient("127.0.0.1", server.port)
    try:
        client.send_message("/segue/tempo", 124.0)
        client.send_message("/segue/unit/prompt/3/weight", 0.25)
        until(lambda: registry.get("prompt.3.weight") == 0.5, server.drain)
        assert registry.get("tempo") == 124.0
        for data in (b"rubbish", b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xfc", b"/x\0"):
            client._sock.sendto(data, ("127.0.0.1", server.port))
        client._sock.sendto(b"/" + bytes(9000), ("127.0.0.1", server.port))
        until(lambda: server.counts.oversized == 1, server.drain)
        until(lambda: server.counts.malformed == 3, server.drain)
    finally:
        client._sock.close()
        server.stop()


NUMBERS: dict[str, dict[tuple[str, int], list[int]]] = {
    # After the sources that each map names; typed in again here, so that a slip shows.
    "akai-apc-mini-mk2": {
        ("note", 1): [*range(0x40), *range(0x64, 0x6C), *range(0x70, 0x78), 0x7A],
        ("cc", 1): [*range(0x30, 0x39)],
    },
    "akai-midimix": {
        ("note", 1): [*range(1, 28)],
        ("cc", 1): [*range(16, 32), *range(46, 63)],
    },
    "novation-launch-control-xl": {
        ("note", 9): [n + i for n in (41, 57, 73, 89, 105) for i in range(4)],
        ("cc", 9): [n + i for n in (13, 29, 49, 77) for i in range(8)] + list(range(104, 108)),
    },
    "korg-nanokontrol2": {
        ("cc", 1): [n + i for n in (0x00, 0x10, 0x20, 0x30, 0x40) for i in range(8)]
        + [0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E],
    },
    "behringer-x-touch-mini": {
        ("cc", 11): [*range(1, 19)],
        ("note", 11): [*range(48)],
    },
}


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_the_numbers_are_the_makers(name: str, registry: Registry) -> None:
    found = map_file.load(READY_MADE / f"{name}.json", registry)
    numbers: dict[tuple[str, int], list[int]] = {}
    for control in found.controls:
        assert control.channel is not None and control.number is not None
        numbers.setdefault((control.message, control.channel), []).append(control.number)
    assert {place: sorted(each) for place, each in numbers.items()} == {
        place: sorted(each) for place, each in NUMBERS[name].items()
    }


@pytest.mark.parametrize(
    ("port", "name"),
    [
        ("APC mini mk2 Control", "APC mini mk2"),
        ("APC mini mk2:APC mini mk2 APC mini mk2 Contr 24:0", "APC mini mk2"),
        ("APC mini mk2 Notes", None),
        ("MIDI Mix:MIDI Mix MIDI 1 20:0", "MIDImix"),
        ("MIDI Mix 1", "MIDImix"),
        ("Launch Control XL", "Launch Control XL"),
        ("Launch Control XL:Launch Control XL Launch Contro 28:1", "Launch Control XL"),
        ("Launch Control XL HUI", None),
        ("Launch Control XL 3 DAW Out", None),
        ("nanoKONTROL2 SLIDER/KNOB", "nanoKONTROL2"),
        ("nanoKONTROL2:nanoKONTROL2 nanoKONTROL2 _ CTRL 20:0", "nanoKONTROL2"),
        ("nanoKONTROL SLIDER/KNOB", None),
        ("X-TOUCH MINI:X-TOUCH MINI MIDI 1 24:0", "X-TOUCH MINI"),
        ("X-TOUCH", None),
        ("Keystation 49 MK3", None),
    ],
)
def test_the_map_that_fits_is_offered(
    port: str, name: str | None, registry: Registry, tmp_path: Path
) -> None:
    found = Library(registry, tmp_path).find_ready_made(plain_name(port))
    assert (None if found is None else found.name) == name


def test_broken_maps_do_no_harm_to_the_others(registry: Registry, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.mkdir()
    text = (READY_MADE / "akai-midimix.json").read_text(encoding="utf-8")
    (ready / "good.json").write_text(text, encoding="utf-8")
    for number, (old, new) in enumerate(DAMAGE):
        (ready / f"bad{number:02}.json").write_text(text.replace(old, new, 1), encoding="utf-8")
    (ready / "bytes.json").write_bytes(b'{\n"name": "\xff\xfe"}')
    (ready / "large.json").write_bytes(b" " * 2_000_000)
    (ready / "empty.json").write_bytes(b"")
    (ready / "folder.json").mkdir()
    library = Library(registry, tmp_path, ready)
    assert list(library.ready_made) == ["MIDImix"]
    assert len(library.problems) == len(DAMAGE) + 4 >= 20
    for problem in library.problems:
        assert problem.startswith("The map '") and problem.endswith(".")
        assert "line " in problem or "could not be read" in problem


def test_a_broken_map_of_ones_own_is_put_aside(registry: Registry, tmp_path: Path) -> None:
    backend, messages = MemoryBackend(), []
    backend.names = ["MIDI Mix:MIDI Mix MIDI 1 20:0"]
    own = Library(registry, tmp_path).path_of("MIDI Mix MIDI 1")
    own.parent.mkdir(parents=True)
    own.write_text('{"format": "segue-controller-map",\n "version": 1,\n "name": 3}')
    hub = ControlHub(
        registry,
        tmp_path,
        open_backend=lambda api: backend,
        list_apis=lambda: ["MEMORY"],
        incident=lambda level, sentence: messages.append(sentence),
    )
    hub.start()
    try:
        until(lambda: bool(hub.offers), hub.drain)
    finally:
        hub.stop()
    assert any("line 3" in sentence and "put aside" in sentence for sentence in messages)
    assert own.with_suffix(".damaged").exists() and not own.exists()


def test_feedback_is_sent_again_on_demand(registry: Registry, tmp_path: Path) -> None:
    """A controller that was switched off and on behind a hub shows nothing, and nothing tells."""
    backend = MemoryBackend()
    name = "MIDI Mix:MIDI Mix MIDI 1 20:0"
    backend.names = [name]
    hub = ControlHub(
        registry,
        tmp_path,
        settings=ControlSettings(maps={"MIDI Mix MIDI 1": "MIDImix"}),
        open_backend=lambda api: backend,
        list_apis=lambda: ["MEMORY"],
    )
    hub.start()

    def work() -> None:
        hub.drain()
        hub.tick()

    led = (name, bytes((0x90, 1, 127)))
    try:
        registry.set("prompt.1.mute", True)
        until(lambda: backend.sent.count(led) == len(RESYNC_DELAYS), work)
        registry.trigger("feedback.resend")
        until(lambda: backend.sent.count(led) == len(RESYNC_DELAYS) + 1, work)
    finally:
        hub.stop()

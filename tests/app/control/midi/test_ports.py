"""A controller on JACK's real virtual ports: plugged, played, unplugged, plugged again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.control.hub import ControlHub
from app.control.midi.echo import OLD_ECHO_SECONDS
from app.control.settings import ControlSettings
from app.parameters.catalogue import build_registry, set_prompt_count
from tests.support import jack
from tests.support.midi_device import JackDevice

pytestmark = pytest.mark.skipif(bool(jack.missing()), reason=jack.missing() or "there")


REPLUGS = 5


def test_lamps_and_mapping_come_back(tmp_path: Path) -> None:
    """Within 2 s each time, while nothing plays; the benchmark does it while it plays."""
    registry = build_registry()
    set_prompt_count(registry, 16)
    registry.set("prompt.1.mute", True)
    # The last LEDs as well as the first: what was lost were the first ten after a connection.
    leds = {(0x90, 1, 127), (0x90, 4, 127), (0x90, 22, 127)}
    for n in (2, 8):
        registry.set(f"prompt.{n}.mute", True)
    with jack.JackServer(128):
        hub = ControlHub(registry, tmp_path, settings=ControlSettings(api="UNIX_JACK"))
        hub.start()

        def until(done: Callable[[], bool], seconds: float = 2.0) -> None:
            deadline = time.monotonic() + seconds
            while not done():
                assert time.monotonic() < deadline
                hub.drain()
                hub.tick()
                for port in hub.offers:
                    hub.accept(port)
                time.sleep(0.001)

        try:
            for _ in range(REPLUGS):
                device = JackDevice("MIDI Mix")
                until(lambda device=device: leds <= set(device.received))  # type: ignore[misc]
                registry.set("prompt.1.weight", 1.0)
                device.send(0xB0, 19, 0)
                device.send(0xB0, 19, 127)
                until(lambda: registry.get("prompt.1.weight") == 2.0)
                device.send(0x90, 25, 127)
                until(lambda: registry.get("transport.play") is True)
                registry.set("transport.play", False)
                device.unplug()
                until(lambda: not hub.connected)
            assert len(hub.surfaces) == 1
        finally:
            hub.stop()


CLOSE_UNDER_FIRE = """
import threading, time
from app.control.midi.rtmidi_ports import RtMidiBackend
from tests.support.midi_device import JackDevice

device, backend, leaving, heard = JackDevice("MIDI Mix"), RtMidiBackend("UNIX_JACK"), [], []

def play():
    while not leaving:
        for value in range(64):
            device.send(0xB0, 19, value)
        time.sleep(0.002)

player = threading.Thread(target=play)
player.start()
for _ in range(20):
    name = next(name for name in backend.inputs() if "MIDI Mix" in name)
    port = backend.open_input(name, lambda data, when: heard.append(when))
    before, end = len(heard), time.monotonic() + 5
    while len(heard) == before and time.monotonic() < end:
        time.sleep(0.005)
    assert len(heard) > before
    port.close()
leaving.append(True)
player.join()
device.unplug()
backend.close()
print("closed")
"""


def test_a_port_is_closed_while_its_controller_plays() -> None:
    """In a process of its own: where it goes wrong nothing in it ever moves again."""
    with jack.JackServer(128):
        done = subprocess.run(
            [sys.executable, "-c", CLOSE_UNDER_FIRE],
            cwd=Path(__file__).resolve().parents[4],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
    assert "closed" in done.stdout, done.stderr


def test_two_controllers_at_once_and_one_of_them_leaves(tmp_path: Path) -> None:
    registry = build_registry()
    set_prompt_count(registry, 16)
    with jack.JackServer(128):
        hub = ControlHub(registry, tmp_path, settings=ControlSettings(api="UNIX_JACK"))
        hub.start()

        def until(done: Callable[[], bool]) -> None:
            deadline = time.monotonic() + 5.0
            while not done():
                assert time.monotonic() < deadline
                hub.drain()
                hub.tick()
                time.sleep(0.001)

        keys, mix = JackDevice("Keystation"), JackDevice("MIDI Mix")
        try:
            until(lambda: len(hub.connected) == 2)
            hub.accept("MIDI Mix MIDI 1")
            keys.send(0x90, 60, 90)
            keys.send(0xB0, 64, 127)
            until(lambda: hub.notes.held == (60,))
            mix.send(0x90, 1, 127)
            until(lambda: registry.get("prompt.1.mute") is True)
            keys.unplug()
            until(lambda: len(hub.connected) == 1)
            assert hub.notes.held == () and hub.notes.keys_down == 0
            mix.send(0x90, 1, 0)
            pressed = time.monotonic() + OLD_ECHO_SECONDS  # no hand is faster
            until(lambda: time.monotonic() > pressed)
            mix.send(0x90, 1, 127)
            until(lambda: registry.get("prompt.1.mute") is False)
        finally:
            mix.unplug()
            hub.stop()

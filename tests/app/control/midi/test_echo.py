"""A controller whose output is wired to its input: the loop is seen, said and broken."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.control.hub import ControlHub
from app.control.midi.echo import EchoFilter
from app.control.midi.message import Message
from app.control.settings import ControlSettings
from app.parameters.catalogue import build_registry, set_prompt_count
from tests.support.midi_device import MemoryBackend

ON, OFF = Message("note_on", 1, 5, 127), Message("note_off", 1, 5, 0)
LED_ON, LED_OFF = bytes((0x90, 5, 127)), bytes((0x90, 5, 0))
PORT = "MIDI Mix:MIDI Mix MIDI 1 20:0"
Sent = list[tuple[float, bytes]]


@pytest.mark.parametrize(
    ("sent", "message", "when", "echo"),
    [
        ([(0.0, LED_ON)], ON, 0.001, True),
        ([(0.0, LED_ON)], ON, 0.05, True),
        ([(0.0, LED_ON)], ON, 0.08, False),  # too late: pressed
        ([(0.0, LED_OFF)], OFF, 0.01, True),  # a note on with velocity 0
        ([(0.0, LED_ON)], OFF, 0.01, False),
        ([(0.0, LED_ON)], Message("note_on", 1, 5, 90), 0.01, False),
        ([(0.0, LED_ON)], Message("note_on", 2, 5, 127), 0.01, False),
        ([(0.0, LED_ON), (0.03, LED_OFF)], ON, 0.05, False),  # pressed again in a roll
        ([(0.0, LED_ON), (0.001, LED_OFF)], ON, 0.004, True),
        ([(0.0, bytes((0xB0, 7, 64)))], Message("cc", 1, 7, 64), 0.01, True),
        ([(0.0, bytes((0xB0, 7, 64)))], Message("cc", 1, 7, 65), 0.01, False),
        ([(0.0, bytes((0xE0, 0, 64)))], Message("bend", 1, 0, 8192), 0.01, True),
        ([(0.0, b"\xf8")], Message("clock"), 0.01, False),
        ([], ON, 0.0, False),
    ],
)
def test_what_counts_as_an_echo(sent: Sent, message: Message, when: float, echo: bool) -> None:
    echoes = EchoFilter()
    for then, data in sent:
        echoes.sent(data, then)
    assert echoes.is_echo("port", message, when) is echo
    assert not echoes.is_echo("port", message, when), "one was sent, one can come back"


def test_a_motor_fader_that_arrives_is_no_loop() -> None:
    echoes = EchoFilter()
    for second in range(9):
        echoes.sent(bytes((0xB0, 7, 64)), second)
        for position in (20, 50, 64):
            echoes.is_echo("port", Message("cc", 1, 7, position), second + 0.04)
        assert not echoes.is_loop("port")


@pytest.mark.parametrize(("after", "echo"), [(0.01, True), (0.03, False)])
def test_who_releases_a_button_may_press_it_again(after: float, echo: bool) -> None:
    echoes = EchoFilter()
    echoes.sent(LED_ON, 0.0)
    assert not echoes.is_echo("port", OFF, 0.005)
    assert echoes.is_echo("port", ON, after) is echo


class LoopedBackend(MemoryBackend):
    """Everything that is sent comes back."""

    def open_output(self, name: str) -> LoopedOutput:
        return LoopedOutput(self, name)


class LoopedOutput:
    def __init__(self, backend: LoopedBackend, name: str) -> None:
        self._backend, self._name = backend, name

    def send(self, data: bytes) -> None:
        self._backend.sent.append((self._name, data))
        if self._name in self._backend.receivers:
            self._backend.play(self._name, *data)

    def close(self) -> None:
        pass


def test_a_toggle_does_not_undo_itself(tmp_path: Path) -> None:
    registry = build_registry()
    set_prompt_count(registry, 16)
    backend, said = LoopedBackend(), list[str]()
    backend.names = [PORT]
    hub = ControlHub(
        registry,
        tmp_path,
        settings=ControlSettings(maps={"MIDI Mix MIDI 1": "MIDImix"}),
        open_backend=lambda api: backend,
        list_apis=lambda: ["MEMORY"],
        incident=lambda level, sentence: said.append(sentence),
    )
    hub.start()

    def until(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 5.0
        while not done():
            assert time.monotonic() < deadline
            hub.drain()
            hub.tick()
            time.sleep(0.001)

    def rest() -> None:
        end = time.monotonic() + 0.15
        until(lambda: time.monotonic() > end)

    try:
        until(lambda: bool(hub.connected) and bool(backend.sent))
        for pressed in (True, False, True):
            rest()
            sent = len(backend.sent)
            backend.play(PORT, 0x90, 1, 127)
            backend.play(PORT, 0x80, 1, 0)
            until(lambda sent=sent: len(backend.sent) > sent)  # type: ignore[misc]
            rest()
            assert registry.get("prompt.1.mute") is pressed
    finally:
        hub.stop()
    loops = [sentence for sentence in said if "sends back" in sentence]
    assert len(loops) == 1 and "MIDI thru" in loops[0]

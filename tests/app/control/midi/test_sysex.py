"""System exclusive messages without an end, with others inside, and the port that recovers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.control.hub import ControlHub
from app.control.midi.message import encode, parse
from app.control.midi.sysex import SILENT_SECONDS, EndOfSysex, split
from app.control.settings import ControlSettings
from app.parameters.catalogue import build_registry, set_prompt_count
from tests.support import jack
from tests.support.midi_device import JackDevice, MemoryBackend

CASES = [
    ("F0 7E 7F 06 01 F7", ["F0 7E 7F 06 01 F7"]),
    ("F0 02 90 3C 40 F7", ["F0 02", "90 3C 40"]),
    ("F0 02 F8 90 3C 40 FC 80 3C 00 F7", ["F8", "FC", "F0 02", "90 3C 40", "80 3C 00"]),
    ("F0 01 F8 02 F7", ["F8", "F0 01 02 F7"]),
    ("F0 01 B0 07 01 02 08 03 F7", ["F0 01", "B0 07 01", "B0 02 08"]),  # running status
    ("F0 01 90 3C F8 40 F7", ["F8", "F0 01", "90 3C 40"]),
    ("F0 01 C0 05 06 D3 07 F7", ["F0 01", "C0 05", "C0 06", "D3 07"]),
    ("F0 01 F0 02 F7", ["F0 01", "F0 02 F7"]),
    ("F0 01 90 3C F7", ["F0 01"]),
    ("F0 01 F2 01 02 03 F7", ["F0 01", "F2 01 02"]),
    ("F0 01 F6 F3 05 F7", ["F0 01", "F6", "F3 05"]),
    ("F0", ["F0"]),
    ("F7", []),
    ("F7 90 3C 40", ["90 3C 40"]),
    ("F0 F7", ["F0 F7"]),
]


@pytest.mark.parametrize(("data", "expected"), CASES)
def test_what_is_inside(data: str, expected: list[str]) -> None:
    assert [bytes(each).hex(" ").upper() for each in split(bytes.fromhex(data))] == expected


whole = st.one_of(
    st.tuples(st.integers(0x80, 0xBF), st.integers(0, 127), st.integers(0, 127)),
    st.tuples(st.integers(0xC0, 0xDF), st.integers(0, 127)),
    st.tuples(st.integers(0xE0, 0xEF), st.integers(0, 127), st.integers(0, 127)),
    st.lists(st.integers(0, 127), max_size=9).map(lambda body: (0xF0, *body, 0xF7)),
)


@given(st.lists(whole, max_size=6), st.lists(st.integers(0, 127), max_size=5), st.integers(0, 9))
def test_whole_messages_behind_a_cut_one_are_found(
    messages: list[tuple[int, ...]], cut: list[int], at: int
) -> None:
    data = [0xF0, *cut, *(byte for message in messages for byte in message)]
    data.insert(min(at + 1, len(data)), 0xF8)
    assert split(data) == [(0xF8,), (0xF0, *cut), *messages]


@given(st.lists(st.integers(0, 255), max_size=40))
def test_any_bytes_are_taken_apart(data: list[int]) -> None:
    for message in split([0xF0, *data]):
        assert message[0] == 0xF0 or encode_again(message)


def encode_again(message: object) -> bool:
    found = parse(message)  # type: ignore[arg-type]
    return found is None or len(encode(found)) == len(message)  # type: ignore[arg-type]


def test_the_end_is_sent_to_a_silent_port_only() -> None:
    sent: list[bytes] = []
    end = EndOfSysex(sent.append, now=10.0)
    for tick in range(50):
        if tick < 20:
            end.received(10 + 0.08 * tick)
        end.tick(10 + 0.08 * tick)
    assert set(sent) == {b"\xf7"}
    assert len(sent) == int(30 * 0.08 / SILENT_SECONDS)


def until(hub: ControlHub, done: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        hub.drain()
        hub.tick()
        time.sleep(0.002)


def test_any_backend_may_deliver_a_message_without_end(tmp_path: Path) -> None:
    backend = MemoryBackend()
    backend.names = ["Keys"]
    hub = ControlHub(
        build_registry(), tmp_path, open_backend=lambda api: backend, list_apis=lambda: ["MEMORY"]
    )
    hub.start()
    try:
        until(hub, lambda: bool(hub.connected))
        backend.play("Keys", 0x90, 60, 90)
        until(hub, lambda: hub.notes.held == (60,))
        backend.play("Keys", 0xF0, 2, 0x80, 60, 0, 0xF7)
        until(hub, lambda: hub.notes.held == ())
    finally:
        hub.stop()


@pytest.mark.skipif(bool(jack.missing()), reason=jack.missing() or "there")
def test_a_jack_port_recovers(tmp_path: Path) -> None:
    registry = build_registry()
    set_prompt_count(registry, 16)
    settings = ControlSettings(api="UNIX_JACK", clock="follow")
    with jack.JackServer(256):
        hub = ControlHub(registry, tmp_path, settings=settings)
        hub.start()
        keys = JackDevice("Keystation")
        try:
            until(hub, lambda: bool(hub.connected))
            keys.send(0x90, 60, 90)
            until(hub, lambda: hub.notes.held == (60,))
            keys.send(0xF0, 2)
            keys.send(0x80, 60, 0)
            keys.send(0xFA)
            until(hub, lambda: hub.notes.held == ())
            until(hub, lambda: hub.clock.follower.running)
            keys.send(0x90, 62, 90)  # the port hears again
            until(hub, lambda: hub.notes.held == (62,))
            keys.send(0xF0, 1, 2, 3, 0xF7)
            sysex = bytes((0xF0, 1, 2, 3, 0xF7))
            until(hub, lambda: any(e.message and e.message.data == sysex for e in hub.monitor))
        finally:
            keys.unplug()
            hub.stop()

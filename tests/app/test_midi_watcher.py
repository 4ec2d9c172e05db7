"""The watcher of MIDI ports goes on whatever the driver does."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from app.control.midi import connections as module
from app.control.midi.connections import Connections
from app.control.midi.rtmidi_ports import RtMidiBackend, available
from tests.support.midi_device import MemoryBackend

MIX = "MIDI Mix:MIDI Mix MIDI 1 20:0"
MIX_PORT = "MIDI Mix MIDI 1"


class Stumbles(MemoryBackend):
    """Raises what no driver should, as long as `broken`."""

    broken = False

    def _list(self) -> list[str]:
        if self.broken:
            raise AttributeError("'NoneType' object has no attribute 'casefold'")
        return super()._list()

    inputs = _list
    outputs = _list


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10.0
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_driver_that_raises_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY", 0.1)
    backend = Stumbles()
    backend.names = [MIX]
    watcher = Connections(lambda api: backend, lambda: ["MEMORY"], lambda: None)
    watcher.start()
    try:
        until(lambda: watcher.inputs == (MIX_PORT,))
        backend.broken = True
        until(lambda: watcher.inputs == ())
        backend.broken = False
        until(lambda: watcher.inputs == (MIX_PORT,))
    finally:
        watcher.stop()
    kinds = [event.kind for event in watcher.events if event.kind in ("input", "error")]
    assert kinds[:4] == ["input", "error", "input", "input"]
    said = [event.sentence for event in watcher.events if event.kind == "error"]
    assert len(said) == 1 and "casefold" in said[0]


class Moving:
    """An rtmidi port whose list is another one from one question to the next."""

    def __init__(self, *lists: list[str | None]) -> None:
        self.lists, self.opened, self.deleted = list(lists), -1, False

    def _next(self) -> list[str | None]:
        return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]

    def get_ports(self) -> list[str | None]:
        return self._next()

    def get_port_name(self, number: int) -> str | None:
        names = self._next()
        return names[number] if number < len(names) else None

    def open_port(self, number: int, name: str) -> None:
        self.opened = number

    def delete(self) -> None:
        self.deleted = True


@pytest.fixture
def backend() -> RtMidiBackend:
    return RtMidiBackend(available()[0])


def test_a_port_that_loses_its_name_while_it_is_listed(
    backend: RtMidiBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "_make", lambda kind: Moving(["Keys", None]))
    assert backend.inputs() == ["Keys"] == backend.outputs()


@pytest.mark.parametrize("then", [["Keys"], ["Mix", "Keys"], [None, "Keys"]])
def test_ports_that_move_while_one_is_opened(
    then: list[str | None], backend: RtMidiBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = Moving(["Keys", "Mix"], then)
    monkeypatch.setattr(backend, "_make", lambda kind: port)
    with pytest.raises(OSError, match="'Mix' moved"):
        backend.open_output("Mix")
    assert port.opened == 1 and port.deleted


def test_a_port_is_opened_by_its_number(
    backend: RtMidiBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = Moving([None, "Keys", "Mix"])
    monkeypatch.setattr(backend, "_make", lambda kind: port)
    backend.open_output("Mix")
    assert port.opened == 2 and not port.deleted

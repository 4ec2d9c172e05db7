"""The watcher of MIDI ports goes on whatever the driver does."""

from __future__ import annotations

import time

import pytest

from app.control.midi import connections as module
from app.control.midi.connections import Connections
from app.control.midi.ports import InputPort, Receive
from app.control.midi.rtmidi_ports import RtMidiBackend, available
from tests.app.control.test_controllers import until
from tests.support.midi_device import MemoryBackend

MIX = "MIDI Mix:MIDI Mix MIDI 1 20:0"


class Stumbles(MemoryBackend):
    """Raises what no driver should, wherever it is `broken`."""

    def __init__(self) -> None:
        super().__init__()
        self.names = [MIX]
        self.broken, self.raised = "", 0

    def _stumble(self, where: str) -> None:
        if self.broken == where:
            self.raised += 1
            raise AttributeError("'NoneType' object has no attribute 'casefold'")

    def inputs(self) -> list[str]:
        self._stumble("list")
        return self._list()

    def open_input(self, name: str, receive: Receive) -> InputPort:
        self._stumble("open")
        return super().open_input(name, receive)


def wait_a_little() -> None:
    time.sleep(0.005)


@pytest.mark.parametrize("where", ["list", "open"])
def test_a_driver_that_raises_anything(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)
    backend = Stumbles()
    backend.broken = where
    watcher = Connections(lambda api: backend, lambda: ["MEMORY"], lambda: None)
    watcher.start()
    try:
        until(lambda: backend.raised >= 3, wait_a_little)
        backend.broken = ""
        until(lambda: MIX in backend.receivers, wait_a_little)
        backend.broken = "list"
        until(lambda: MIX not in backend.receivers, wait_a_little)
        backend.broken = ""
        until(lambda: MIX in backend.receivers, wait_a_little)
    finally:
        watcher.stop()
    events = [event for event in watcher.events if event.kind in ("input", "error")]
    # Said once each time, however often it was tried.
    assert [event.kind for event in events] == [
        "error",
        "input",
        "error",
        "input",
        "input",
        "input",
    ]
    assert all("casefold" in event.sentence for event in events if event.kind == "error")


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

"""Controllers for tests: a real one on JACK's virtual ports, and one in memory.

The real one opens an output and an input under one name, as a USB controller appears; closing it
is pulling its cable.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from app.control.midi.ports import InputPort, OutputPort, Receive
from app.control.midi.rtmidi_ports import close_input


class JackDevice:
    """A controller that plays and shows. `received` collects what it was sent."""

    def __init__(self, name: str) -> None:
        import rtmidi

        self.name = name
        self.received: list[tuple[int, ...]] = []
        self.times: list[float] = []
        self._out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=name)
        self._out.open_virtual_port(f"{name} MIDI 1")
        self._in = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=name)
        self._in.ignore_types(sysex=False, timing=False)
        self._in.set_callback(self._receive)
        self._in.open_virtual_port(f"{name} MIDI 1")

    def _receive(self, event: tuple[Sequence[int], float], data: object = None) -> None:
        self.times.append(time.monotonic())
        self.received.append(tuple(event[0]))

    def send(self, *data: int) -> None:
        self._out.send_message(data)

    def unplug(self) -> None:
        close_input(self._in)
        self._out.delete()


class MemoryBackend:
    """Ports that exist in memory only: plug and unplug by name, send and look at what came."""

    api = "MEMORY"

    def __init__(self, api: str = "MEMORY") -> None:
        self.names: list[str] = []
        self.fails: set[str] = set()
        self.down = False
        self.opened = 0
        self.sent: list[tuple[str, bytes]] = []
        self.receivers: dict[str, Receive] = {}

    def _list(self) -> list[str]:
        if self.down:
            raise OSError("the server is gone")
        return list(self.names)

    inputs = _list
    outputs = _list

    def open_input(self, name: str, receive: Receive) -> InputPort:
        if name in self.fails:
            raise OSError("busy")
        self.opened += 1
        self.receivers[name] = receive
        return _Port(self, name)

    def open_output(self, name: str) -> OutputPort:
        return _Port(self, name)

    def play(self, name: str, *data: int) -> None:
        """A message from the controller."""
        self.receivers[name](data, time.monotonic())

    def close(self) -> None:
        self.receivers.clear()


class _Port:
    def __init__(self, backend: MemoryBackend, name: str) -> None:
        self.backend, self.name = backend, name

    def send(self, data: bytes) -> None:
        if self.name not in self.backend.names:
            raise OSError("gone")
        self.backend.sent.append((self.name, bytes(data)))

    def close(self) -> None:
        self.backend.receivers.pop(self.name, None)

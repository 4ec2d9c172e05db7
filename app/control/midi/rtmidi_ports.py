"""MIDI backend with python-rtmidi, used by the thread of the port watcher.

Not through mido: rtmidi stamps messages when they arrive, which following a clock needs, and mido
drops the stamps.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol

from app.control.midi.ports import OURS, InputPort, OutputPort, Receive, is_ours
from app.control.midi.sysex import EndOfSysex
from models.errors import SegueError

APIS: Final = ("LINUX_ALSA", "UNIX_JACK", "MACOSX_CORE", "WINDOWS_MM")
LABELS: Final = {
    "LINUX_ALSA": "ALSA",
    "UNIX_JACK": "JACK",
    "MACOSX_CORE": "CoreMIDI",
    "WINDOWS_MM": "Windows Multimedia",
}

LAST_WORDS: Final = 0.05
"""Seconds to wait for a message in flight when its port is closed."""


def available() -> list[str]:
    """The APIs that this build of rtmidi has, the system's own first."""
    import rtmidi

    compiled = set(rtmidi.get_compiled_api())
    return [api for api in APIS if getattr(rtmidi, f"API_{api}") in compiled]


class RtMidiPort(Protocol):
    """What is used of `rtmidi.MidiIn` and `rtmidi.MidiOut`."""

    def get_ports(self) -> list[str]: ...
    def get_port_name(self, number: int) -> str: ...
    def open_port(self, number: int, name: str) -> object: ...
    def delete(self) -> None: ...
    def ignore_types(self, sysex: bool, timing: bool, active_sense: bool) -> None: ...
    def set_callback(self, receive: Callable[[tuple[Sequence[int], float]], None]) -> None: ...
    def cancel_callback(self) -> None: ...
    def send_message(self, data: bytes) -> None: ...


class RtMidiBackend:
    """Ports of one API. Raises OSError where there is no such server or port."""

    def __init__(self, api: str) -> None:
        """api: one of `available()`. Raises SegueError for another, OSError without a server."""
        if api not in available():
            known = ", ".join(LABELS[name] for name in available()) or "none"
            raise SegueError(f"There is no MIDI system '{api}' here; there is {known}.")
        import rtmidi

        self.api = api
        self._number = getattr(rtmidi, f"API_{api}")
        self._errors: tuple[type[Exception], ...] = (rtmidi.RtMidiError, ValueError)
        self._look: list[RtMidiPort] = []
        self._jack_inputs: list[_JackInput] = []

    def _make(self, kind: Literal["MidiIn", "MidiOut"]) -> RtMidiPort:
        import rtmidi

        try:
            port: RtMidiPort = getattr(rtmidi, kind)(self._number, name=OURS)
        except self._errors as error:
            raise OSError(f"{LABELS[self.api]} does not answer: {error}") from error
        return port

    def _names(self, index: int) -> list[str]:
        if not self._look:
            self._look = [self._make("MidiIn"), self._make("MidiOut")]
        try:
            # A port that disappears while the list is read has an empty name.
            return [name for name in self._look[index].get_ports() if name]
        except self._errors as error:
            self.close()
            raise OSError(str(error)) from error

    def inputs(self) -> list[str]:
        self._jack_inputs = [each for each in self._jack_inputs if each.tick()]
        return self._names(0)

    def outputs(self) -> list[str]:
        return self._names(1)

    def open_input(self, name: str, receive: Receive) -> InputPort:
        port = self._make("MidiIn")
        port.ignore_types(sysex=False, timing=False, active_sense=True)
        # Before it is opened, so that no message is lost in between.
        stamp = _Stamp(receive)
        port.set_callback(stamp)
        if self.api != "UNIX_JACK":
            self._open(port, name)
            return _Input(port)
        own = self._make("MidiOut")
        others = own.get_ports()
        try:
            self._open(port, name)
        except OSError:
            own.delete()
            raise
        new = [each for each in own.get_ports() if each not in others and is_ours(each)]
        try:
            self._open(own, new[0] if new else f"{OURS} {name}")
        except OSError:
            return _Input(port)  # which plays as well, but waits for an end that is missing
        opened = _JackInput(port, _Output(own, self._errors))
        stamp.on_message = opened.end.received
        self._jack_inputs.append(opened)
        return opened

    def open_output(self, name: str) -> OutputPort:
        port = self._make("MidiOut")
        self._open(port, name)
        return _Output(port, self._errors)

    def _open(self, port: RtMidiPort, name: str) -> None:
        try:
            names = list(port.get_ports())
            if name not in names:
                raise OSError(f"'{name}' is gone")
            number = names.index(name)
            port.open_port(number, name=f"{OURS} {name.partition(':')[0]}"[:48])
            # rtmidi looks the number up again: where ports came or went meanwhile it silently
            # opens another one, or none.
            if port.get_port_name(number) != name:
                raise OSError(f"'{name}' moved while it was opened")
        except self._errors as error:
            port.delete()
            raise OSError(str(error)) from error
        except OSError:
            port.delete()
            raise

    def close(self) -> None:
        for port in self._look:
            with contextlib.suppress(*self._errors):
                port.delete()
        self._look = []


class _Stamp:
    """Converts rtmidi's delta times to time.monotonic seconds.

    The two clocks drift apart, and a callback may be late but never early: the sum of the deltas
    is limited to the time of the call.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._when: float | None = None
        self.on_message: Callable[[float], None] = lambda when: None

    def __call__(self, event: tuple[Sequence[int], float], data: object = None) -> None:
        now = time.monotonic()
        message, delta = event
        when = now if self._when is None else self._when + delta
        # Later than now is impossible; far earlier means drift or a queue that waited.
        if when > now or now - when > 0.05:
            when = now
        self._when = when
        self.on_message(when)
        self._receive(message, when)


class _Input:
    def __init__(self, port: RtMidiPort) -> None:
        self._port = port

    def close(self) -> None:
        close_input(self._port)


class _JackInput:
    """An input with an output of ours connected to it, which ends what has no end."""

    def __init__(self, port: RtMidiPort, own: _Output) -> None:
        self._port, self._own = port, own
        self._is_open = True
        self.end = EndOfSysex(own.send, time.monotonic())

    def tick(self) -> bool:
        """Send an end where it is due; False when the input is closed."""
        if self._is_open:
            with contextlib.suppress(OSError):
                self.end.tick(time.monotonic())
        return self._is_open

    def close(self) -> None:
        self._is_open = False
        self._own.close()
        close_input(self._port)


def close_input(port: RtMidiPort) -> None:
    """Close an rtmidi.MidiIn that has a callback, even while messages arrive.

    python-rtmidi 1.5.8 frees the callback's data while a message may be in flight (crash), so a
    reference is held until it has arrived; and delete() holds the GIL while it joins a thread that
    may wait for the GIL (deadlock), hence the pause.
    """
    called_with = gc.get_referents(port)
    port.cancel_callback()
    time.sleep(LAST_WORDS)
    port.delete()
    called_with.clear()


class _Output:
    def __init__(self, port: RtMidiPort, errors: tuple[type[Exception], ...]) -> None:
        self._port = port
        self._errors = errors

    def send(self, data: bytes) -> None:
        try:
            self._port.send_message(data)
        except self._errors as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        self._port.delete()

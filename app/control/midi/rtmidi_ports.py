"""MIDI ports through python-rtmidi. Opened and closed by the port watcher's thread.

python-rtmidi rather than mido's wrapper of it: rtmidi stamps a message when it arrives, in its own
thread, and mido drops the stamp; a clock that is followed needs it.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Sequence
from typing import Any, Final

from app.control.midi.ports import OURS, InputPort, OutputPort, Receive
from models.errors import SegueError

APIS: Final = ("LINUX_ALSA", "UNIX_JACK", "MACOSX_CORE", "WINDOWS_MM")
LABELS: Final = {
    "LINUX_ALSA": "ALSA",
    "UNIX_JACK": "JACK",
    "MACOSX_CORE": "CoreMIDI",
    "WINDOWS_MM": "Windows Multimedia",
}

LAST_WORDS: Final = 0.05
"""Seconds for a message that was on its way when its port was closed."""


def available() -> list[str]:
    """The APIs that this build of rtmidi has, the system's own first."""
    import rtmidi

    compiled = set(rtmidi.get_compiled_api())
    return [api for api in APIS if getattr(rtmidi, f"API_{api}") in compiled]


class RtMidiBackend:
    """The ports of one API. Raises OSError where there is no such server or port."""

    def __init__(self, api: str) -> None:
        """api: one of `available()`. Raises SegueError for another, OSError without a server."""
        if api not in available():
            known = ", ".join(LABELS[name] for name in available()) or "none"
            raise SegueError(f"There is no MIDI API '{api}' here; there is {known}.")
        import rtmidi

        self.api = api
        self._number = getattr(rtmidi, f"API_{api}")
        self._errors: tuple[type[Exception], ...] = (rtmidi.RtMidiError, ValueError)
        self._look: list[Any] = []

    def _make(self, kind: str) -> Any:
        import rtmidi

        try:
            return getattr(rtmidi, kind)(self._number, name=OURS)
        except self._errors as error:
            raise OSError(f"{LABELS[self.api]} does not answer: {error}") from error

    def _names(self, index: int) -> list[str]:
        if not self._look:
            self._look = [self._make("MidiIn"), self._make("MidiOut")]
        try:
            # A port that goes while the list is being read has no name any more.
            return [name for name in self._look[index].get_ports() if name]
        except self._errors as error:
            self.close()
            raise OSError(str(error)) from error

    def inputs(self) -> list[str]:
        return self._names(0)

    def outputs(self) -> list[str]:
        return self._names(1)

    def open_input(self, name: str, receive: Receive) -> InputPort:
        port = self._make("MidiIn")
        port.ignore_types(sysex=False, timing=False, active_sense=True)
        # Before it is opened: a message that comes in between is not to be lost.
        port.set_callback(_Stamp(receive))
        self._open(port, name)
        return _Input(port)

    def open_output(self, name: str) -> OutputPort:
        port = self._make("MidiOut")
        self._open(port, name)
        return _Output(port, self._errors)

    def _open(self, port: Any, name: str) -> None:
        try:
            names = list(port.get_ports())
            if name not in names:
                raise OSError(f"'{name}' is gone")
            number = names.index(name)
            port.open_port(number, name=f"{OURS} {name.partition(':')[0]}"[:48])
            # rtmidi counts again to find the number: where ports came or went in between it has
            # opened another one, or none, and does not say so.
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
    """Turns rtmidi's time since the message before into a time on the clock of this program.

    The clock of arrival and Python's own part slowly, and Python's callback may be late but never
    early: the sum of rtmidi's steps is pulled down to the earliest call that was seen.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._when: float | None = None

    def __call__(self, event: tuple[Sequence[int], float], data: object = None) -> None:
        now = time.monotonic()
        message, delta = event
        when = now if self._when is None else self._when + delta
        # Ahead of now is impossible; far behind is a sum that has drifted or a queue that waited.
        if when > now or now - when > 0.05:
            when = now
        self._when = when
        self._receive(message, when)


class _Input:
    def __init__(self, port: Any) -> None:
        self._port = port

    def close(self) -> None:
        close_input(self._port)


def close_input(port: Any) -> None:
    """Close an rtmidi.MidiIn that has a callback, though its controller may be playing.

    python-rtmidi 1.5.8 is in no way made for it. It frees what the callback is called with while a
    message may be on its way into it (crash), so that is held on to until the message has arrived;
    and while it deletes a port it keeps the interpreter and waits for its thread, which may be
    waiting for the interpreter (standstill), hence the pause.
    """
    called_with = gc.get_referents(port)
    port.cancel_callback()
    time.sleep(LAST_WORDS)
    port.delete()
    called_with.clear()


class _Output:
    def __init__(self, port: Any, errors: tuple[type[Exception], ...]) -> None:
        self._port = port
        self._errors = errors

    def send(self, data: bytes) -> None:
        try:
            self._port.send_message(data)
        except self._errors as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        self._port.delete()

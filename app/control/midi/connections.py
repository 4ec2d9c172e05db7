"""MIDI connections: a watcher that opens and closes ports as they come and go, and a sender.

Both have their own threads and touch only ports; what happened is put into queues for the GUI
thread. Ports are identified by plain names (`ports.plain_name`), so that a controller that is
plugged in again is recognised.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from app.control.midi.echo import EchoFilter
from app.control.midi.ports import (
    Backend,
    Inbox,
    InputPort,
    OutputPort,
    Receive,
    is_ours,
    keys_of,
)
from app.control.midi.sysex import END, SYSEX, split
from models.errors import SegueError

POLL_SECONDS: Final = 0.08
"""Seconds between two polls of the list of ports. A controller that goes and comes back between two
polls would be missed; a USB hub debounces for at least 0.1 s before it reports a device (USB 2.0
specification, 7.1.7.3).
"""
RETRY_SECONDS: Final = 2.0
"""Seconds until a server that did not respond is tried again."""
MIN_INTERVAL: Final = 0.001
"""Shortest time between two messages in seconds, for devices on slow cables."""


@dataclass(frozen=True)
class PortEvent:
    """An event of the watcher.

    kind "input", "output": port `key` was opened (`on`) or closed. "error": a sentence. "ports":
    the lists of ports have changed.
    """

    kind: Literal["input", "output", "ports", "error"]
    key: str = ""
    on: bool = False
    sentence: str = ""


def choose_api(choice: str, available: list[str]) -> str:
    """The MIDI API to use: the chosen one, or the first that seems to run; '' for none."""
    if choice != "auto":
        return choice
    for api in available:
        if api == "LINUX_ALSA" and not Path("/dev/snd/seq").exists():
            continue
        if api == "UNIX_JACK" and not _jack_runs():
            continue
        return api
    return ""


def _jack_runs() -> bool:
    # Connecting to the server would print its errors where there is none.
    if sys.platform != "linux":
        return False
    return any(Path("/dev/shm").glob("jack_*_0"))


class MidiSender:
    """Sender thread: the latest state of each LED, everything else in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ports: dict[str, OutputPort] = {}
        self._latest: dict[tuple[str, bytes], bytes] = {}
        self._queue: deque[tuple[str, bytes]] = deque()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._sending = threading.Lock()
        self.failed: deque[str] = deque()
        self.echoes = EchoFilter()
        self.sent = 0

    def start(self) -> None:
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="midi out", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(2.0)
            self._thread = None

    def attach(self, key: str, port: OutputPort) -> None:
        with self._lock:
            self._ports[key] = port

    def detach(self, key: str) -> OutputPort | None:
        """Remove a port and drop its messages."""
        with self._sending, self._lock:
            self._latest = {k: v for k, v in self._latest.items() if k[0] != key}
            self._queue = deque(item for item in self._queue if item[0] != key)
            return self._ports.pop(key, None)

    def put(self, key: str, data: bytes) -> None:
        """Queue a message for a port. Of notes and controllers only the last state is kept."""
        with self._lock:
            if key not in self._ports:
                return
            if len(data) == 3 and data[0] & 0xF0 in (0x80, 0x90, 0xB0) and data[0] < 0xF0:
                place = data[:2]
                self._latest.pop((key, place), None)
                self._latest[key, place] = data
            elif len(self._queue) < 4096:
                self._queue.append((key, data))
        self._wake.set()

    def send_now(self, key: str, data: bytes) -> None:
        """Send at once, past the queue. For clocks."""
        with self._lock:
            port = self._ports.get(key)
        if port is not None:
            self._send(key, port, data)

    def _take(self) -> tuple[str, OutputPort, bytes] | None:
        with self._lock:
            while self._queue or self._latest:
                if self._queue:
                    key, data = self._queue.popleft()
                else:
                    (key, _), data = next(iter(self._latest.items()))
                    del self._latest[key, data[:2]]
                if key in self._ports:
                    return key, self._ports[key], data
            self._wake.clear()
            return None

    def _run(self) -> None:
        while not self._stopping:
            item = self._take()
            if item is None:
                self._wake.wait(1.0)
                continue
            self._send(*item)
            time.sleep(MIN_INTERVAL)

    def _send(self, key: str, port: OutputPort, data: bytes) -> None:
        # One lock for all: rtmidi's ports are not safe for two threads at once.
        with self._sending:
            if self._ports.get(key) is not port:
                return
            self.echoes.sent(data, time.monotonic())
            try:
                port.send(data)
                self.sent += 1
            except OSError:
                self.failed.append(key)


class Connections:
    """Keeps MIDI inputs and the required outputs open. Used from the GUI thread.

    open_backend: opens the backend of an API; may raise OSError or SegueError. list_apis: the APIs
    that there are. wake: called in any thread when there are events or messages.
    """

    def __init__(
        self,
        open_backend: Callable[[str], Backend],
        list_apis: Callable[[], list[str]],
        wake: Callable[[], None],
        api: str = "auto",
    ) -> None:
        self.sender = MidiSender()
        self.events: deque[PortEvent] = deque()
        self.inboxes: dict[str, Inbox] = {}
        self.inputs: tuple[str, ...] = ()
        self.outputs: tuple[str, ...] = ()
        self.output_names: dict[str, str] = {}
        """Full names of the outputs, by plain name."""
        self.ignored: frozenset[str] = frozenset()
        """Inputs that are not opened."""
        self.required_outputs: frozenset[str] = frozenset()
        """Outputs that are opened."""
        self._open_api, self._list_apis, self._wake, self._api = open_backend, list_apis, wake, api
        self._open_in: dict[str, tuple[str, InputPort]] = {}
        self._open_out: dict[str, str] = {}
        self._retry_after: dict[tuple[str, str], float] = {}
        self._backend: Backend | None = None
        self._retry_at = 0.0
        self._reported = ""
        self._poll_event = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def api(self) -> str:
        """The API in use, '' while there is none."""
        backend = self._backend
        return "" if backend is None else backend.api

    def start(self) -> None:
        if self._thread is None:
            self._stopping = False
            self.sender.start()
            self._thread = threading.Thread(target=self._run, name="midi ports", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Close all ports."""
        self._stopping = True
        self._poll_event.set()
        if self._thread is not None:
            self._thread.join(5.0)
            self._thread = None
        self.sender.stop()

    def poll_now(self) -> None:
        """Poll the ports without delay."""
        self._poll_event.set()

    def use_api(self, api: str) -> None:
        """Use another API; ports are closed and opened again."""
        self._api = api
        self._reported = ""
        self._retry_at = 0.0
        self._poll_event.set()

    # -- the watcher's thread --------------------------------------------------------------------
    def _run(self) -> None:
        try:
            while not self._stopping:
                self._poll_safely()
                self._poll_event.wait(POLL_SECONDS)
                self._poll_event.clear()
        finally:
            self._close_all()

    def _poll_safely(self) -> None:
        """Poll, and survive any error of a driver: without the watcher no controller reconnects."""
        try:
            self._poll()
        except Exception as error:
            list_apis = isinstance(error, OSError)
            self._report_error(str(error) if list_apis else f"{type(error).__name__}: {error}")
            self._close_all()
            self._retry_at = time.monotonic() + RETRY_SECONDS

    def _poll(self) -> None:
        api = choose_api(self._api, self._list_apis())
        if self._backend is not None and self._backend.api != api:
            self._close_all()
        if self._backend is None and not self._open_backend(api):
            return
        assert self._backend is not None
        inputs = [name for name in self._backend.inputs() if not is_ours(name)]
        outputs = [name for name in self._backend.outputs() if not is_ours(name)]
        present_in, present_out = keys_of(inputs, api), keys_of(outputs, api)
        if (tuple(present_in), tuple(present_out)) != (self.inputs, self.outputs):
            self.inputs, self.outputs = tuple(present_in), tuple(present_out)
            self.output_names = present_out
            self._emit(PortEvent("ports"))
        self._reconcile_inputs(present_in)
        self._reconcile_outputs(present_out)
        self._reported = ""

    def _open_backend(self, api: str) -> bool:
        now = time.monotonic()
        if not api or now < self._retry_at:
            return False
        try:
            self._backend = self._open_api(api)
        except (OSError, SegueError) as error:
            self._report_error(str(error))
            self._retry_at = now + RETRY_SECONDS
            return False
        return True

    def _reconcile_inputs(self, present: dict[str, str]) -> None:
        assert self._backend is not None
        for key, (name, port) in list(self._open_in.items()):
            if present.get(key) != name or key in self.ignored:
                del self._open_in[key]
                port.close()
                self._emit(PortEvent("input", key, False))
        for key, name in present.items():
            if key in self._open_in or key in self.ignored or self._must_wait("input", key):
                continue
            # The inbox outlives the port: the last messages before unplugging are still read.
            inbox = self.inboxes.setdefault(key, Inbox())
            try:
                port = self._backend.open_input(name, self._receiver(inbox))
            except OSError as error:
                self._open_failed("input", key, error)
                continue
            self._open_in[key] = (name, port)
            self._emit(PortEvent("input", key, True))

    def _reconcile_outputs(self, present: dict[str, str]) -> None:
        assert self._backend is not None
        while self.sender.failed:
            self._drop_output(self.sender.failed.popleft())
        for key, name in list(self._open_out.items()):
            if present.get(key) != name or key not in self.required_outputs:
                self._drop_output(key)
        for key in self.required_outputs:
            if key not in present or key in self._open_out or self._must_wait("output", key):
                continue
            try:
                port = self._backend.open_output(present[key])
            except OSError as error:
                self._open_failed("output", key, error)
                continue
            self._open_out[key] = present[key]
            self.sender.attach(key, port)
            self._emit(PortEvent("output", key, True))

    def _drop_output(self, key: str) -> None:
        if self._open_out.pop(key, None) is None:
            return
        port = self.sender.detach(key)
        if port is not None:
            port.close()
        self._emit(PortEvent("output", key, False))

    def _receiver(self, inbox: Inbox) -> Receive:
        def receive(data: Sequence[int], when: float) -> None:
            exclusive = len(data) > 0 and data[0] in (SYSEX, END)
            for message in split(data) if exclusive else (data,):
                if inbox.put(message, when):
                    self._wake()

        return receive

    def _must_wait(self, kind: str, key: str) -> bool:
        return time.monotonic() < self._retry_after.get((kind, key), 0.0)

    def _open_failed(self, kind: str, key: str, error: Exception) -> None:
        first = (kind, key) not in self._retry_after
        self._retry_after[kind, key] = time.monotonic() + 0.5
        if first:
            self._emit(
                PortEvent(
                    "error",
                    key,
                    sentence=f"The MIDI {kind} '{key}' could not be opened ({error}); "
                    "another program may hold it. Segue keeps trying.",
                )
            )

    def _report_error(self, reason: str) -> None:
        if reason != self._reported:
            self._reported = reason
            self._emit(PortEvent("error", sentence=f"MIDI is not to be had: {reason}"))

    def _close_all(self) -> None:
        for key, (_, port) in list(self._open_in.items()):
            port.close()
            self._emit(PortEvent("input", key, False))
        self._open_in.clear()
        for key in list(self._open_out):
            self._drop_output(key)
        if self._backend is not None:
            self._backend.close()
            self._backend = None
        if self.inputs or self.outputs:
            self.inputs, self.outputs, self.output_names = (), (), {}
            self._emit(PortEvent("ports"))

    def _emit(self, event: PortEvent) -> None:
        self.events.append(event)
        self._wake()

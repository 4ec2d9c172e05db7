"""Ports that come and go: a watcher that keeps what is there connected, and a sender.

Both run in threads of their own and touch nothing but ports; what happened is put into queues
that the GUI lane empties. A port is known by its name without numbers (`ports.plain_name`), so that
a controller that is plugged again is the same controller.
"""

from __future__ import annotations

import glob
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from app.control.midi.ports import Backend, Inbox, InputPort, OutputPort, is_ours, keys_of
from models.errors import SegueError

POLL: Final = 0.08
"""Seconds between two looks at the list of ports (0.1 ms of work each). A controller that was away
and came back under the same name between two looks would be taken for one that never left; a hub
waits at least 0.1 s before it reports a device (USB 2.0 specification, 7.1.7.3, debounce)."""
RETRY: Final = 2.0
"""Seconds until a server or port that did not answer is asked again."""
PACE: Final = 0.001
"""Seconds between two messages that are sent: cables to old gear carry no more."""


@dataclass(frozen=True)
class PortEvent:
    """kind "input", "output": port `key` was opened (`on`) or is gone. "error": a sentence.

    "ports": the lists of ports are others now.
    """

    kind: Literal["input", "output", "ports", "error"]
    key: str = ""
    on: bool = False
    sentence: str = ""


def choose_api(wanted: str, known: list[str]) -> str:
    """The API to use: the one asked for, or the first that seems to be alive. '' for none."""
    if wanted != "auto":
        return wanted
    for api in known:
        if api == "LINUX_ALSA" and not os.path.exists("/dev/snd/seq"):
            continue
        if api == "UNIX_JACK" and not _jack_runs():
            continue
        return api
    return ""


def _jack_runs() -> bool:
    # Asking the server itself would print its complaints where there is none.
    if sys.platform != "linux":
        return False
    return bool(glob.glob("/dev/shm/jack_*_0"))


class Sender:
    """Sends from a thread of its own: latest state of each light, everything else in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ports: dict[str, OutputPort] = {}
        self._states: dict[tuple[str, bytes], bytes] = {}
        self._orders: deque[tuple[str, bytes]] = deque()
        self._leaving = False
        self._thread: threading.Thread | None = None
        self._sending = threading.Lock()
        self.failed: deque[str] = deque()
        self.sent = 0

    def start(self) -> None:
        self._leaving = False
        self._thread = threading.Thread(target=self._run, name="midi out", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._leaving = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(2.0)
            self._thread = None

    def attach(self, key: str, port: OutputPort) -> None:
        with self._lock:
            self._ports[key] = port

    def detach(self, key: str) -> OutputPort | None:
        """The port is gone: what waits for it is forgotten."""
        with self._sending, self._lock:
            self._states = {k: v for k, v in self._states.items() if k[0] != key}
            self._orders = deque(item for item in self._orders if item[0] != key)
            return self._ports.pop(key, None)

    def put(self, key: str, data: bytes) -> None:
        """A message for a port. Of notes and controllers only the last state is kept."""
        with self._lock:
            if key not in self._ports:
                return
            if len(data) == 3 and data[0] & 0xF0 in (0x80, 0x90, 0xB0) and data[0] < 0xF0:
                place = data[:2]
                self._states.pop((key, place), None)
                self._states[key, place] = data
            elif len(self._orders) < 4096:
                self._orders.append((key, data))
        self._wake.set()

    def send_now(self, key: str, data: bytes) -> None:
        """Past the queue: clocks cannot wait."""
        with self._lock:
            port = self._ports.get(key)
        if port is not None:
            self._send(key, port, data)

    def _take(self) -> tuple[str, OutputPort, bytes] | None:
        with self._lock:
            while self._orders or self._states:
                if self._orders:
                    key, data = self._orders.popleft()
                else:
                    (key, _), data = next(iter(self._states.items()))
                    del self._states[key, data[:2]]
                if key in self._ports:
                    return key, self._ports[key], data
            self._wake.clear()
            return None

    def _run(self) -> None:
        while not self._leaving:
            item = self._take()
            if item is None:
                self._wake.wait(1.0)
                continue
            self._send(*item)
            time.sleep(PACE)

    def _send(self, key: str, port: OutputPort, data: bytes) -> None:
        # One lock for all: rtmidi's ports are not made for two threads at once.
        with self._sending:
            if self._ports.get(key) is not port:
                return
            try:
                port.send(data)
                self.sent += 1
            except OSError:
                self.failed.append(key)


class Connections:
    """Keeps inputs (and the outputs that are wanted) open. Use from the GUI lane.

    make: opens the backend of an API; may raise OSError or SegueError. wake: called in any thread
    when there is something to `drain`.
    """

    def __init__(
        self,
        make: Callable[[str], Backend],
        known: Callable[[], list[str]],
        wake: Callable[[], None],
        api: str = "auto",
    ) -> None:
        self.sender = Sender()
        self.events: deque[PortEvent] = deque()
        self.inboxes: dict[str, Inbox] = {}
        self.inputs: tuple[str, ...] = ()
        self.outputs: tuple[str, ...] = ()
        self.ignored: frozenset[str] = frozenset()
        """Inputs that are not to be opened."""
        self.wanted: frozenset[str] = frozenset()
        """Outputs that are to be opened."""
        self._make, self._known, self._wake, self._api = make, known, wake, api
        self._open_in: dict[str, tuple[str, InputPort]] = {}
        self._open_out: dict[str, str] = {}
        self._refused: dict[tuple[str, str], float] = {}
        self._backend: Backend | None = None
        self._again = 0.0
        self._said = ""
        self._nudge = threading.Event()
        self._leaving = False
        self._thread: threading.Thread | None = None

    @property
    def api(self) -> str:
        """The API in use, '' while there is none."""
        backend = self._backend
        return "" if backend is None else backend.api

    def start(self) -> None:
        if self._thread is None:
            self._leaving = False
            self.sender.start()
            self._thread = threading.Thread(target=self._run, name="midi ports", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Close all ports."""
        self._leaving = True
        self._nudge.set()
        if self._thread is not None:
            self._thread.join(5.0)
            self._thread = None
        self.sender.stop()

    def look_now(self) -> None:
        """Do not wait for the next poll."""
        self._nudge.set()

    def use_api(self, api: str) -> None:
        """Change over to another API; ports are closed and found again."""
        self._api = api
        self._said = ""
        self._again = 0.0
        self._nudge.set()

    # -- the watcher's thread --------------------------------------------------------------------
    def _run(self) -> None:
        try:
            while not self._leaving:
                self._look_safely()
                self._nudge.wait(POLL)
                self._nudge.clear()
        finally:
            self._close_all()

    def _look_safely(self) -> None:
        """Whatever a driver does, the watcher goes on: without it no controller comes back."""
        try:
            self._look()
        except Exception as error:
            known = isinstance(error, OSError)
            self._complain(str(error) if known else f"{type(error).__name__}: {error}")
            self._close_all()
            self._again = time.monotonic() + RETRY

    def _look(self) -> None:
        api = choose_api(self._api, self._known())
        if self._backend is not None and self._backend.api != api:
            self._close_all()
        if self._backend is None and not self._find(api):
            return
        assert self._backend is not None
        inputs = [name for name in self._backend.inputs() if not is_ours(name)]
        outputs = [name for name in self._backend.outputs() if not is_ours(name)]
        there_in, there_out = keys_of(inputs, api), keys_of(outputs, api)
        if (tuple(there_in), tuple(there_out)) != (self.inputs, self.outputs):
            self.inputs, self.outputs = tuple(there_in), tuple(there_out)
            self._tell(PortEvent("ports"))
        self._reconcile_inputs(there_in)
        self._reconcile_outputs(there_out)
        self._said = ""

    def _find(self, api: str) -> bool:
        now = time.monotonic()
        if not api or now < self._again:
            return False
        try:
            self._backend = self._make(api)
        except (OSError, SegueError) as error:
            self._complain(str(error))
            self._again = now + RETRY
            return False
        return True

    def _reconcile_inputs(self, there: dict[str, str]) -> None:
        assert self._backend is not None
        for key, (name, port) in list(self._open_in.items()):
            if there.get(key) != name or key in self.ignored:
                del self._open_in[key]
                port.close()
                self._tell(PortEvent("input", key, False))
        for key, name in there.items():
            if key in self._open_in or key in self.ignored or self._refuses("input", key):
                continue
            # The inbox outlives the port: what came just before the unplugging is still read.
            inbox = self.inboxes.setdefault(key, Inbox())
            try:
                port = self._backend.open_input(name, self._receiver(inbox))
            except OSError as error:
                self._refuse("input", key, error)
                continue
            self._open_in[key] = (name, port)
            self._tell(PortEvent("input", key, True))

    def _reconcile_outputs(self, there: dict[str, str]) -> None:
        assert self._backend is not None
        while self.sender.failed:
            self._drop_output(self.sender.failed.popleft())
        for key, name in list(self._open_out.items()):
            if there.get(key) != name or key not in self.wanted:
                self._drop_output(key)
        for key in self.wanted:
            if key not in there or key in self._open_out or self._refuses("output", key):
                continue
            try:
                port = self._backend.open_output(there[key])
            except OSError as error:
                self._refuse("output", key, error)
                continue
            self._open_out[key] = there[key]
            self.sender.attach(key, port)
            self._tell(PortEvent("output", key, True))

    def _drop_output(self, key: str) -> None:
        if self._open_out.pop(key, None) is None:
            return
        port = self.sender.detach(key)
        if port is not None:
            port.close()
        self._tell(PortEvent("output", key, False))

    def _receiver(self, inbox: Inbox) -> Callable[..., None]:
        def receive(data: bytes, when: float) -> None:
            if inbox.put(data, when):
                self._wake()

        return receive

    def _refuses(self, kind: str, key: str) -> bool:
        return time.monotonic() < self._refused.get((kind, key), 0.0)

    def _refuse(self, kind: str, key: str, error: Exception) -> None:
        first = (kind, key) not in self._refused
        self._refused[kind, key] = time.monotonic() + 0.5
        if first:
            self._tell(
                PortEvent(
                    "error",
                    key,
                    sentence=f"The MIDI {kind} '{key}' could not be opened ({error}); "
                    "another program may hold it. Segue keeps trying.",
                )
            )

    def _complain(self, reason: str) -> None:
        if reason != self._said:
            self._said = reason
            self._tell(PortEvent("error", sentence=f"MIDI is not to be had: {reason}"))

    def _close_all(self) -> None:
        for key, (_, port) in list(self._open_in.items()):
            port.close()
            self._tell(PortEvent("input", key, False))
        self._open_in.clear()
        for key in list(self._open_out):
            self._drop_output(key)
        if self._backend is not None:
            self._backend.close()
            self._backend = None
        if self.inputs or self.outputs:
            self.inputs, self.outputs = (), ()
            self._tell(PortEvent("ports"))

    def _tell(self, event: PortEvent) -> None:
        self.events.append(event)
        self._wake()

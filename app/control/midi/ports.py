"""Interface of MIDI backends, plain port names, and the inbox of a port.

`rtmidi_ports` is the backend; tests have their own. Callbacks run in the backend's threads and only
put bytes into an `Inbox`.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

Receive = Callable[[Sequence[int], float], None]
"""Gets the bytes of one message and its time of arrival (time.monotonic seconds), in any thread."""

OURS: Final = "Segue"
"""Name of our own clients, whose ports are never connected."""
ROOM: Final = 4096
HARD: Final = 65536


class InputPort(Protocol):
    """An open MIDI input."""

    def close(self) -> None: ...


class OutputPort(Protocol):
    """An open MIDI output."""

    def send(self, data: bytes) -> None:
        """Send a message. Raises OSError when the port is gone."""

    def close(self) -> None: ...


class Backend(Protocol):
    """Lists and opens ports of one MIDI API. Called in one thread; may raise OSError."""

    api: str

    def inputs(self) -> list[str]: ...

    def outputs(self) -> list[str]: ...

    def open_input(self, name: str, receive: Receive) -> InputPort: ...

    def open_output(self, name: str) -> OutputPort: ...

    def close(self) -> None: ...


_ALSA_NUMBERS: Final = re.compile(r"\s+\d+:\d+$")
_A2J: Final = re.compile(r"^a2j:\s*", re.IGNORECASE)
_BRACKETS: Final = re.compile(r"\s*\[\d+\]\s*|\s*\((?:capture|playback)\)")
_JACK_COPY: Final = re.compile(r"-\d\d(?=:|$)")
_WINDOWS_INDEX: Final = re.compile(r"\s+\d+$")


def plain_name(name: str, api: str = "") -> str:
    """A port's name without the numbers that change when it is plugged in again.

    ALSA adds client and port numbers, JACK a copy's number, the ALSA bridge of JACK brackets,
    Windows an index. Numbers of a product ("nanoKONTROL2") stay. A client's name that ALSA or the
    bridge repeat is dropped.
    """
    text = _ALSA_NUMBERS.sub("", name.strip())
    text = _BRACKETS.sub("", _A2J.sub("", text))
    text = _JACK_COPY.sub("", text)
    if api == "WINDOWS_MM":
        text = _WINDOWS_INDEX.sub("", text)
    client, colon, port = text.partition(":")
    port = port.strip()
    if colon and port.casefold().startswith(client.casefold().strip()):
        text = port
    return " ".join(text.split())


def keys_of(names: Sequence[str], api: str = "") -> dict[str, str]:
    """Plain key -> full name for a list of ports; duplicates get " #2", " #3" ..."""
    found: dict[str, str] = {}
    for name in names:
        plain = plain_name(name, api)
        key, copy = plain, 1
        while key in found:
            copy += 1
            key = f"{plain} #{copy}"
        found[key] = name
    return found


def is_ours(name: str) -> bool:
    """Whether a port is our own, or a loopback."""
    low = name.casefold()
    return low.startswith((OURS.casefold(), f"a2j:{OURS.casefold()}")) or "midi through" in low


class Inbox:
    """Bounded, thread-safe queue from a port's thread to the GUI thread.

    In a flood only the last value of each controller is kept; notes and real-time messages are not
    dropped before `HARD` of them wait. `lost` is then set, so that all notes can be released.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: deque[tuple[Sequence[int], float]] = deque()
        self._latest: dict[tuple[int, int], tuple[Sequence[int], float]] = {}
        self.coalesced = 0
        self.lost = False

    def put(self, data: Sequence[int], when: float) -> bool:
        """Add a message; True when the inbox was empty, so that the reader must be woken."""
        with self._lock:
            empty = not self._queue and not self._latest
            status = data[0] if len(data) else 0
            # Controllers, pressure and bend are states: only the last value matters.
            state = status & 0xF0 in (0xA0, 0xB0, 0xD0, 0xE0) and status < 0xF0
            if len(self._queue) < ROOM or (not state and len(self._queue) < HARD):
                self._queue.append((data, when))
            elif state:
                number = data[1] if len(data) > 2 and status & 0xF0 in (0xA0, 0xB0) else 0
                self.coalesced += (status, number) in self._latest
                self._latest[status, number] = (data, when)
            else:
                self.lost = True
            return empty

    def take(self) -> list[tuple[Sequence[int], float]]:
        """Remove and return all messages in order, coalesced ones last."""
        with self._lock:
            waiting = [*self._queue, *self._latest.values()]
            self._queue.clear()
            self._latest.clear()
            return waiting

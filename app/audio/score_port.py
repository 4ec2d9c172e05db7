"""Score port: sends the notes of the score on MIDI outputs, in time with the sound. Audio process.

A message is due when its plan position is heard: the device's clock, smoothed, tells when a frame
goes to the device, and the device's latency when it sounds. The thread lives in the audio process,
where nothing else holds the interpreter for long.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.audio.input.clock_filter import ClockFilter
from app.audio.input.clock_map import ClockMap
from models.music.score import SAMPLE_RATE

CLIENT: Final = "Segue score"
"""Name of the virtual port and of our client; it begins like that of all our ports, so that we do
not connect to it ourselves."""
WAIT_SECONDS: Final = 0.02
"""Longest wait of the thread while messages are due later: the clock may go on at any time."""
RETRY_SECONDS: Final = 2.0
ROOM: Final = 20_000
"""Messages that may wait; a score has a few hundred a second."""

AT_ONCE: Final = -(1 << 60)
"""Position of messages that do not wait."""

Timed = tuple[int, str, bytes]
"""Plan position, port ('' for the virtual one), message."""


class Out(Protocol):
    """An open MIDI output."""

    def send_message(self, message: Sequence[int]) -> None: ...
    def delete(self) -> None: ...


class RtMidiOut(Out, Protocol):
    """What is used of `rtmidi.MidiOut`."""

    def get_ports(self) -> list[str]: ...
    def open_port(self, number: int, name: str) -> object: ...
    def open_virtual_port(self, name: str) -> object: ...


@dataclass(frozen=True)
class PortRequest:
    """Ports that the score needs. api: a name of rtmidi's APIs. names: ports by the plain name that
    messages use, with their full names; '' is the virtual one. delay: seconds by which messages are
    later than the sound, less than nothing for earlier.
    """

    api: str
    names: tuple[tuple[str, str], ...]
    delay: float = 0.0


def open_out(api: str, name: str) -> Out:
    """Open an output by its full name, '' for a virtual port. Raises OSError."""
    import rtmidi

    failures = (rtmidi.RtMidiError, ValueError, NotImplementedError)
    try:
        out: RtMidiOut = rtmidi.MidiOut(getattr(rtmidi, f"API_{api}"), name=CLIENT)
    except failures as error:
        raise OSError(str(error)) from error
    try:
        if not name:
            out.open_virtual_port("notes")
            return out
        names = list(out.get_ports())
        if name not in names:
            raise OSError(f"'{name}' is not there")
        out.open_port(names.index(name), name="notes")
    except failures as error:
        out.delete()
        raise OSError(str(error)) from error
    except OSError:
        out.delete()
        raise
    return out


class ScorePort:
    """Sender of timed messages.

    Args:
        clock: the device's clock.
        clock_map: between that clock and the plan.
        latency: seconds from the device's callback to the sound.
        open_port: opens an output; raises OSError.

    """

    def __init__(
        self,
        clock: ClockFilter,
        clock_map: ClockMap,
        latency: Callable[[], float],
        open_port: Callable[[str, str], Out] = open_out,
    ) -> None:
        self._clock, self._map, self._latency = clock, clock_map, latency
        self.reports: deque[tuple[str, str]] = deque()
        """Level and sentence of what happened to the ports."""
        self._open_port = open_port
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._queue: list[tuple[int, int, str, bytes]] = []
        self._count = itertools.count()
        self._request: PortRequest | None = None
        self._outs: dict[str, Out] = {}
        self._retry_at: dict[str, float] = {}
        self._on: dict[tuple[str, int, int], None] = {}
        self._stopping = False
        self._thread: threading.Thread | None = None

    def choose(self, request: PortRequest | None) -> None:
        """Send on these ports from now on; None for none."""
        self.stop()
        self._request = request
        if request is not None:
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="score port", daemon=True)
            self._thread.start()

    def put(self, messages: Iterable[Timed]) -> None:
        """Queue messages."""
        with self._lock:
            for at, port, data in messages:
                if len(self._queue) < ROOM:
                    heapq.heappush(self._queue, (at, next(self._count), port, data))
        self._wake.set()

    def cancel(self, messages: Iterable[Timed] = ()) -> None:
        """Drop what waits, end all notes, and send these messages, all at once."""
        with self._lock:
            self._queue.clear()
            for _, port, data in messages:
                heapq.heappush(self._queue, (AT_ONCE, next(self._count), port, data))
            for port, channel, pitch in self._on:
                heapq.heappush(
                    self._queue,
                    (AT_ONCE, next(self._count), port, bytes((0x80 | channel, pitch, 0))),
                )
        self._wake.set()

    def stop(self) -> None:
        """End all notes and close the ports."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping = True
            self._wake.set()
            thread.join(2.0)
        with self._lock:
            self._queue.clear()

    # The sender's thread.

    def _run(self) -> None:
        assert self._request is not None
        try:
            while not self._stopping:
                self._open_missing(self._request)
                wait = self._send_due(self._request.delay)
                self._wake.wait(wait)
                self._wake.clear()
        finally:
            self.cancel()
            self._send_due(0.0)
            for out in self._outs.values():
                with contextlib.suppress(Exception):
                    out.delete()
            self._outs.clear()

    def _send_due(self, delay: float) -> float:
        """Send what is due; returns seconds until the next message may be."""
        now = time.monotonic()
        heard = self._heard(now, delay)
        while True:
            with self._lock:
                if not self._queue:
                    return RETRY_SECONDS
                at = self._queue[0][0]
                if at > heard:
                    return min(WAIT_SECONDS, (at - heard) / SAMPLE_RATE)
                _, _, port, data = heapq.heappop(self._queue)
                # Within the lock: a note that starts behind `cancel` would never end.
                self._send(port, data)

    def _heard(self, now: float, delay: float) -> float:
        """Plan position that is heard at a time, in frames."""
        frames = self._clock.frames_at(now - self._latency() - delay)
        whole = int(frames)
        return self._map.plan_at(whole) + (frames - whole)

    def _send(self, port: str, data: bytes) -> None:
        out = self._outs.get(port)
        status = data[0] & 0xF0
        key = port, data[0] & 0x0F, data[1] if len(data) > 1 else 0  # a clock is one byte
        if status == 0x80:
            self._on.pop(key, None)
        if out is None:
            return
        try:
            out.send_message(data)
        except Exception as error:  # rtmidi's errors differ by system
            self._lost(port, str(error))
            return
        if status == 0x90:
            self._on[key] = None

    def _lost(self, port: str, reason: str) -> None:
        out = self._outs.pop(port, None)
        if out is not None:
            with contextlib.suppress(Exception):
                out.delete()
        for key in [key for key in self._on if key[0] == port]:
            del self._on[key]
        self._retry_at[port] = time.monotonic() + RETRY_SECONDS
        self.reports.append(("warning", f"The score's MIDI port{_named(port)} is gone ({reason})."))

    def _open_missing(self, request: PortRequest) -> None:
        now = time.monotonic()
        for port, name in request.names:
            if port in self._outs or now < self._retry_at.get(port, 0.0):
                continue
            again = port in self._retry_at
            try:
                self._outs[port] = self._open_port(request.api, name)
            except OSError as error:
                self._retry_at[port] = now + RETRY_SECONDS
                if not again:
                    sentence = (
                        f"The score's MIDI port{_named(port)} could not be opened ({error}); "
                        "Segue keeps trying."
                    )
                    self.reports.append(("warning", sentence))
                continue
            if self._retry_at.pop(port, None) is not None:
                self.reports.append(
                    ("info", f"The score's MIDI port{_named(port)} is there again.")
                )


def _named(port: str) -> str:
    return f" '{port}'" if port else ""


__all__ = ["PortRequest", "ScorePort", "Timed", "open_out"]

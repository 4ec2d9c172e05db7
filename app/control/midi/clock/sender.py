"""Sender of a MIDI clock."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from app.control.midi.clock.follower import CLOCKS_PER_BEAT, MAX_BPM, MIN_BPM
from app.control.midi.message import Message


class ClockSender:
    """Sender of 24 clocks a beat, in its own thread, by deadlines, so that it does not drift.

    send: gets a message; must not block. After a delay of more than a beat the clock continues
    from now instead of catching up in a burst.
    """

    def __init__(self, send: Callable[[Message], None], bpm: float = 120.0) -> None:
        self._send = send
        self._bpm = bpm
        self._wake = threading.Event()
        self._stopping = False
        self._running = False
        self._next: float | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def bpm(self) -> float:
        return self._bpm

    def set_tempo(self, bpm: float) -> None:
        """Set the tempo from the next clock on."""
        if math.isfinite(bpm):
            self._bpm = min(max(bpm, MIN_BPM), MAX_BPM)

    def align(self, beat: float) -> None:
        """Shift the clock so that a beat falls at `beat` (time.monotonic seconds)."""
        with self._lock:
            if self._next is not None:
                period = 60.0 / (self._bpm * CLOCKS_PER_BEAT)
                off = (beat - self._next) / period
                self._next += (off - round(off)) * period

    def open(self) -> None:
        """Start sending clocks."""
        if self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="midi clock", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop sending clocks; sends a stop where the song runs."""
        if self._thread is None:
            return
        self._stopping = True
        self._wake.set()
        self._thread.join(2.0)
        self._thread = None
        if self._running:
            self._running = False
            self._send(Message("stop"))

    def start(self) -> None:
        if not self._running:
            self._running = True
            self._send(Message("start"))

    def stop(self) -> None:
        if self._running:
            self._running = False
            self._send(Message("stop"))

    def _run(self) -> None:
        self._next = time.monotonic()
        while not self._stopping:
            with self._lock:
                due = self._next
            wait = due - time.monotonic()
            if wait > 0:
                self._wake.wait(wait)
                continue
            self._send(Message("clock"))
            with self._lock:
                self._next = due + 60.0 / (self._bpm * CLOCKS_PER_BEAT)
                if time.monotonic() - self._next > 60.0 / self._bpm:
                    self._next = time.monotonic()

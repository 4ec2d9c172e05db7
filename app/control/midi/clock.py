"""MIDI clock: following another's, and sending one. GUI lane; `ClockFollower` is pure.

24 clocks a quarter note, song position in sixteenths (MIDI 1.0 Detailed Specification, "System
Real Time" and "Song Position Pointer"). The tempo is the slope of a least-squares line through
the times of the last clocks: with N clocks whose times are off by s, the slope is off by about
s * sqrt(12 / N^3), so 192 clocks smooth 2 ms of jitter to 0.04 bpm at 120 bpm. A tempo that
really changes leaves the line at its young end, and the old clocks are then forgotten.

Ableton Link is not built in. Its C++ library is licensed under GPL-2.0-or-later or by agreement
with Ableton, and aalink, the Python binding, is GPL-3.0: either would put the whole of Segue, which
is under the Apache licence 2.0, under the GPL. A bridge such as a DAW or Carabiner that turns Link
into MIDI clock works with `follow`.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Final

from app.control.midi.message import Message

CLOCKS_PER_BEAT: Final = 24
MIN_BPM: Final = 30.0
MAX_BPM: Final = 300.0
"""Beats per minute that are believed."""
SHORT_WINDOW: Final = 24
LONG_WINDOW: Final = 192
UPDATE_CLOCKS: Final = 6
"""Clocks from one look at the tempo to the next: a sixteenth."""
MAX_REGULAR_SCATTER: Final = 0.1
"""Scatter, in clocks, from which on a late clock says nothing of one that was lost."""
MAX_LOST_SHARE: Final = 0.1
"""The greatest share of clocks that is believed to be lost."""
TIMEOUT: Final = 1.0
"""Seconds without a clock after which it is gone."""
MIN_TEMPO_STEP: Final = 0.05
"""The smallest change of tempo that is told, in bpm."""


class ClockFollower:
    """Tempo, running state and song position from the messages of one port."""

    def __init__(self) -> None:
        self.running = False
        self.position = 0.0
        """Quarter notes since the start of the song."""
        self._times: deque[tuple[float, float]] = deque(maxlen=LONG_WINDOW)  # clock's number, time
        self._count = 0.0
        self._received = 0
        self._period: float | None = None  # seconds from one clock to the next, about
        self._tempo: float | None = None
        self._start_pending = False
        self._regular = True
        """False where clocks come in bursts, as through a JACK period longer than a clock: a gap
        is then no clock that was lost, since the next one comes the sooner."""

    @property
    def tempo(self) -> float | None:
        """Beats per minute as last measured; None before enough clocks were heard."""
        return self._tempo

    def receive(self, message: Message, when: float) -> float | None:
        """A message that arrived at `when` (seconds); the tempo in bpm when it is a new one."""
        if message.kind == "clock":
            return self._tick(when)
        if message.kind == "start":
            self.running, self._start_pending, self.position = True, True, 0.0
        elif message.kind == "continue":
            self.running, self._start_pending = True, True
        elif message.kind == "stop":
            self.running = False
        elif message.kind == "position":
            self.position = message.value / 4
        return None

    def _tick(self, when: float) -> float | None:
        if self.running:
            # The first clock after a start is the downbeat itself.
            self.position += 0.0 if self._start_pending else 1 / CLOCKS_PER_BEAT
            self._start_pending = False
        if self._times and not 0.0 <= when - self._times[-1][1] < TIMEOUT:
            self._forget()
        steps = 1.0
        if self._period is not None and self._times and self._regular:
            # A clock that was lost on the way must not look like a slower tempo.
            steps = max(1.0, float(round((when - self._times[-1][1]) / self._period)))
            if steps > 3:
                self._forget()
                steps = 1.0
        self._count += steps
        self._times.append((self._count, when))
        self._received += 1
        if self._period is None and len(self._times) == UPDATE_CLOCKS:
            self._guess_period()
        return self._measure() if self._received % UPDATE_CLOCKS == 0 else None

    def _guess_period(self) -> None:
        """From the first few clocks, so that one that was lost among them is counted too."""
        when = [t for _, t in self._times]
        period = median(b - a for a, b in pairwise(when))
        if period <= 0.0:
            return
        self._period = period
        count = 0.0
        counted = [(count, when[0])]
        for before, after in pairwise(when):
            count += max(1.0, float(round((after - before) / period)))
            counted.append((count, after))
        self._count = count
        self._times = deque(counted, maxlen=LONG_WINDOW)

    def _measure(self) -> float | None:
        if len(self._times) < SHORT_WINDOW:
            return None
        times = list(self._times)
        lost = times[-1][0] - times[0][0] + 1 - len(times)
        if lost > MAX_LOST_SHARE * len(times):
            # No cable loses so many: these are whole clocks in the grid of a slow port.
            times = [(float(n), when) for n, (_, when) in enumerate(times)]
            self._times, self._count = deque(times, maxlen=LONG_WINDOW), times[-1][0]
        short = self._fit(times[-SHORT_WINDOW:])
        tempo = self._fit(times)
        if short is None or tempo is None:
            return None
        self._period = 60.0 / (short * CLOCKS_PER_BEAT)
        self._regular = _scatter(times[-2 * SHORT_WINDOW :]) < MAX_REGULAR_SCATTER * self._period
        if len(times) > 2 * SHORT_WINDOW and self._changed(times):
            self._times = deque(times[-SHORT_WINDOW:], maxlen=LONG_WINDOW)
            tempo = short
        if not MIN_BPM <= tempo <= MAX_BPM:
            return None
        if self._tempo is not None and abs(tempo - self._tempo) < MIN_TEMPO_STEP:
            return None
        self._tempo = tempo
        return tempo

    def _changed(self, times: list[tuple[float, float]]) -> bool:
        """Whether the youngest clocks leave the line through the older ones for good.

        Compares the mean of the last `SHORT_WINDOW` residuals with the scatter of the older clocks
        and the uncertainty of the extrapolated line.
        """
        old, young = times[:-SHORT_WINDOW], times[-SHORT_WINDOW:]
        slope, start = _line(old)
        scatter = _scatter(old)
        drift = sum(t - (start + slope * n) for n, t in young) / SHORT_WINDOW
        n = len(old)
        reach = (young[0][0] + young[-1][0]) / 2 - (old[0][0] + old[-1][0]) / 2
        doubt = scatter * math.sqrt(1 / SHORT_WINDOW + 1 / n + 12 * reach**2 / n**3)
        return abs(drift) > 5.0 * doubt + 5e-4

    @staticmethod
    def _fit(times: list[tuple[float, float]]) -> float | None:
        slope, _ = _line(times)
        return 60.0 / (slope * CLOCKS_PER_BEAT) if slope > 0 else None

    def _forget(self) -> None:
        self._times.clear()
        self._count = 0.0
        self._period = None
        self._regular = True

    def lost(self, now: float) -> bool:
        """Whether a clock that was there has ceased."""
        return bool(self._times) and now - self._times[-1][1] > TIMEOUT

    def reset(self) -> None:
        self._forget()
        self.running = False
        self._tempo = None


def _line(times: list[tuple[float, float]]) -> tuple[float, float]:
    """Least squares (slope, value at 0) of time over number."""
    n = len(times)
    mean_x = sum(x for x, _ in times) / n
    mean_y = sum(y for _, y in times) / n
    spread = sum((x - mean_x) ** 2 for x, _ in times)
    if spread == 0.0:
        return 0.0, mean_y
    slope = sum((x - mean_x) * (y - mean_y) for x, y in times) / spread
    return slope, mean_y - slope * mean_x


def _scatter(times: list[tuple[float, float]]) -> float:
    """How far the times lie from their line, in seconds (standard deviation)."""
    slope, start = _line(times)
    errors = [t - (start + slope * n) for n, t in times]
    return math.sqrt(sum(e * e for e in errors) / max(len(errors) - 2, 1))


class ClockSender:
    """Sends 24 clocks a beat from a thread of its own, by deadlines, so that it does not drift.

    send: told one message, must not block. Where the thread was kept waiting for more than a beat
    it goes on from now instead of catching up in a burst.
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
        """Takes effect from the next clock on."""
        if math.isfinite(bpm):
            self._bpm = min(max(bpm, MIN_BPM), MAX_BPM)

    def align(self, beat: float) -> None:
        """A beat falls at `beat` (time.monotonic seconds); the clock slides onto it at once."""
        with self._lock:
            if self._next is not None:
                period = 60.0 / (self._bpm * CLOCKS_PER_BEAT)
                off = (beat - self._next) / period
                self._next += (off - round(off)) * period

    def open(self) -> None:
        """Begin to send clocks."""
        if self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="midi clock", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop sending; a song that runs is stopped."""
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

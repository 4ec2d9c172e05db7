"""MIDI clock: a follower that measures tempo, and a sender."""

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
"""Range of tempo that is accepted, in beats per minute."""
SHORT_WINDOW: Final = 24
LONG_WINDOW: Final = 192
UPDATE_CLOCKS: Final = 6
"""Clocks between two measurements: a sixteenth."""
MAX_REGULAR_SCATTER: Final = 0.1
"""Scatter, in clocks, above which a late clock does not mean that one was lost."""
MAX_LOST_SHARE: Final = 0.1
"""Largest plausible share of lost clocks."""
TIMEOUT: Final = 1.0
"""Seconds without a clock after which it counts as lost."""
MIN_TEMPO_STEP: Final = 0.05
"""Smallest change of tempo that is reported, in bpm."""


class ClockFollower:
    """Tempo, running state and song position from the clock messages of one port."""

    def __init__(self) -> None:
        self.running = False
        self.position = 0.0
        """Quarter notes since the start of the song."""
        self._times: deque[tuple[float, float]] = deque(
            maxlen=LONG_WINDOW
        )  # number of the clock, time
        self._count = 0.0
        self._received = 0
        self._period: float | None = None  # approximate seconds between clocks
        self._tempo: float | None = None
        self._start_pending = False
        self._regular = True
        """False where clocks arrive in bursts, as through a JACK period longer than a clock: then a
        gap does not mean a lost clock.
        """

    @property
    def tempo(self) -> float | None:
        """Measured tempo in beats per minute; None before there were enough clocks."""
        return self._tempo

    def receive(self, message: Message, when: float) -> float | None:
        """Handle a message that arrived at `when` (seconds); returns a new tempo in bpm."""
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
            # A lost clock must not look like a slower tempo.
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
        """Estimate the period from the first clocks, counting lost ones among them."""
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
            # Not losses: these are all clocks, quantised by a slow port.
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
        """Whether the newest clocks have left the line through the older ones for good.

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
        """Whether a clock has stopped arriving."""
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
    """Standard deviation of the times from their line, in seconds."""
    slope, start = _line(times)
    errors = [t - (start + slope * n) for n, t in times]
    return math.sqrt(sum(e * e for e in errors) / max(len(errors) - 2, 1))


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

"""Follower of a MIDI clock: tempo, running state and song position."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor, Future
from typing import Final

import numpy as np

from app.control.midi.clock.measurement import (
    BURST_WINDOW,
    LONG_SECONDS,
    SHORT_WINDOW,
    ClockMeasurement,
    measure_clocks,
)
from app.control.midi.clock.tempo import ClockLine
from app.control.midi.message import Message

CLOCKS_PER_BEAT: Final = 24
MIN_BPM: Final = 30.0
MAX_BPM: Final = 300.0
"""Range of tempo that is accepted, in beats per minute."""
LONGEST_SECONDS: Final = 12.0
"""Seconds that are measured at most where the tempo is not sure."""
LONG_WINDOW: Final = 920
"""Clocks that are measured at most."""
UNSURE_DOUBT: Final = 0.06
"""Standard error in bpm above which it is not."""
UPDATE_CLOCKS: Final = 12
SURE_DOUBT: Final = 0.15
"""Standard error in bpm below which the first tempo is reported."""
SURE_SECONDS: Final = 3.0
"""Seconds after which it is reported however doubtful."""
TIMEOUT: Final = 1.0
"""Seconds without a clock after which it counts as lost."""
MIN_TEMPO_STEP: Final = 0.05
"""Smallest change of tempo that is reported, in bpm."""


class ClockFollower:
    """Tempo, running state and song position from the clock messages of one port.

    Args:
        executor: where measurements run, so that they hold nobody up; a tempo is then told with a
            later clock or by `poll`. None measures at once.

    """

    def __init__(self, executor: Executor | None = None) -> None:
        self._executor = executor
        self._measuring: Future[ClockMeasurement | None] | None = None
        self._due = False  # a measurement of the present clocks
        self.running = False
        self.position = 0.0
        """Quarter notes since the start of the song."""
        self.arrival = ""
        """How the clocks come in, as of the last measurement; see `arrival_of`."""
        self._times: deque[float] = deque(maxlen=LONG_WINDOW)
        self._received = 0
        self._doubt = 0.0  # standard error in bpm, of what was measured
        self._hidden = 0.0  # the same, of what cannot be measured
        self._suspected = False  # a change of tempo that the next measurement must confirm
        self._period: float | None = None  # smoothed seconds between clocks
        self._tempo: float | None = None
        self._start_pending = False

    @property
    def tempo(self) -> float | None:
        """Measured tempo in beats per minute; None before there were enough clocks."""
        return self._tempo

    @property
    def doubt(self) -> float:
        """Standard error of the tempo in bpm, as of the last measurement."""
        return max(self._doubt, self._hidden)

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
        if self._times and not 0.0 <= when - self._times[-1] < TIMEOUT:
            self._forget()
        self._times.append(when)
        most = LONGEST_SECONDS if self._doubt > UNSURE_DOUBT else LONG_SECONDS
        while when - self._times[0] > most and len(self._times) > BURST_WINDOW:
            self._times.popleft()
        self._received += 1
        # A long window changes slowly, and takes longer to measure.
        long = 0 if self._tempo is None else len(self._times) // SHORT_WINDOW // 3
        every = UPDATE_CLOCKS * (1 + long)
        if not self._received % every and len(self._times) >= SHORT_WINDOW:
            self._due = True
        return self.poll()

    def poll(self) -> float | None:
        """Take over a measurement that is ready, and begin one that is due; a new tempo in bpm."""
        tempo = None
        if self._measuring is not None and self._measuring.done():
            done, self._measuring = self._measuring, None
            tempo = self._take(done.result())
        if self._due and self._measuring is None:
            self._due = False
            job = np.array(self._times), self._period, self._suspected
            if self._executor is None:
                return self._take(measure_clocks(*job))
            self._measuring = self._executor.submit(measure_clocks, *job)
        return tempo

    def _take(self, measured: ClockMeasurement | None) -> float | None:
        """Take over what was measured; the tempo, where it is new."""
        if measured is None:
            return None
        while self._times and self._times[0] < measured.since:
            self._times.popleft()
        self._period, self._suspected = measured.period, measured.suspected
        self.arrival = measured.arrival
        return self._report(measured.line, measured.period, measured.seconds)

    def _report(self, line: ClockLine, period: float, seconds: float) -> float | None:
        """The tempo, where it is new. seconds: that were measured."""
        tempo = 60.0 / (period * CLOCKS_PER_BEAT)
        doubt, self._hidden = line.doubt * tempo, line.hidden * tempo
        self._doubt = doubt
        if not MIN_BPM <= tempo <= MAX_BPM:
            return None
        if self._tempo is None:
            if self.doubt > SURE_DOUBT and seconds < SURE_SECONDS:
                return None
        elif abs(tempo - self._tempo) < max(MIN_TEMPO_STEP, doubt / 2):
            return None
        self._tempo = tempo
        return tempo

    def _forget(self) -> None:
        self._measuring, self._due = None, False  # what still runs is of a clock that is no more
        self._times.clear()
        self._period = None
        self.arrival = ""
        self._doubt = self._hidden = 0.0
        self._suspected = False

    def lost(self, now: float) -> bool:
        """Whether a clock has stopped arriving."""
        return bool(self._times) and now - self._times[-1] > TIMEOUT

    def reset(self) -> None:
        self._forget()
        self.running = False
        self._tempo = None

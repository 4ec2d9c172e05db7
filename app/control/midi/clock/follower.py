"""Follower of a MIDI clock: tempo, running state and song position."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Final

import numpy as np

from app.control.midi.clock.tempo import ClockLine, Floats, arrival_of, fit_clocks
from app.control.midi.message import Message

CLOCKS_PER_BEAT: Final = 24
MIN_BPM: Final = 30.0
MAX_BPM: Final = 300.0
"""Range of tempo that is accepted, in beats per minute."""
SHORT_WINDOW: Final = 24
"""Fewest clocks that are measured, and after a change of tempo those that are kept."""
BURST_WINDOW: Final = 48
"""The same where clocks come in bursts."""
LONG_SECONDS: Final = 5.0
LONGEST_SECONDS: Final = 12.0
"""Seconds that are measured at most, where the tempo is sure and where it is not."""
LONG_WINDOW: Final = 920
"""Clocks that are measured at most."""
UNSURE_DOUBT: Final = 0.06
"""Standard error in bpm above which it is not."""
UPDATE_CLOCKS: Final = 12
SURE_DOUBT: Final = 0.15
"""Standard error in bpm below which the first tempo is reported."""
SURE_SECONDS: Final = 3.0
"""Seconds after which it is reported however doubtful."""
SMOOTHING: Final = 0.25
"""Share of a new measurement in the tempo."""
MAX_REGULAR_SCATTER: Final = 0.2
"""Scatter in clocks above which they come in bursts or blocks."""
MIN_SINGLE: Final = 0.7
"""Share of clocks that come alone below which they come in bursts or blocks."""
SAME_PERIOD: Final = 0.002
"""Share by which two periods may differ and count as the same."""
KEEP_COST: Final = 3.0
"""How much less probable the present period may be, as a logarithm, and stay."""
CHANGE_COST: Final = 12.0
"""How much more probable another period must be, as a logarithm, to count as a new tempo."""
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
        if self._received % every or len(self._times) < SHORT_WINDOW:
            return None
        return self._measure()

    def _measure(self) -> float | None:
        times = np.array(self._times)
        # A short window says less than the next one, which is then measured afresh.
        settled = bool(times[-1] - times[0] > 0.8 * LONG_SECONDS)
        line = fit_clocks(times)
        if line is None:
            return None
        if settled and self._period is not None and not _is_near(line, self._period):
            # A tempo that explains the times about as well is still the tempo.
            same = fit_clocks(times, self._period, SAME_PERIOD)
            if same is not None and same.cost < line.cost + KEEP_COST:
                line = replace(same, doubt=line.doubt, hidden=line.hidden)
        is_single = line.scatter < MAX_REGULAR_SCATTER and line.ends > MIN_SINGLE * len(times)
        keep = SHORT_WINDOW if is_single else BURST_WINDOW
        if len(times) >= 2 * keep:
            young = _changed(times[-keep:], line)
            if young is not None and self._suspected:
                line, self._period = young, None
                self._times = deque(times[-keep:].tolist(), maxlen=LONG_WINDOW)
                young = None
            self._suspected = young is not None
        if self._period is None or not _is_near(line, self._period):
            self._period = line.period
        share = SMOOTHING if settled else 1.0
        self._period += share * (line.period - self._period)
        self.arrival = arrival_of(times, self._period)
        return self._report(line, float(times[-1] - times[0]))

    def _report(self, line: ClockLine, seconds: float) -> float | None:
        """The tempo, where it is new. seconds: that were measured."""
        if self._period is None:
            return None
        tempo = 60.0 / (self._period * CLOCKS_PER_BEAT)
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


def _is_near(line: ClockLine, period: float) -> bool:
    """Whether a line has about this period."""
    return abs(line.period / period - 1.0) <= SAME_PERIOD


def _changed(young: Floats, line: ClockLine) -> ClockLine | None:
    """The line of the latest clocks, where it is another one than that of all clocks."""
    same = fit_clocks(young, line.period, SAME_PERIOD)
    if same is None or same.cost < line.cost * same.ends / line.ends + CHANGE_COST / 2:
        return None
    new = fit_clocks(young)
    if new is None or abs(new.period / line.period - 1.0) <= 4.0 * new.doubt + SAME_PERIOD:
        return None
    return new if new.cost + CHANGE_COST < same.cost else None

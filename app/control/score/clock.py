"""MIDI clock of the score: 24 clocks a beat of what is heard, as messages at plan positions. Pure.

Where the music begins, or leaps to another beat, the song position is told, in sixteenths since the
stream began, and the clock continues at the next sixteenth; the clocks themselves go on. What lies
off the beat is swung: the clock is straight, and is set right by whole beats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from app.control.score.messages import TimedMessage
from app.performance.score_log import ScoreSpan
from models.music.score import SAMPLE_RATE

CLOCKS: Final = 24
"""A beat (MIDI 1.0, System Real Time Messages)."""
SIXTEENTH: Final = 6
SLACK: Final = 2.0
"""Clocks by which a beat may come sooner or later; more is a leap."""
SWUNG: Final = 8.0
"""The same for what is off the beat."""
CLOCK: Final = b"\xf8"
START: Final = b"\xfa"
CONTINUE: Final = b"\xfb"
STOP: Final = b"\xfc"
MAX_POSITION: Final = 1 << 14
"""Sixteenths at which the song position begins again."""


class ClockMessages:
    """Clock on one port. port: plain name, '' for the virtual one."""

    def __init__(self, port: str) -> None:
        self._port = port
        self._next: int | None = None  # number of the next clock since the stream's beginning
        self._zero = self._frames = 0.0  # position of clock 0, frames of one
        self._running = False

    def follow(self, spans: Iterable[ScoreSpan]) -> list[TimedMessage]:
        """Messages of what is heard next, in the order of their positions."""
        out: list[TimedMessage] = []
        for span in spans:
            self._follow(span, out)
        return out

    def end(self, at: int) -> list[TimedMessage]:
        """What stops the clock; what comes next begins anew."""
        running, self._running, self._next = self._running, False, None
        return [TimedMessage(at, self._port, STOP)] if running else []

    def _follow(self, span: ScoreSpan, out: list[TimedMessage]) -> None:
        score = span.score
        if not score.tempo or score.beat is None or score.bars_at is None:
            return
        frames = 60.0 * SAMPLE_RATE / (score.tempo * CLOCKS)
        zero = span.position + score.bars_at - score.beat * CLOCKS * frames
        here = (span.start - self._zero) / self._frames if self._frames else 0.0
        self._zero, self._frames = span.start - here * frames, frames
        on_beat = abs(score.beat - round(score.beat)) < 1e-3
        error = abs(zero - self._zero) / frames
        if self._next is None or error > (SLACK if on_beat else SWUNG):
            out += self.end(span.start)
            self._zero, self._next = zero, math.ceil((span.start - zero) / frames - 1e-6)
        elif on_beat:
            self._zero = zero
        while (at := round(self._zero + self._next * frames)) < span.stop:
            at = max(at, span.start)
            if not self._running and self._next >= 0 and self._next % SIXTEENTH == 0:
                self._locate(self._next // SIXTEENTH, at, out)
            out.append(TimedMessage(at, self._port, CLOCK))
            self._next += 1

    def _locate(self, sixteenths: int, at: int, out: list[TimedMessage]) -> None:
        self._running = True
        if sixteenths == 0:
            out.append(TimedMessage(at, self._port, START))
            return
        place = sixteenths % MAX_POSITION
        out.append(TimedMessage(at, self._port, bytes((0xF2, place & 0x7F, place >> 7))))
        out.append(TimedMessage(at, self._port, CONTINUE))

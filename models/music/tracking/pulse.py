"""Pulse: tempo, beat and bar at a moment, and the beats to come."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Pulse:
    """What is known of beat and bar after a frame.

    Attributes:
        time: seconds of the input.
        bpm: beats a minute; 0 before any beat is known.
        confidence: 0 to 1, how much of the belief agrees.
        beat: position in beats at `time`, a whole number on each beat, rising.
        beats_per_bar: 3 or 4.
        downbeat: a beat (whole number) on which a bar begins.
        bar_confidence: 0 to 1.

    """

    time: float = 0.0
    bpm: float = 0.0
    confidence: float = 0.0
    beat: float = 0.0
    beats_per_bar: int = 4
    downbeat: int = 0
    bar_confidence: float = 0.0

    def next_beat(self, after: float = 0.0) -> float:
        """Seconds of the first beat to come at or after `after` seconds; nan if none is known."""
        beats = self.beats_between(max(after, self.time), math.inf, most=1)
        return beats[0][0] if beats else math.nan

    def beats_between(
        self, start: float, end: float, most: int = 64
    ) -> tuple[tuple[float, bool], ...]:
        """Beats from `start` to before `end`, as they are foreseen now.

        Args:
            start: seconds.
            end: seconds.
            most: so many at most.

        Returns:
            The time of each in seconds, and whether a bar begins on it.

        """
        if self.bpm <= 0:
            return ()
        length = 60.0 / self.bpm
        number = math.ceil(self.beat + (start - self.time) / length - 1e-9)
        found = []
        for beat in range(number, number + most):
            time = self.time + (beat - self.beat) * length
            if time >= end:
                break
            found.append((time, (beat - self.downbeat) % self.beats_per_bar == 0))
        return tuple(found)

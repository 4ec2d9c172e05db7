"""Clock: from steps to seconds, with gliding tempo, swing, metre and timing deviations.

A `Tick` is a step of the grid with its place in time. The clock knows
only where the next step begins; a new tempo therefore acts from the next step on, glides for about
a beat, and is exact afterwards. Swing is `models.music.song`'s: the share of a pair of steps that
the first takes, in metres whose beat has an even number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

GLIDE_LEFT: Final = 0.05  # share of a tempo change that is left after one beat
SNAP: Final = 0.02  # tempo ratios nearer than this are reached at once
LATEST: Final = 0.008  # seconds by which a note is late at most


@dataclass(frozen=True)
class Tick:
    """One step placed in time; `start` and `length` in seconds, `beats` and `bars` since the start
    of the stream (beats count in the metre's own beats).
    """

    start: float
    length: float
    bpm: float
    step_in_bar: int
    steps_per_beat: int
    steps_per_bar: int
    beats: float
    bars: float

    @property
    def end(self) -> float:
        """Where the next step begins, in seconds."""
        return self.start + self.length

    @property
    def on_beat(self) -> bool:
        return self.step_in_bar % self.steps_per_beat == 0

    @property
    def on_bar(self) -> bool:
        return self.step_in_bar == 0


@dataclass(frozen=True)
class Clock:
    """Where the next step begins. A tempo of 0 means that none has been played yet; a negative
    step is one before a bar line.
    """

    start: float = 0.0
    bpm: float = 0.0
    step_in_bar: int = 0
    beats: float = 0.0
    bars: float = 0.0

    @property
    def on_bar(self) -> bool:
        return self.step_in_bar == 0

    def on_beat(self, steps_per_beat: int) -> bool:
        """Whether the next step is a beat in this metre."""
        return self.step_in_bar % steps_per_beat == 0

    def at_bar(self, steps_per_beat: int) -> Clock:
        """The clock with a bar that begins at the next beat, in whatever metre."""
        before = -self.step_in_bar % steps_per_beat
        bars = self.bars if before else float(math.ceil(self.bars - 1e-9))
        return replace(self, step_in_bar=-before, bars=bars)

    def tick(
        self, bpm: float, swing: float, steps_per_beat: int, steps_per_bar: int
    ) -> tuple[Tick, Clock]:
        """The next step at a tempo and metre, and the clock after it.

        A metre with shorter bars than the place reached begins a new bar.
        """
        place = self.step_in_bar % steps_per_bar
        now = glide(self.bpm, bpm, steps_per_beat) if self.bpm > 0 else bpm
        length = 60.0 / now / steps_per_beat
        if steps_per_beat % 2 == 0:
            length *= 2 * swing if place % 2 == 0 else 2 - 2 * swing
        tick = Tick(
            self.start, length, now, place, steps_per_beat, steps_per_bar, self.beats, self.bars
        )
        return tick, replace(
            self,
            start=self.start + length,
            bpm=now,
            step_in_bar=(place + 1) % steps_per_bar,
            beats=self.beats + 1 / steps_per_beat,
            bars=math.floor(self.bars + 1e-9) + (place + 1) / steps_per_bar,
        )


def glide(now: float, target: float, steps_per_beat: int) -> float:
    """The tempo of the next step on the way from `now` to `target` beats a minute."""
    ratio = math.log(target / now)
    if abs(ratio) < SNAP:
        return target
    return now * math.exp(ratio * (1 - GLIDE_LEFT ** (1 / steps_per_beat)))


def phases(
    ticks: Sequence[Tick], times: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """For times (T,) in seconds: index of the tick that is on, and position in beats and in bars.

    `ticks` are in order and without gaps; the first begins at or before the first time.
    """
    starts = np.array([tick.start for tick in ticks])
    index = np.clip(np.searchsorted(starts, times + 1e-9, side="right") - 1, 0, None)
    lengths = np.array([tick.length for tick in ticks])[index]
    within = np.clip((times - starts[index]) / lengths, 0.0, 1.0)
    beats = np.array([tick.beats for tick in ticks])[index]
    bars = np.array([tick.bars for tick in ticks])[index]
    per_beat = np.array([tick.steps_per_beat for tick in ticks])[index]
    per_bar = np.array([tick.steps_per_bar for tick in ticks])[index]
    return index, beats + within / per_beat, bars + within / per_bar


def scramble(*numbers: int) -> float:
    """Hash of integers: a pseudorandom number in [0, 1).

    The finaliser of SplitMix64 (Steele et al. 2014, figure 16).
    """
    state = 0
    for number in numbers:
        state = (state + (number & 0xFFFFFFFF) + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state / 2.0**64


def lateness(seed: int, step: int, stream: int, amount: float) -> float:
    """Seconds, 0 to LATEST, by which a note is late; never early, as earlier samples are final.

    `stream` is one random stream of each player; `amount` the spread of timing in seconds.
    """
    return min(LATEST, 2 * amount * scramble(seed, step, stream, 7))

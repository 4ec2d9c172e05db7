"""Howl guard: catches acoustic feedback while it rises, and ducks the input.

A howl is one sinusoid that stays where it is and grows without an end (van Waterschoot and Moonen,
"Fifty years of acoustic feedback control", 2011, section IV: peak-to-average ratio, persistence and
growth of the magnitude). An instrument's note rises once and stays, and has harmonics.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.audio.shared_memory import SAMPLE_RATE

Samples = NDArray[np.float32]

HOP: Final = 1024
SIZE: Final = 2 * HOP
LOWEST: Final = round(90 * SIZE / SAMPLE_RATE)
NEAR: Final = 3  # bins on either side of the peak that are the sinusoid
SHARE: Final = 0.85  # of the power that it has
STRETCHES: Final = 4
STRETCH: Final = 4  # hops
RISE: Final = 1.2  # dB by which it grows in every stretch, at the least
FULL: Final = 0.97  # amplitude of a sinusoid that is as loud as the converter can say
QUIETEST: Final = 0.01  # amplitude (-40 dB) under which nothing howls
DUCKED_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 10.0
"""A howl that comes back within this time is ducked for longer."""
LONGEST_SECONDS: Final = 8.0
RELEASE_SECONDS: Final = 0.4
DUCK_SECONDS: Final = 0.01


class HowlGuard:
    """Guard of one input; works in the converting thread.

    howls: how many were caught so far.
    """

    def __init__(self) -> None:
        self.howls = 0
        self._line = np.zeros(SIZE, np.float32)
        self._fresh = 0
        self._window = np.hanning(SIZE).astype(np.float32)
        self._bin = -1
        self._levels: list[float] = []
        self._ducked = 0.0  # seconds that it still lasts
        self._since = AGAIN_SECONDS
        self._last = DUCKED_SECONDS

    def target(self, sound: Samples) -> float:
        """Gain that the input shall have from now on: 0 while a howl is ducked, else 1.

        Args:
            sound: the next frames (n, channels), before the gain.

        """
        line = sound.mean(axis=1)
        seconds = len(line) / SAMPLE_RATE
        self._ducked -= seconds
        self._since += seconds
        while len(line):
            take = min(len(line), HOP - self._fresh)
            self._line = np.concatenate([self._line[take:], line[:take]])
            line, self._fresh = line[take:], self._fresh + take
            if self._fresh == HOP:
                self._fresh = 0
                if self._howls():
                    self._caught()
        return 0.0 if self._ducked > 0.0 else 1.0

    @property
    def seconds(self) -> float:
        """Time in which the gain moves from one to the other."""
        return DUCK_SECONDS if self._ducked > 0.0 else RELEASE_SECONDS

    def _howls(self) -> bool:
        if float(np.abs(self._line).max()) < QUIETEST:
            self._levels.clear()
            return False
        power = np.abs(np.fft.rfft(self._line * self._window)) ** 2
        power[:LOWEST] = 0.0
        peak = int(power.argmax())
        tone = float(power[max(0, peak - NEAR) : peak + NEAR + 1].sum())
        if tone < SHARE * float(power.sum()) or abs(peak - self._bin) > 1:
            self._levels.clear()
        self._bin = peak
        self._levels.append(10 * float(np.log10(tone + 1e-12)))
        del self._levels[: -(STRETCHES * STRETCH + 1)]
        if len(self._levels) <= STRETCHES * STRETCH:
            return False
        steps = np.diff(self._levels[::STRETCH])
        # What has grown as far as it can is a howl as well.
        full = float(np.abs(self._line).max()) >= FULL
        return bool((steps >= RISE).all()) or (full and bool((np.abs(steps) < RISE).all()))

    def _caught(self) -> None:
        again = self._since < AGAIN_SECONDS
        self._last = min(LONGEST_SECONDS, 2 * self._last) if again else DUCKED_SECONDS
        self._ducked, self._since = self._last, 0.0
        self.howls += 1
        self._levels.clear()

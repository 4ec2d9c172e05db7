"""Level meters for the audio callback: peak with decay, peak hold, RMS.

The peak falls by 20 dB in 1.7 s as on a programme peak meter (IEC 60268-10, type I); the hold stays
for 1.5 s and then falls likewise; the RMS is a leaky mean of the square over 300 ms.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.music.score import SAMPLE_RATE

Samples = NDArray[np.float32]

FALL_DB_PER_SECOND = 20.0 / 1.7
HOLD_SECONDS = 1.5
RMS_SECONDS = 0.3


class Meters:
    """Linear levels (channels,) of the sound passed to `measure`."""

    def __init__(
        self, sample_rate: int = SAMPLE_RATE, channels: int = 2, max_frames: int = 8192
    ) -> None:
        self._rate = sample_rate
        self._hold_left = np.zeros(channels)
        self._square = np.zeros(channels)
        self._work = np.zeros((max_frames, channels), np.float32)
        self._block_peak = np.zeros(channels, np.float32)
        self._block_square = np.zeros(channels, np.float32)
        self.peak = np.zeros(channels)
        self.hold = np.zeros(channels)
        self.rms = np.zeros(channels)

    def measure(self, sound: Samples) -> None:
        """Measure sound (n, channels)."""
        n = len(sound)
        if n == 0:
            return
        seconds = n / self._rate
        fall = 10.0 ** (-FALL_DB_PER_SECOND * seconds / 20.0)
        keep = math.exp(-seconds / RMS_SECONDS)
        work = self._work[:n]
        np.abs(sound, out=work)
        np.maximum.reduce(work, axis=0, out=self._block_peak)
        np.square(work, out=work)
        np.add.reduce(work, axis=0, out=self._block_square)
        for channel in range(len(self.peak)):
            peak = float(self._block_peak[channel])
            self.peak[channel] = max(peak, self.peak[channel] * fall)
            if peak >= self.hold[channel]:
                self.hold[channel] = peak
                self._hold_left[channel] = HOLD_SECONDS
            elif self._hold_left[channel] > 0.0:
                self._hold_left[channel] -= seconds
            else:
                self.hold[channel] = max(peak, self.hold[channel] * fall)
            mean = float(self._block_square[channel]) / n
            self._square[channel] = keep * self._square[channel] + (1.0 - keep) * mean
            self.rms[channel] = math.sqrt(self._square[channel])

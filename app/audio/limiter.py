"""A look-ahead peak limiter. Pure; runs in the audio lane's callback.

The wanted gain ceiling/peak is held by a sliding minimum over the look-ahead, released at a
constant rate, and smoothed by a moving average of the same length: the look-ahead limiter of
Zoelzer (ed.), "DAFX: Digital Audio Effects", 2nd ed., chapter 4, here feed-forward and in blocks.
Because the mean of gains that are all small enough is small enough, no sample leaves above the
ceiling. Below the ceiling it is a plain delay, bit for bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Limiter:
    """Limits (n, channels), delayed by `lookahead` frames; its arrays are made once."""

    def __init__(
        self,
        ceiling: float = 0.97,
        lookahead: int = 96,
        release: int = 4800,
        channels: int = 2,
        most: int = 8192,
    ) -> None:
        """lookahead: frames (also the delay). release: frames from full limiting back to none.

        most: the most frames that one call may bring.
        """
        self.ceiling = ceiling
        self.lookahead = lookahead
        self.lowest = 1.0
        """The lowest gain of the last call; 1 when it left the sound alone."""
        whole = lookahead + most
        self._sound = np.zeros((whole, channels), np.float32)
        self._need = np.ones(whole)  # ceiling / peak of each frame, at most 1
        self._least = np.ones(whole)
        self._spare = np.ones(whole)
        self._held = np.ones(whole)  # least, released at a constant rate
        self._total = np.zeros(whole + 1)
        self._gain = np.ones((most, 1), np.float32)
        self._peak = np.zeros((most, channels), np.float32)
        self._ramp = np.arange(1, most + 1) / release
        self._resting = True

    def process(self, sound: Samples, out: Samples) -> None:
        """Limit sound (n, channels) into out (n, channels)."""
        n, look = len(sound), self.lookahead
        whole = self._sound[: look + n]
        whole[look:] = sound
        peak = self._peak[:n]
        np.abs(sound, out=peak)
        if self._resting and float(peak.max(initial=0.0)) <= self.ceiling:
            out[:] = whole[:n]
            self.lowest = 1.0
        else:
            gain = self._gains(peak, n)
            np.multiply(whole[:n], gain, out=out)
            self.lowest = float(gain.min(initial=1.0))
        whole[:look] = whole[n:]

    def _gains(self, peak: Samples, n: int) -> Samples:
        look, width = self.lookahead, self.lookahead + 1
        need, held = self._need[: look + n], self._held[: look + n]
        fresh = need[look:]
        np.maximum.reduce(peak, axis=1, out=fresh)
        np.maximum(fresh, self.ceiling, out=fresh)
        np.divide(self.ceiling, fresh, out=fresh)

        # The least of the last `width` needs, by doubling the span that is covered.
        least, spare = self._least[: look + n], self._spare[: look + n]
        least[:] = need
        span = 1
        while span < width:
            step = min(span, width - span)
            spare[:step] = least[:step]
            np.minimum(least[step:], least[:-step], out=spare[step:])
            least, spare = spare, least
            span += step

        # held[i] = min(least[i], held[i - 1] + slope), without a loop over frames.
        now, ramp = held[look:], self._ramp[:n]
        before = float(held[look - 1])
        np.subtract(least[look:], ramp, out=now)
        now[0] = min(float(now[0]), before)
        np.minimum.accumulate(now, out=now)
        np.add(now, ramp, out=now)
        np.minimum(now, 1.0, out=now)

        # The mean of the last `width` of them.
        total = self._total[: look + n + 1]
        total[0] = 0.0
        np.cumsum(held, out=total[1:])
        mean = spare[:n]
        np.subtract(total[width:], total[:n], out=mean)
        np.divide(mean, width, out=mean)
        gain = self._gain[:n]
        gain[:, 0] = mean

        need[:look] = need[n:]
        held[:look] = held[n:]
        self._resting = min(float(need[:look].min()), float(held[:look].min())) > 1.0 - 1e-9
        if self._resting:
            need[:look] = 1.0
            held[:look] = 1.0
        return gain

"""Look-ahead peak limiter for the audio callback.

The target gain ceiling/peak is held by a sliding minimum over the look-ahead, released at a
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
    """Limiter for (n, channels) that delays by `lookahead` frames; its arrays are made once."""

    def __init__(
        self,
        ceiling: float = 0.97,
        lookahead: int = 96,
        release: int = 4800,
        channels: int = 2,
        max_frames: int = 8192,
    ) -> None:
        """lookahead: frames (also the delay). release: frames from full limiting back to none.

        max_frames: of one call.
        """
        self.ceiling = ceiling
        self.lookahead = lookahead
        self.min_gain = 1.0
        """Lowest gain of the last call, at most 1."""
        whole = lookahead + max_frames
        self._sound = np.zeros((whole, channels), np.float32)
        self._target = np.ones(whole)  # ceiling / peak of each frame, at most 1
        self._minimum = np.ones(whole)
        self._scratch = np.ones(whole)
        self._released = np.ones(whole)  # window minimum, released at a constant rate
        self._total = np.zeros(whole + 1)
        self._gain = np.ones((max_frames, 1), np.float32)
        self._peak = np.zeros((max_frames, channels), np.float32)
        self._ramp = np.arange(1, max_frames + 1) / release
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
            self.min_gain = 1.0
        else:
            gain = self._gains(peak, n)
            np.multiply(whole[:n], gain, out=out)
            self.min_gain = float(gain.min(initial=1.0))
        whole[:look] = whole[n:]

    def _gains(self, peak: Samples, n: int) -> Samples:
        look, width = self.lookahead, self.lookahead + 1
        target, released = self._target[: look + n], self._released[: look + n]
        fresh = target[look:]
        np.maximum.reduce(peak, axis=1, out=fresh)
        np.maximum(fresh, self.ceiling, out=fresh)
        np.divide(self.ceiling, fresh, out=fresh)

        # Minimum of the last `width` target gains, by doubling the span that is covered.
        minimum, scratch = self._minimum[: look + n], self._scratch[: look + n]
        minimum[:] = target
        span = 1
        while span < width:
            step = min(span, width - span)
            scratch[:step] = minimum[:step]
            np.minimum(minimum[step:], minimum[:-step], out=scratch[step:])
            minimum, scratch = scratch, minimum
            span += step

        # released[i] = min(minimum[i], released[i - 1] + slope), without a loop over frames.
        now, ramp = released[look:], self._ramp[:n]
        before = float(released[look - 1])
        np.subtract(minimum[look:], ramp, out=now)
        now[0] = min(float(now[0]), before)
        np.minimum.accumulate(now, out=now)
        np.add(now, ramp, out=now)
        np.minimum(now, 1.0, out=now)

        # Mean of the last `width` of them.
        total = self._total[: look + n + 1]
        total[0] = 0.0
        np.cumsum(released, out=total[1:])
        mean = scratch[:n]
        np.subtract(total[width:], total[:n], out=mean)
        np.divide(mean, width, out=mean)
        gain = self._gain[:n]
        gain[:, 0] = mean

        target[:look] = target[n:]
        released[:look] = released[n:]
        self._resting = min(float(target[:look].min()), float(released[:look].min())) > 1.0 - 1e-9
        if self._resting:
            target[:look] = 1.0
            released[:look] = 1.0
        return gain

"""What the audio lane's callback does, without PortAudio. Audio lane.

From the plan to the device: read, fade (dry or paused), limit, tap for the recording, volume,
meters. The limiter comes before the volume, so that a recording does not depend on the volume.
Nothing here allocates sample memory, logs or waits; arrays are made once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.audio import shared_memory as s
from app.audio.fades import UnderrunFade
from app.audio.limiter import Limiter
from app.audio.meters import Meters
from app.audio.ring import PlanRing, TapRing

Samples = NDArray[np.float32]

MOST = 2048
"""Frames handled at a time; longer callbacks are taken in pieces."""

QUICKLY = 8
"""How many times faster than usual to fade out before a rewrite that is met half done."""


@dataclass(frozen=True)
class CallbackSettings:
    """Lengths in frames at 48 kHz."""

    fade: int = 960
    rebuffer: int = 12_000
    lookahead: int = 96
    volume_fade: int = 1440


class CallbackRenderer:
    """Reads the plan and fills the device's buffer. One per audio process."""

    def __init__(
        self,
        words: NDArray[np.int64],
        floats: NDArray[np.float64],
        plan: Samples,
        tap: Samples,
        settings: CallbackSettings | None = None,
    ) -> None:
        settings = settings or CallbackSettings()
        channels = plan.shape[1]
        self.words, self.floats = words, floats
        self.ring = PlanRing(words, plan)
        self.tap = TapRing(words, tap)
        self.fade = UnderrunFade(settings.fade, settings.rebuffer, MOST)
        self.limiter = Limiter(lookahead=settings.lookahead, channels=channels, most=MOST)
        self.meters = Meters(channels=channels, most=MOST)
        self._block = np.zeros((MOST, channels), np.float32)
        self._limited = np.zeros((MOST, channels), np.float32)
        self._heard = np.zeros((MOST, channels), np.float32)
        # Which of the frames inside the limiter came from the plan: they go into the tap.
        self._real = np.zeros(settings.lookahead + MOST, np.bool_)
        self._volume = float(floats[s.VOLUME])
        self._volume_step = 1.0 / settings.volume_fade
        self._ramp = np.arange(1, MOST + 1, dtype=np.float32)[:, None]
        self._gain = np.ones((MOST, 1), np.float32)
        self._panic = int(words[s.PANIC_DONE])
        self._catch_up_tap()

    def _catch_up_tap(self) -> None:
        """Frames that died inside a former process's limiter go into the tap as planned."""
        start, read = self.tap.end, self.ring.read
        if start < read:
            start = max(start, read - self.tap.capacity // 2, self.ring.end - self.ring.capacity)
            self.words[s.TAP_END] = start
            self.tap.append(self.ring.copy(start, read))

    def process(self, out: Samples) -> None:
        """Fill out (n, channels) with what comes next."""
        for start in range(0, len(out), MOST):
            self._process(out[start : start + MOST])
        words, floats = self.words, self.floats
        floats[s.READ_TIME] = time.monotonic()
        words[s.CALLBACKS] += 1

    def _process(self, out: Samples) -> None:
        words, floats = self.words, self.floats
        n = len(out)
        ring, fade = self.ring, self.fade
        read = ring.read
        available = ring.end - read
        block = self._block[:n]

        panic = int(words[s.PANIC])
        wanted = bool(words[s.PLAYING]) and panic == self._panic
        quick = 4 if panic != self._panic else 1
        met = ring.rewriting(read, min(available, n + fade.length // QUICKLY))
        if met is not None:
            available, quick = max(0, met - read), QUICKLY
        was_short = fade.short
        take = fade.plan(n, available, wanted, quick)
        if fade.short and not was_short:
            if met is not None:
                words[s.AVOIDED] += 1
            elif words[s.DRAINING]:
                fade.short = False
            else:
                words[s.UNDERRUNS] += 1
        if take and not ring.read_into(read, block[:take]):
            words[s.AVOIDED] += 1
        if take < n:
            block[take:] = 0.0
        np.multiply(block, fade.gain[:n], out=block)
        if take:
            ring.advance(take)
        if panic != self._panic and fade.silent:
            self._panic = panic
            words[s.PLAYING] = 0
            words[s.PANIC_DONE] = panic

        limited = self._limited[:n]
        self.limiter.process(block, limited)
        self._put_tap(limited, take, n)
        self._turn_volume(limited, out, n)
        self.meters.measure(out)

        meters = self.meters
        floats[s.GAIN] = fade.phase
        floats[s.PEAK : s.PEAK + 2] = meters.peak
        floats[s.HOLD : s.HOLD + 2] = meters.hold
        floats[s.RMS : s.RMS + 2] = meters.rms
        floats[s.LIMITING] = self.limiter.lowest
        if self.limiter.lowest < floats[s.LOWEST_LIMITING]:
            floats[s.LOWEST_LIMITING] = self.limiter.lowest

    def _put_tap(self, limited: Samples, take: int, n: int) -> None:
        look = self.limiter.lookahead
        real = self._real[: look + n]
        real[look : look + take] = True
        real[look + take :] = False
        heard = int(np.count_nonzero(real[:n]))
        if heard == n:
            self.tap.append(limited)
        elif heard:
            kept = self._heard[:heard]
            np.compress(real[:n], limited, axis=0, out=kept)
            self.tap.append(kept)
        real[:look] = real[n:]

    def _turn_volume(self, limited: Samples, out: Samples, n: int) -> None:
        wanted = float(self.floats[s.VOLUME])
        if wanted == self._volume:
            if wanted == 1.0:
                out[:] = limited
            else:
                np.multiply(limited, np.float32(wanted), out=out)
            return
        step = self._volume_step if wanted > self._volume else -self._volume_step
        gain = self._gain[:n]
        np.multiply(self._ramp[:n], np.float32(step), out=gain)
        np.add(gain, np.float32(self._volume), out=gain)
        low, high = min(wanted, self._volume), max(wanted, self._volume)
        np.clip(gain, np.float32(low), np.float32(high), out=gain)
        np.multiply(limited, gain, out=out)
        self._volume = wanted if float(gain[-1, 0]) == np.float32(wanted) else float(gain[-1, 0])

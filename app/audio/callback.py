"""Audio callback without PortAudio: from the plan to the device's buffer.

Reads the plan, fades (pause or underrun), limits, copies into the tap for the recording, applies
the volume, adds the monitored input, meters. The limiter comes before the volume, so that a
recording does not depend on it.
Nothing here allocates sample memory, logs or waits; arrays are made once.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.audio import shared_memory as s
from app.audio.fades import UnderrunFade
from app.audio.input.clock_map import ClockMap
from app.audio.input.history import InputHistory
from app.audio.input.monitor import InputMonitor
from app.audio.limiter import Limiter
from app.audio.meters import Meters
from app.audio.outputs.part_outputs import PartOutputs
from app.audio.outputs.routes import Routes
from app.audio.ring import PlanRing, TapRing

Samples = NDArray[np.float32]

MAX_FRAMES = 2048
"""Frames processed at a time; longer callbacks are split."""


@dataclass(frozen=True)
class CallbackSettings:
    """Lengths in frames at 48 kHz."""

    fade: int = 960
    rebuffer: int = 12_000
    lookahead: int = 96
    volume_fade: int = 1440


class CallbackRenderer:
    """Renderer of the device's buffer from the plan. One per audio process."""

    def __init__(
        self,
        words: NDArray[np.int64],
        floats: NDArray[np.float64],
        plan: Samples,
        tap: Samples,
        settings: CallbackSettings | None = None,
        history: InputHistory | None = None,
        rewrites: Samples | None = None,
    ) -> None:
        """history: the input, where it may be monitored. rewrites: the halves of a plan that is
        written by another thread or process.
        """
        settings = settings or CallbackSettings()
        channels = plan.shape[1]
        self.words, self.floats = words, floats
        self.ring = PlanRing(words, plan, halves=rewrites)
        self.tap = TapRing(words, tap)
        self.fade = UnderrunFade(settings.fade, settings.rebuffer, MAX_FRAMES)
        self.limiter = Limiter(
            lookahead=settings.lookahead, channels=channels, max_frames=MAX_FRAMES
        )
        self.clock_map = ClockMap(words)
        self.monitor = None if history is None else InputMonitor(words, floats, history, MAX_FRAMES)
        self.meters = Meters(channels=channels, max_frames=MAX_FRAMES)
        self.parts: PartOutputs | None = None
        """Of the open device, where it has channels for parts."""
        self._block = np.zeros((MAX_FRAMES, channels), np.float32)
        self._limited = np.zeros((MAX_FRAMES, channels), np.float32)
        self._played = np.zeros((MAX_FRAMES, channels), np.float32)
        # Whether each frame inside the limiter came from the plan: only those go into the tap.
        self._from_plan = np.zeros(settings.lookahead + MAX_FRAMES, np.bool_)
        self._volume = float(floats[s.VOLUME])
        self._volume_step = 1.0 / settings.volume_fade
        self._ramp = np.arange(1, MAX_FRAMES + 1, dtype=np.float32)[:, None]
        self._gain = np.ones((MAX_FRAMES, 1), np.float32)
        self._panic = int(words[s.PANIC_DONE])
        self._catch_up_tap()

    def route(self, stems: Samples, routes: Routes) -> None:
        """Send parts to channels of their own. Only while no device is open.

        Args:
            stems: ring of the parts, float32 (frames, 2 * parts).
            routes: for which the device has channels.

        """
        look, parts = self.limiter.lookahead, None
        if routes:
            parts = PartOutputs(self.words, stems, routes, look, MAX_FRAMES, self.ring.rewrites)
        self.parts = parts

    def _catch_up_tap(self) -> None:
        """Copy frames that a former process had in its limiter from the plan into the tap."""
        start, read = self.tap.end, self.ring.read
        if start < read:
            start = max(start, read - self.tap.capacity // 2, self.ring.end - self.ring.capacity)
            self.words[s.TAP_END] = start
            self.tap.append(self.ring.copy(start, read))

    def process(self, out: Samples) -> None:
        """Fill out (n, channels) with the next frames; channels behind the mix are the parts'."""
        for start in range(0, len(out), MAX_FRAMES):
            self._process(out[start : start + MAX_FRAMES])
        words, floats = self.words, self.floats
        floats[s.READ_TIME] = time.monotonic()
        words[s.CALLBACKS] += 1

    def _process(self, whole: Samples) -> None:
        out = whole[:, : self._block.shape[1]]
        words, floats = self.words, self.floats
        n = len(out)
        ring, fade = self.ring, self.fade
        read = ring.read
        ring.look()
        available = ring.end - read
        block = self._block[:n]

        panic = int(words[s.PANIC])
        playing = bool(words[s.PLAYING]) and panic == self._panic
        speed = 4 if panic != self._panic else 1
        was_underrun = fade.underrun
        take = fade.next_gains(n, available, playing, speed)
        if fade.underrun and not was_underrun:
            words[s.UNDERRUNS] += 1
        if take:
            ring.read_into(read, block[:take])
        if take < n:
            block[take:] = 0.0
        np.multiply(block, fade.gain[:n], out=block)
        if take:
            ring.advance(take)
        clock = int(words[s.CLOCK])
        words[s.CLOCK] = clock + n
        if take < n:
            self.clock_map.stood(clock + n, read + take)
        if panic != self._panic and fade.silent:
            self._panic = panic
            words[s.PLAYING] = 0
            words[s.PANIC_DONE] = panic

        limited = self._limited[:n]
        self.limiter.process(block, limited)
        self._write_tap(limited, take, n)
        self._apply_volume(limited, out, n)
        if self.parts is not None:
            self.parts.process(whole, read, take, fade.gain[:n])
        if self.monitor is not None:
            # What leaves the limiter now went into it a little earlier.
            self.monitor.mix(out, clock - self.limiter.lookahead)
        self.meters.measure(out)

        meters = self.meters
        floats[s.GAIN] = fade.phase
        floats[s.PEAK : s.PEAK + 2] = meters.peak
        floats[s.HOLD : s.HOLD + 2] = meters.hold
        floats[s.RMS : s.RMS + 2] = meters.rms
        floats[s.LIMITING] = self.limiter.min_gain
        if self.limiter.min_gain < floats[s.LOWEST_LIMITING]:
            floats[s.LOWEST_LIMITING] = self.limiter.min_gain

    def _write_tap(self, limited: Samples, take: int, n: int) -> None:
        look = self.limiter.lookahead
        from_plan = self._from_plan[: look + n]
        from_plan[look : look + take] = True
        from_plan[look + take :] = False
        count = int(np.count_nonzero(from_plan[:n]))
        if count == n:
            self.tap.append(limited)
        elif count:
            played = self._played[:count]
            np.compress(from_plan[:n], limited, axis=0, out=played)
            self.tap.append(played)
        from_plan[:look] = from_plan[n:]

    def _apply_volume(self, limited: Samples, out: Samples, n: int) -> None:
        target = float(self.floats[s.VOLUME])
        if target == self._volume:
            if target == 1.0:
                out[:] = limited
            else:
                np.multiply(limited, np.float32(target), out=out)
            return
        step = self._volume_step if target > self._volume else -self._volume_step
        gain = self._gain[:n]
        np.multiply(self._ramp[:n], np.float32(step), out=gain)
        np.add(gain, np.float32(self._volume), out=gain)
        low, high = min(target, self._volume), max(target, self._volume)
        np.clip(gain, np.float32(low), np.float32(high), out=gain)
        np.multiply(limited, gain, out=out)
        self._volume = target if float(gain[-1, 0]) == np.float32(target) else float(gain[-1, 0])

"""Converter from a device's raw input to the ring on the output's clock.

soxr's stream with a variable ratio does both: it converts the rate, and follows the two devices'
clocks, which are never quite the same. The ratio is that of the two filtered clocks, with a small
correction that draws the input back to its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from app.audio.input.clock_filter import ClockFilter
from app.audio.input.history import InputHistory
from app.audio.input.howl import HowlGuard
from app.audio.input.shaping import GAIN_SECONDS, Gate, LowCut, Ramp
from app.audio.input.shared_clock import OutputClock
from app.audio.meters import Meters
from app.audio.shared_memory import CHANNELS, SAMPLE_RATE

Samples = NDArray[np.float32]

MAX_FRAMES: Final = 4096
MAX_DEVIATION: Final = 0.005
"""Largest deviation of two clocks that is followed; real ones stay within a tenth of it."""
RETURN_SECONDS: Final = 2.0
"""Time in which a misplaced input returns to its place."""
JUMP_SECONDS: Final = 0.004
"""Misplacement after which it jumps: frames were lost, or the output stood still."""
CLIP_LEVEL: Final = 0.999


@dataclass(frozen=True)
class InputLevels:
    """What the performer sets while playing, linear: gain (0 is muted), gate (0 is none)."""

    gain: float = 1.0
    gate: float = 0.0


class InputConverter:
    """Converter of one open device.

    Args:
        rate: of the device, in Hz.
        history: where the input goes.
        low_cut: Hz; 0 for none.

    """

    def __init__(self, rate: int, history: InputHistory, low_cut: float = 0.0) -> None:
        self.history = history
        self.meters = Meters(max_frames=2 * MAX_FRAMES)
        self.clips = self.jumps = self.invalid = 0
        self.raw_peak = 0.0
        self.error = 0.0
        self._ratio = self._nominal = rate / SAMPLE_RATE
        self._stream = soxr.ResampleStream(
            rate * (1.0 + 2.0 * MAX_DEVIATION), SAMPLE_RATE, CHANNELS, dtype="float32", vr=True
        )
        self._set_ratio(self._nominal)
        self._consumed = 0.0
        self._position: int | None = None
        self._low_cut, self._gate, self._gain = LowCut(low_cut), Gate(), Ramp(1.0)
        self.guard, self._duck = HowlGuard(), Ramp(1.0)

    def process(
        self,
        raw: Samples,
        input_clock: ClockFilter,
        output_clock: OutputClock,
        latency: float,
        levels: InputLevels,
    ) -> None:
        """Convert raw frames (n, 1 or 2) and write them into the history.

        Args:
            raw: as the device gave them, in order.
            input_clock: of the device.
            output_clock: in frames at 48 kHz, as the history counts.
            latency: seconds from a frame's way into the output to its return at the input.
            levels: gain and gate.

        """
        stereo = np.repeat(raw, CHANNELS, axis=1) if raw.shape[1] == 1 else raw
        stereo = self._checked(stereo)
        sound = self._stream.resample_chunk(np.ascontiguousarray(stereo))
        n = len(sound)
        if n == 0:
            return
        # soxr's output is not late: its frame k is the input at k times the ratio.
        self._consumed += n * self._ratio
        if not (input_clock.ready and output_clock.ready):
            return
        due = output_clock.frames_at(input_clock.time_at(self._consumed)) - latency * SAMPLE_RATE
        if self._position is None or abs(due - self._position - n) > JUMP_SECONDS * SAMPLE_RATE:
            if due < n:
                return  # it was played before anything was heard
            self.jumps += self._position is not None
            self._position = round(due) - n
        self.history.write(self._position, self._shaped(sound, levels))
        self._position += n
        self.error = (due - self._position) / SAMPLE_RATE
        ratio = output_clock.period / input_clock.period * (1.0 - self.error / RETURN_SECONDS)
        low, high = 1.0 - MAX_DEVIATION, 1.0 + MAX_DEVIATION
        self._set_ratio(min(max(ratio, low * self._nominal), high * self._nominal))

    def skip(self, frames: int) -> None:
        """Note that frames of the device never came here."""
        self._consumed += frames

    def _set_ratio(self, ratio: float) -> None:
        self._ratio = ratio
        self._stream.set_io_ratio(ratio * SAMPLE_RATE, SAMPLE_RATE, 0)

    def _checked(self, sound: Samples) -> Samples:
        """The sound without values that are not numbers, limited to a sane range."""
        peak = float(np.abs(sound).max(initial=0.0))
        if not np.isfinite(peak):
            self.invalid += 1
            sound = np.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0)
            peak = float(np.abs(sound).max(initial=0.0))
        self.raw_peak = max(self.raw_peak, peak)
        self.clips += peak >= CLIP_LEVEL
        return sound if peak <= 4.0 else np.clip(sound, -4.0, 4.0)

    def _shaped(self, sound: Samples, levels: InputLevels) -> Samples:
        sound = self._low_cut.process(sound)
        sound = sound * self._gain.gains(levels.gain, len(sound), GAIN_SECONDS)
        self.meters.measure(sound)
        sound = self._gate.process(sound, levels.gate)
        target = self.guard.target(sound)
        if target == self._duck.value == 1.0:
            return sound
        return sound * self._duck.gains(target, len(sound), self.guard.seconds)

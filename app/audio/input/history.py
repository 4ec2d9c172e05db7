"""History of the input: the last seconds of what the performer played, by plan position.

This is the one place from which others read the input: the style prompt, and whatever an engine's
stream is to hear of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.audio.input.clock_map import ClockMap
from app.audio.ring import put, take
from app.audio.shared_memory import INPUT_END, INPUT_RUNNING, SAMPLE_RATE, fence

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class InputBlock:
    """What was played while a stretch of the plan was heard.

    position: plan position of the first frame. samples: float32 (n, 2) at 48 kHz, one for each
    frame of the plan. known: how many of them have come in; the rest, still to come, are zero.
    """

    position: int
    samples: Samples
    known: int


class InputHistory:
    """Ring of the input on the output's clock. Written by the audio process, read by any other.

    Args:
        words: the words of the shared memory.
        data: the ring, float32 (frames, 2).

    """

    def __init__(self, words: NDArray[np.int64], data: Samples) -> None:
        self.words, self.data = words, data
        self.clock_map = ClockMap(words)

    @property
    def running(self) -> bool:
        """Whether an input is open."""
        return bool(self.words[INPUT_RUNNING])

    @property
    def end(self) -> int:
        """Frame of the output's clock before which the input is there."""
        return int(self.words[INPUT_END])

    def write(self, position: int, frames: Samples) -> None:
        """Store frames (n, 2) at a frame of the output's clock; a gap before them is silence."""
        end, size = self.end, len(self.data)
        if position > end:
            gap = min(position - end, size)
            put(self.data, position - gap, np.zeros((gap, self.data.shape[1]), np.float32))
        put(self.data, position, frames[-size:])
        fence()
        self.words[INPUT_END] = position + len(frames)

    def copy(self, start: int, stop: int) -> Samples:
        """Input at frames start..stop of the output's clock; silence where there is none."""
        out = np.zeros((stop - start, self.data.shape[1]), np.float32)
        end = self.end
        low = max(start, 0, end - len(self.data) + SAMPLE_RATE // 4)
        high = min(stop, end)
        if low < high:
            take(self.data, low, out[low - start : high - start])
        return out

    def latest(self, seconds: float) -> Samples:
        """The last seconds of input, float32 (n, 2) at 48 kHz, the newest last."""
        end = self.end
        return self.copy(end - round(seconds * SAMPLE_RATE), end)

    def at_plan(self, start: int, stop: int) -> InputBlock:
        """What was played while plan positions start..stop were heard."""
        clocks = self.clock_map.clocks_of(start, stop)
        end = self.end
        there = (clocks < end) & (clocks >= max(0, end - len(self.data) + SAMPLE_RATE // 4))
        samples = self.data[clocks % len(self.data)]
        samples[~there] = 0.0
        return InputBlock(start, samples, int(np.searchsorted(clocks, end)))

"""Shared memory of the instrument's process and those beside it: audio, input and ears.

One block of `multiprocessing.shared_memory`: a page of 64-bit integer words, a page of 64-bit
floats, the plan (a ring of interleaved float32 frames), the tap (another such ring, of the output),
the input (a third, of what comes in), the parts beside the plan, and the two halves of the plan's
rewrites. Each word has one writer, named below.

A word is eight bytes at an address divisible by eight, so a store or a load of it is never torn on
the machines we run on (x86-64, AArch64). Order between words and samples is kept by `fence`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from multiprocessing import shared_memory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.music.score import PARTS, SAMPLE_RATE

CHANNELS: Final = 2
STEMS: Final = CHANNELS * len(PARTS)

# Words that the inference thread or the GUI thread writes.
END: Final = 0  # the plan ends before this position
REWRITE_BEGUN: Final = 1  # counts rewrites of the plan, see `rewrite_buffer`
REWRITE_OFFER: Final = 2  # number of the one that is offered; 0: none
PLAYING: Final = 4  # 1 play, 0 fade out and keep the position
PANIC: Final = 5  # counts requests for silence at once
RESET_WORST: Final = 7  # counts requests to forget the worst callback time
CLICK: Final = 8  # counts requests for a click of the loopback test
STEM_CHANNELS: Final = 9  # channels of the parts' sound beside the plan; 0: none
REWRITE_FROM: Final = 10  # two: positions of the rewrites in the two halves
REWRITE_TO: Final = 12

# Words that the audio process writes, and of the input its own process.
READ: Final = 16  # the next frame that will be read
TAP_END: Final = 17
CALLBACKS: Final = 18
UNDERRUNS: Final = 19  # the plan ran dry while playing
XRUNS: Final = 20  # PortAudio said that the device ran dry
REWRITE_ANSWER: Final = 21  # twice the number of the rewrite decided on, and 1 if it was taken
PANIC_DONE: Final = 22
HEARTBEAT: Final = 23
DEVICE_RATE: Final = 24
BUFFER: Final = 25
IS_NULL: Final = 26
RUNNING: Final = 27
CLOCK: Final = 28  # frames given to the output device, silence included: the output's clock
CLICK_DONE: Final = 29
CLICK_AT: Final = 30  # on the output's clock
CLOCK_SEQ: Final = 31  # odd while CLOCK_LINE is being written
INPUT_RUNNING: Final = 32
INPUT_END: Final = 33  # the input is there before this frame of the output's clock
INPUT_RATE: Final = 34
INPUT_LOST: Final = 35  # blocks that the device reported as lost
INPUT_JUMPS: Final = 36  # times that the input had to be set to another place of the clock
INPUT_CLIPS: Final = 37  # blocks with samples at full scale
INPUT_FRAMES: Final = 38  # frames that the device gave since it was opened
INPUT_SKIPPED: Final = 39  # those of them that were not taken in time
ANCHOR_COUNT: Final = 63
ANCHORS: Final = 64  # pairs of words, see `input.clock_map`
MAX_ANCHORS: Final = 64
WORDS: Final = ANCHORS + 2 * MAX_ANCHORS

# Floats that the inference thread or the GUI thread writes.
VOLUME: Final = 0
INPUT_GAIN: Final = 1  # linear; 0 is muted
INPUT_GATE: Final = 2  # linear level below which the input is silenced; 0: none
INPUT_MONITOR: Final = 3  # linear level of the input in the output; 0: none

# Floats that the audio process writes, and of the input its own process.
GAIN: Final = 16  # the fade, 0 to 1
WORST_MS: Final = 17
PEAK: Final = 18  # two of each
HOLD: Final = 20
RMS: Final = 22
LIMITING: Final = 24  # lowest gain of the limiter in the last callback
LOWEST_LIMITING: Final = 25  # and since the start
LATENCY: Final = 26  # seconds from the callback to the ear
READ_TIME: Final = 27  # time.monotonic() when READ was written
INPUT_PEAK: Final = 32  # two of each
INPUT_HOLD: Final = 34
INPUT_LATENCY: Final = 36  # seconds from output to input that were compensated
INPUT_ERROR: Final = 37  # seconds by which the input is off its place on the clock
CLOCK_LINE: Final = 40  # three, see `input.shared_clock`
FLOATS: Final = 64

_PAGE: Final = 2048  # bytes of one table

_fence_lock = threading.Lock()


def fence() -> None:
    """Memory barrier between earlier stores and later stores or loads.

    x86 needs no fence between stores, AArch64 does. Taking and releasing a lock twice is a full
    barrier on both: nothing before the first release moves after it, nothing after the second
    acquire moves before it, and the two cannot pass each other.
    """
    with _fence_lock:
        pass
    with _fence_lock:
        pass


@dataclass(frozen=True)
class Layout:
    """Frames in the rings of the plan, the tap and the input, and in each half of the rewrites."""

    plan_frames: int = 20 * SAMPLE_RATE  # a slow engine is played from a deep plan
    tap_frames: int = 8 * SAMPLE_RATE
    input_frames: int = 40 * SAMPLE_RATE
    rewrite_frames: int = SAMPLE_RATE

    @property
    def nbytes(self) -> int:
        frames = self.plan_frames + self.tap_frames + self.input_frames
        rewrites = 2 * (CHANNELS + STEMS) * self.rewrite_frames
        return 2 * _PAGE + 4 * (CHANNELS * frames + STEMS * self.plan_frames + rewrites)


class SharedAudio:
    """Shared block, created by the parent and attached to by the processes beside it.

    words: int64 (WORDS,). floats: float64 (FLOATS,). plan, tap, input: float32 (frames,
    2), stems: (frames, 2 * parts), rewrites: (2, frames, 2 + 2 * parts); memory of the last three
    is not in use before it is written. References to these arrays must be dropped before `close`.
    """

    def __init__(self, layout: Layout, name: str | None = None) -> None:
        self.layout = layout
        self._owner = name is None
        if name is None:
            self._memory = shared_memory.SharedMemory(create=True, size=layout.nbytes)
        else:
            self._memory = shared_memory.SharedMemory(name=name)
        buffer = self._memory.buf
        self.words: NDArray[np.int64] = np.ndarray(WORDS, np.int64, buffer, 0)
        self.floats: NDArray[np.float64] = np.ndarray(FLOATS, np.float64, buffer, _PAGE)
        rings: list[NDArray[np.float32]] = []
        offset = 2 * _PAGE
        for frames in (layout.plan_frames, layout.tap_frames, layout.input_frames):
            rings.append(np.ndarray((frames, CHANNELS), np.float32, buffer, offset))
            offset += 4 * CHANNELS * frames
        self.plan, self.tap, self.input = rings
        self.stems: NDArray[np.float32] = np.ndarray(
            (layout.plan_frames, STEMS), np.float32, buffer, offset
        )
        offset += 4 * STEMS * layout.plan_frames
        self.rewrites: NDArray[np.float32] = np.ndarray(
            (2, layout.rewrite_frames, CHANNELS + STEMS), np.float32, buffer, offset
        )
        self._closed = False
        if self._owner:
            self.words[:] = 0
            self.floats[:] = 0.0
            self.floats[VOLUME] = self.floats[INPUT_GAIN] = 1.0
            self.floats[LIMITING] = self.floats[LOWEST_LIMITING] = 1.0

    @property
    def name(self) -> str:
        return self._memory.name

    def close(self) -> None:
        """Release the memory; the owner removes it. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        del self.words, self.floats, self.plan, self.tap, self.input, self.stems, self.rewrites
        if self._owner:
            self._memory.unlink()
        self._memory.close()

"""Lock-free rings of interleaved float32 frames with 64-bit positions: plan and tap.

Each has one writer and one reader. The plan's writer (inference thread) appends at `end` and may
rewrite what the reader (audio process) has not reached. The reader must never play a mixture of old
and new samples, so the order of writing is:

append: samples, a fence, then END. The reader never reads past END.

rewrite: the new samples go into a `RewriteBuffer`, which the reader takes from one reading to the
next as a whole or not at all; where it has taken them they are copied into the ring. So wherever
the system suspends the writer, nothing is torn, and a rewrite may begin just ahead of the reader.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.audio.rewrite_buffer import RewriteBuffer
from app.audio.shared_memory import CHANNELS, END, READ, TAP_END, WORDS, fence

Samples = NDArray[np.float32]


def put(data: Samples, position: int, frames: Samples) -> None:
    """Store frames (n, channels) in a ring at a position. n is at most the ring's length."""
    size = len(data)
    start = position % size
    first = min(len(frames), size - start)
    data[start : start + first] = frames[:first]
    if first < len(frames):
        data[: len(frames) - first] = frames[first:]


def take(data: Samples, position: int, out: Samples) -> None:
    """Fill out (n, channels) from a ring at a position."""
    size = len(data)
    start = position % size
    first = min(len(out), size - start)
    out[:first] = data[start : start + first]
    if first < len(out):
        out[first:] = data[: len(out) - first]


class PlanRing:
    """Ring of the plan: frames ahead of the reader, and some behind it."""

    def __init__(
        self,
        words: NDArray[np.int64],
        data: Samples,
        beside: Samples | None = None,
        halves: Samples | None = None,
    ) -> None:
        """beside: memory for the parts' sound, (frames, channels), where others read it too.
        halves: memory of the `RewriteBuffer`; None where writer and reader are one thread.
        """
        self.words = words
        self.data, self.beside = data, beside
        self.rewrites = None if halves is None else RewriteBuffer(words, halves)
        self.capacity = len(data)

    @classmethod
    def local(cls, capacity: int, channels: int = CHANNELS) -> PlanRing:
        """Ring in this process's own memory."""
        words, data = np.zeros(WORDS, np.int64), np.zeros((capacity, channels), np.float32)
        return cls(words, data, None, np.zeros((2, capacity, channels), np.float32))

    @property
    def end(self) -> int:
        return int(self.words[END])

    @property
    def read(self) -> int:
        return int(self.words[READ])

    @property
    def depth(self) -> int:
        """Frames planned and not yet read."""
        return self.end - self.read

    # The writer's side.

    def append(self, frames: Samples) -> None:
        """Add frames (n, channels) at the end. ValueError where they would reach the reader."""
        end = self.end
        if end + len(frames) - self.read > self.capacity:
            raise ValueError("the plan is longer than its ring")
        self._store(end, frames)
        fence()
        self.words[END] = end + len(frames)

    def rewrite(self, start: int, frames: Samples, reading: int) -> bool:
        """Replace the plan from `start` on; it grows if the frames reach beyond its end.

        False, and nothing is written, where the reader has come too close.
        ValueError where it would leave a gap or overrun the ring.

        Args:
            start: plan position of the first frame.
            frames: float32 (n, channels).
            reading: frames that the reader takes at a time; 0 while it is silent.

        """
        end, stop = self.end, start + len(frames)
        if start > end:
            raise ValueError("a rewrite may not leave a gap in the plan")
        if stop - self.read > self.capacity:
            raise ValueError("the plan is longer than its ring")
        if start < self.read + reading:
            return False
        rewrites = self.rewrites
        if rewrites is not None:
            rewrites.offer(start, frames)
            if not rewrites.taken(start, reading):
                rewrites.end()
                return False
        self._store(start, frames)
        fence()
        if stop > end:
            self.words[END] = stop
        if rewrites is not None:
            rewrites.end()
        return True

    def _store(self, position: int, frames: Samples) -> None:
        put(self.data, position, frames)

    def truncate(self, position: int) -> None:
        """Cut the plan at a position. Only while the reader is silent and stands still."""
        if not self.read <= position <= self.end:
            raise ValueError("the plan can only be cut between the reader and its end")
        self.words[END] = position

    def copy(self, start: int, stop: int) -> Samples:
        """Frames start..stop as a new array (stop - start, channels). ValueError if not there."""
        if stop > self.end or start < self.end - self.capacity:
            raise ValueError("the ring no longer holds, or does not yet hold, these frames")
        out = np.empty((stop - start, self.data.shape[1]), np.float32)
        take(self.data, start, out)
        return out

    def copy_played(self, start: int, stop: int) -> Samples:
        """Frames start..stop that the reader has played, otherwise as `copy`. For any thread: what
        the writer has still to copy into the ring is there too.
        """
        rewrites = self.rewrites
        while True:
            number = 0 if rewrites is None else rewrites.unfinished
            out = self.copy(start, stop)
            if rewrites is None or not number or rewrites.complete(number, start, out):
                return out

    # The reader's side.

    def look(self) -> None:
        """Decide on a rewrite that was offered. Before each reading."""
        if self.rewrites is not None:
            self.rewrites.look(self.read)

    def read_into(self, position: int, out: Samples) -> None:
        """Copy frames of the plan from `position` on, where the reader is."""
        take(self.data, position, out)
        while self.rewrites is not None and not self.rewrites.overlay(position, out):
            self.rewrites.look(position)
            take(self.data, position, out)

    def advance(self, frames: int) -> None:
        self.words[READ] += frames


class TapRing:
    """Ring of the output at plan positions, written by the audio process, for the recording."""

    def __init__(self, words: NDArray[np.int64], data: Samples) -> None:
        self.words = words
        self.data = data
        self.capacity = len(data)

    @classmethod
    def local(cls, capacity: int, channels: int = CHANNELS) -> TapRing:
        return cls(np.zeros(WORDS, np.int64), np.zeros((capacity, channels), np.float32))

    @property
    def end(self) -> int:
        return int(self.words[TAP_END])

    def append(self, frames: Samples) -> None:
        """Add frames; the oldest are overwritten."""
        put(self.data, self.end, frames)
        fence()
        self.words[TAP_END] += len(frames)

    def follow(self, position: int, max_frames: int | None = None) -> tuple[int, Samples]:
        """Output from a position on: (first position, a new array (n, channels)).

        It starts later than `position` where frames were overwritten. max_frames: of the array.
        """
        end = self.end
        slack = self.capacity // 8  # the audio process may write that much while this copies
        start = max(position, end - self.capacity + slack, 0)
        stop = end if max_frames is None else min(end, start + max_frames)
        out = np.empty((max(0, stop - start), self.data.shape[1]), np.float32)
        take(self.data, start, out)
        late = self.end - self.capacity
        if late > start:  # overwritten while it was copied
            out = out[late - start :]
            start = late
        return start, out

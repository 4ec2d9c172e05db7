"""Double buffer through which a rewrite of the plan reaches the reader as a whole.

The writer (inference thread) fills one half and offers it by one store; the reader (audio callback)
decides before its next reading: it takes what begins at or behind the frame that it reads next, and
refuses what begins before. While it has taken a rewrite it reads those frames from the half, so
that the writer may copy them into the ring in its own time, and then ends the offer. Whoever looks
back at what was read meanwhile takes them from the half as well. The halves
take turns: what the reader may still be copying is not overwritten by the next rewrite, and where
two have begun since, it sees that and reads again.

Neither side waits for the other, but for a writer that was suspended between its look at the reader
and the offer: it cannot know whether it came in time, and waits for the answer, one reading long.
"""

from __future__ import annotations

import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.audio.shared_memory import (
    READ,
    REWRITE_ANSWER,
    REWRITE_BEGUN,
    REWRITE_FROM,
    REWRITE_OFFER,
    REWRITE_TO,
    fence,
)

Samples = NDArray[np.float32]

ANSWER_SECONDS: Final = 0.1
"""Longest wait for a reader that stands still meanwhile, as its device does."""
POLL_SECONDS: Final = 0.0005


class RewriteBuffer:
    """Both sides of the buffer.

    Args:
        words: of the shared memory, int64.
        halves: float32 (2, frames, channels). Of a longer rewrite they hold the beginning; its rest
            lies so far ahead of the reader that it needs no care.

    """

    def __init__(self, words: NDArray[np.int64], halves: Samples) -> None:
        self._words, self._halves = words, halves
        self._seen = self._taken = 0  # numbers of rewrites: the last one decided on, that in use
        self._from = self._to = 0

    # The writer's side.

    def offer(self, start: int, frames: Samples) -> None:
        """Offer frames (n, channels) from a plan position on."""
        words = self._words
        number = int(words[REWRITE_BEGUN]) + 1
        words[REWRITE_BEGUN] = number
        fence()
        turn = number % 2
        half = self._halves[turn]
        count = min(len(frames), len(half))
        channels = min(frames.shape[1], half.shape[1])
        half[:count, :channels] = frames[:count, :channels]
        words[REWRITE_FROM + turn], words[REWRITE_TO + turn] = start, start + count
        fence()
        words[REWRITE_OFFER] = number
        fence()

    def taken(self, start: int, reading: int) -> bool:
        """Whether the reader plays what was offered from `start` on.

        reading: frames that it takes at a time.
        """
        words = self._words
        if start >= words[READ] + reading:
            return True  # the reading after the present one begins no later
        number, limit = int(words[REWRITE_OFFER]), time.monotonic() + ANSWER_SECONDS
        while words[REWRITE_ANSWER] >> 1 != number:
            if time.monotonic() > limit:
                return False
            time.sleep(POLL_SECONDS)
        return bool(words[REWRITE_ANSWER] & 1)

    def end(self) -> None:
        """The rewrite is in the ring, or was refused."""
        fence()
        self._words[REWRITE_OFFER] = 0

    # The reader's side.

    def look(self, read: int) -> None:
        """Decide on what is offered, before a reading that begins at `read`."""
        words = self._words
        fence()
        number = int(words[REWRITE_OFFER])
        if number == self._seen:
            return
        self._seen, self._taken = number, 0
        if not number:
            return
        turn = number % 2
        self._from, self._to = int(words[REWRITE_FROM + turn]), int(words[REWRITE_TO + turn])
        if words[REWRITE_BEGUN] - number < 2:
            self._taken = number if self._from >= read else 0
            words[REWRITE_ANSWER] = 2 * number + (self._taken > 0)

    def overlay(self, position: int, out: Samples, first: int = 0) -> bool:
        """Put the rewrite's frames over a copy of the ring.

        Args:
            position: plan position of the first frame.
            out: (n, channels).
            first: channel of the rewrite that is the first of `out`.

        Returns:
            False where the half was overwritten meanwhile: look and copy again.

        """
        number = self._taken
        return not number or self._lay(number, (self._from, self._to), position, out, first)

    def _lay(
        self, number: int, span: tuple[int, int], position: int, out: Samples, first: int
    ) -> bool:
        """Put a rewrite's frames over a copy of the ring; as `overlay`."""
        low, high = max(position, span[0]), min(position + len(out), span[1])
        if low < high:
            half = self._halves[number % 2]
            there = half[low - span[0] : high - span[0], first : first + out.shape[1]]
            out[low - position : high - position, : there.shape[1]] = there
            fence()
        return bool(self._words[REWRITE_BEGUN] - number < 2)

    # The side of others, who look back at what was read.

    @property
    def unfinished(self) -> int:
        """Number of a rewrite that the reader has taken and the writer may not have copied into
        the ring yet; 0 for none.
        """
        fence()
        number = int(self._words[REWRITE_OFFER])
        return number if number and self._words[REWRITE_ANSWER] == 2 * number + 1 else 0

    def complete(self, number: int, position: int, out: Samples) -> bool:
        """Put such a rewrite over a copy of the ring that was begun after `unfinished` gave it.

        Arguments and result as those of `overlay`.
        """
        turn = number % 2
        span = int(self._words[REWRITE_FROM + turn]), int(self._words[REWRITE_TO + turn])
        return self._lay(number, span, position, out, 0)

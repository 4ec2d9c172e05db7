"""Clock of the output in shared memory: the audio process writes it, the input's process reads it.

A seqlock: the words' count is odd while the three numbers are written, and a reader whose numbers
were written meanwhile reads again.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.audio.input.clock_filter import ClockFilter
from app.audio.shared_memory import CLOCK_LINE, CLOCK_SEQ, SAMPLE_RATE, fence

TRIES: Final = 8


class OutputClock(Protocol):
    """Frames of the output against time.monotonic(), as far as the input needs them."""

    @property
    def ready(self) -> bool: ...
    @property
    def period(self) -> float: ...
    def frames_at(self, when: float) -> float: ...


class SharedClock:
    """A `ClockFilter` across processes.

    Args:
        words: the words of the shared memory.
        floats: its floats.

    """

    def __init__(self, words: NDArray[np.int64], floats: NDArray[np.float64]) -> None:
        self._words, self._floats = words, floats
        self._line: tuple[float, float, float] | None = None  # as last read

    def publish(self, clock: ClockFilter) -> None:
        """Write what a clock says now; for the audio process."""
        line, words, floats = clock.line, self._words, self._floats
        if line is None:
            return
        writing = int(words[CLOCK_SEQ]) | 1  # odd, also where a writer was killed in the middle
        words[CLOCK_SEQ] = writing
        fence()
        floats[CLOCK_LINE], floats[CLOCK_LINE + 1], floats[CLOCK_LINE + 2] = line
        fence()
        words[CLOCK_SEQ] = writing + 1

    def _read(self) -> tuple[float, float, float] | None:
        words = self._words
        for _ in range(TRIES):
            before = int(words[CLOCK_SEQ])
            if not before:
                return None
            fence()
            last, at, period = self._floats[CLOCK_LINE : CLOCK_LINE + 3].tolist()
            fence()
            if not before & 1 and int(words[CLOCK_SEQ]) == before:
                self._line = (last, at, period)
                break
        return self._line

    @property
    def ready(self) -> bool:
        """Whether the output has played anything."""
        return self._read() is not None

    @property
    def period(self) -> float:
        """Seconds of one frame."""
        line = self._read()
        return 1.0 / SAMPLE_RATE if line is None else line[2]

    def frames_at(self, when: float) -> float:
        """Frame that is due at a time, with its fraction."""
        line = self._read()
        return 0.0 if line is None else line[0] + (when - line[1]) / line[2]

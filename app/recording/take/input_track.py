"""Input track of a take: what comes in, beside it, where its recording was asked for.

It is on the input's own clock, which goes on in a pause, and begins before the take, so that what a
block heard of the past is there. 32-bit floating point: not a bit may be lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from app.audio.input.history import InputHistory
from app.recording.recorder import Recorder, Report
from models.music.score import SAMPLE_RATE

NAME: Final = "input.wav"
BEFORE: Final = 36 * SAMPLE_RATE
"""Frames before the take: as far back as the looper's longest loop."""


class InputTrack:
    """Recording of the input.

    Args:
        input: the input's ring.
        folder: of the take.
        start: plan position at which the take begins.
        report: takes level and sentence.

    Raises:
        SegueError: where the file cannot be made.

    """

    def __init__(self, input: InputHistory, folder: Path, start: int, report: Report) -> None:
        self._input = input
        now = min(int(input.clock_map.clocks_of(start, start + 1)[0]), input.end)
        self.first = self._next = max(0, now - BEFORE)
        self._recorder = Recorder(folder / NAME, self.first, None, "FLOAT", report)

    def follow(self) -> None:
        """Record what has come in since the last time."""
        end = self._input.end
        if end > self._next:
            self._recorder.feed(self._next, self._input.copy(self._next, end))
            self._next = end

    def finish(self) -> None:
        """Record the rest and close the file. Waits for the disk."""
        self.follow()
        self._recorder.finish()

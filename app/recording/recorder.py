"""Recorder: writes the output into an audio file, on a thread of its own.

Frames wait in a queue, so that a disk that stalls holds up nothing. The file's header is updated
twice a second, so that it plays after a crash. A full disk ends the recording with a message; what
was written stays, and the rest is in the capture.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.performance.log import PerformanceFile, PerformanceLog
from app.recording import files
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

Samples = NDArray[np.float32]

FLUSH_SECONDS: Final = 0.4
BACKLOG_SECONDS: Final = 120

Report = Callable[[str, str], None]
"""Takes a level (info, warning, error) and a sentence."""


@dataclass(frozen=True)
class RecordingStatus:
    """Recording in progress, or ended by itself: then `stopped_because` gives the reason."""

    path: Path
    seconds: float
    bytes: int
    stopped_because: str = ""


@dataclass(frozen=True)
class RecordingResult:
    """Finished recording. performance: its .jsonl, None if it could not be written. range: plan
    positions of a capture, from, up to.
    """

    path: Path
    seconds: float
    performance: Path | None
    stopped_because: str = ""
    range: tuple[int, int] = (0, 0)


class Recorder:
    """Recording from `start`, a plan position, on."""

    def __init__(
        self,
        path: Path,
        start: int,
        log: PerformanceLog | None = None,
        subtype: str | None = None,
        report: Report | None = None,
        steps: Path | None = None,
        input: tuple[str, int] | None = None,
    ) -> None:
        """SegueError where the file cannot be made. steps: the performance file, by default
        beside the audio file. input: as of `PerformanceFile`.
        """
        self.path = path
        self.start = start
        self._next = start
        self._report = report or (lambda level, sentence: None)
        self._file = files.create(path, subtype)
        self._steps: PerformanceFile | None = None
        if log is not None:
            self._steps = self._begin_steps(log, steps or path.with_suffix(".jsonl"), input)
        self._queue: queue.Queue[Samples | None] = queue.Queue()
        self._waiting = 0
        self._reason = ""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def _begin_steps(
        self, log: PerformanceLog, path: Path, input: tuple[str, int] | None
    ) -> PerformanceFile | None:
        try:
            return PerformanceFile(path, log, self.start, input)
        except OSError as error:
            why = "is there already" if path.exists() else f"cannot be written ({error.strerror})"
            self._report("warning", f"{path.name} {why}: the sound is recorded without it.")
            return None

    # Called by the capture thread.

    def feed(self, position: int, frames: Samples) -> None:
        """Queue frames from a position on. A gap before them becomes silence."""
        if self._reason:
            return
        if position > self._next:
            frames = np.concatenate([np.zeros((position - self._next, 2), np.float32), frames])
            position = self._next
        frames = frames[self._next - position :]
        if not len(frames):
            return
        self._next += len(frames)
        self._waiting += len(frames)
        if self._waiting > BACKLOG_SECONDS * SAMPLE_RATE:
            self._stop_because("the disk is too slow")
            return
        self._queue.put(frames)

    def finish(self) -> RecordingResult:
        """Write what is queued and close the file. Waits for the disk."""
        self._queue.put(None)
        self._thread.join()
        steps = self._steps.path if self._steps is not None else None
        return RecordingResult(self.path, self._file.frames / SAMPLE_RATE, steps, self._reason)

    @property
    def status(self) -> RecordingStatus:
        size = 0
        with contextlib.suppress(OSError):
            size = self.path.stat().st_size
        return RecordingStatus(self.path, self._file.frames / SAMPLE_RATE, size, self._reason)

    @property
    def steps_from(self) -> int | None:
        """Position up to which the performance is written; None without one."""
        steps = self._steps
        return None if steps is None else steps.next

    # Recorder thread.

    def _run(self) -> None:
        next_flush = time.monotonic() + FLUSH_SECONDS
        while True:
            frames: Samples | None = None
            with contextlib.suppress(queue.Empty):
                frames = self._queue.get(timeout=FLUSH_SECONDS / 2)
                if frames is None:
                    break
            try:
                if frames is not None and not self._reason:
                    self._file.write(frames)
                    self._waiting -= len(frames)
                if time.monotonic() >= next_flush and not self._reason:
                    next_flush = time.monotonic() + FLUSH_SECONDS
                    self._file.flush()
                    self._follow()
            except OSError as error:
                self._stop_because(files.reason(error))
                self._close()
        self._close()

    def _follow(self) -> None:
        if self._steps is None:
            return
        try:
            self._steps.follow(self.start + self._file.frames)
        except (OSError, SegueError) as error:
            self._report("warning", f"{self._steps.path.name} could not be written on: {error}")
            with contextlib.suppress(OSError):
                self._steps.close()
            self._steps = None

    def _stop_because(self, reason: str) -> None:
        self._reason = reason
        written = self._file.frames / SAMPLE_RATE
        kept = f"{self.path} is whole up to {int(written // 60)}:{written % 60:04.1f}; what came"
        if not self._file.frames:
            kept = "nothing of it is kept; what came"
        self._report(
            "error",
            f"recording stopped because {reason}: {kept} after is in the capture, save it"
            " elsewhere.",
        )

    def _close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            if not self._reason:
                self._stop_because(files.reason(error))
        self._follow()
        if self._steps is not None:
            with contextlib.suppress(OSError, ValueError):
                self._steps.finish(self.start + self._file.frames)
            with contextlib.suppress(OSError):
                self._steps.close()
        if self._reason and not self._file.frames:
            self._discard()

    def _discard(self) -> None:
        """Remove files that hold nothing."""
        for path in (self.path, None if self._steps is None else self._steps.path):
            if path is not None:
                with contextlib.suppress(OSError):
                    path.unlink()
        self._steps = None

"""Follows what is heard: feeds the capture always, and a recorder while there is one. Own thread.

The audio lane's tap holds the last seconds; the keeper comes by twenty times a second, so it may
be held up for seconds and nothing is lost. What it takes is what was heard, so a plan that was
rewritten, faded or limited is recorded as it sounded, before the volume.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Final

from app.audio.output import AudioOutput
from app.performance.log import PerformanceLog
from app.recording.capture import Capture
from app.recording.recorder import Recorder, RecordingResult, RecordingStatus, Say
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

__all__ = ["CaptureThread", "RecordingResult", "RecordingStatus"]

LOOK_SECONDS: Final = 0.05
FORGET_SECONDS: Final = 10


class CaptureThread:
    """Capture and recording of one output. Every method may be called from any thread."""

    def __init__(
        self,
        output: AudioOutput,
        *,
        performance: PerformanceLog | None = None,
        capture_seconds: float = 1800.0,
        on_incident: Say | None = None,
    ) -> None:
        """performance: `worker.performance`. on_incident takes a level and a sentence."""
        self._output = output
        self._performance = performance
        self._say = on_incident or (lambda level, sentence: None)
        self.capture = Capture(capture_seconds)
        self._position = output.tap.end
        self._forget_at = self._position
        self._recorder: Recorder | None = None
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to follow. Start it when the output is started."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sound keeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Finish a recording, end the thread. Call it before the output is stopped."""
        self.stop_recording()
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> CaptureThread:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Recording.

    def record(self, path: Path | str, *, subtype: str | None = None) -> None:
        """Record into a new .wav or .flac from now on. subtype: PCM_24 (default), PCM_16, FLOAT.

        The performance goes beside it, as .jsonl. SegueError in a sentence where it cannot be.
        """
        with self._lock:
            self._follow()
            if self._recorder is not None:
                if not self._recorder.status.stopped_because:
                    raise SegueError("a recording is running: stop it first.")
                self._recorder.finish()
                self._recorder = None
            self._recorder = Recorder(
                Path(path), self._position, self._performance, subtype, self._say
            )

    def stop_recording(self) -> RecordingResult | None:
        """End the recording with what is heard now; None if there is none. Waits for the disk."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
            if recorder is None:
                return None
            with contextlib.suppress(ValueError):
                start, frames = self._output.tap.follow(self._position)
                recorder.feed(start, frames)
        return recorder.finish()

    @property
    def recording(self) -> RecordingStatus | None:
        """The recording that runs, or that ended by itself and was not stopped yet."""
        recorder = self._recorder
        return None if recorder is None else recorder.status

    # Capture.

    def capture_range(self) -> tuple[int, int]:
        """Plan positions of what can be saved after the fact: from, up to."""
        return self.capture.range

    def save_capture(
        self, path: Path | str, start: int | None = None, stop: int | None = None
    ) -> RecordingResult:
        """Save what was heard, whole or between two plan positions; the .jsonl beside it.

        SegueError in a sentence where it cannot be. Takes seconds: not in the GUI lane.
        """
        path = Path(path)
        start, stop = self.capture.save(path, start, stop)
        steps: Path | None = None
        if self._performance is not None:
            steps = path.with_suffix(".jsonl")
            try:
                self._performance.save(steps, start, stop)
            except OSError as error:
                self._say(
                    "warning", f"{steps.name} could not be written ({error.strerror or error})."
                )
                steps = None
        return RecordingResult(path, (stop - start) / SAMPLE_RATE, steps)

    # In the thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            with self._lock:
                self._follow()
            self._stopping.wait(max(0.01, LOOK_SECONDS - (time.monotonic() - began)))

    def _follow(self) -> None:
        start, frames = self._output.tap.follow(self._position)
        if not len(frames):
            return
        if start > self._position:
            missed = (start - self._position) / SAMPLE_RATE
            self._say("warning", f"{missed:.1f} s of what was heard could not be kept.")
        self._position = start + len(frames)
        self.capture.add(start, frames)
        if self._recorder is not None:
            self._recorder.feed(start, frames)
        if self._position >= self._forget_at:
            self._forget_at = self._position + FORGET_SECONDS * SAMPLE_RATE
            self._forget()

    def _forget(self) -> None:
        """The steering of what is neither in the capture any more nor yet to be recorded."""
        if self._performance is None:
            return
        needed, recorder = self.capture.range[0], self._recorder
        steps = recorder.steps_from if recorder is not None else None
        self._performance.forget(needed if steps is None else min(needed, steps))

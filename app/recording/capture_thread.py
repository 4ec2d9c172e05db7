"""Capture thread: copies the output from the tap into the capture and the recorder.

The tap holds the last seconds and is read twenty times a second, so that the thread may be delayed
for seconds without loss. It holds the output after rewrites, fades and limiter, before the volume.
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
from app.recording.recorder import Recorder, RecordingResult, RecordingStatus, Report
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

__all__ = ["CaptureThread", "RecordingResult", "RecordingStatus"]

POLL_SECONDS: Final = 0.05
FORGET_SECONDS: Final = 10


class CaptureThread:
    """Capture and recording of one output. All methods may be called from any thread."""

    def __init__(
        self,
        output: AudioOutput,
        *,
        performance: PerformanceLog | None = None,
        capture_seconds: float = 1800.0,
        on_incident: Report | None = None,
    ) -> None:
        """performance: `worker.performance`. on_incident takes a level and a sentence."""
        self._output = output
        self._performance = performance
        self._report = on_incident or (lambda level, sentence: None)
        self.capture = Capture(capture_seconds)
        self._position = output.tap.end
        self._forget_at = self._position
        self._recorder: Recorder | None = None
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, when the output is started."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Finish a recording and end the thread, before the output is stopped."""
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
        """Record into a new .wav or .flac, and the performance into a .jsonl beside it.

        Args:
            path: audio file.
            subtype: PCM_24 (default), PCM_16 or FLOAT.

        Raises:
            SegueError: where the file cannot be made, or a recording is running.

        """
        with self._lock:
            self._follow()
            if self._recorder is not None:
                if not self._recorder.status.stopped_because:
                    raise SegueError("a recording is running: stop it first.")
                self._recorder.finish()
                self._recorder = None
            self._recorder = Recorder(
                Path(path), self._position, self._performance, subtype, self._report
            )

    def stop_recording(self) -> RecordingResult | None:
        """End the recording; None if there is none. Waits for the disk."""
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
        """Recording that runs, or that ended by itself and was not stopped yet."""
        recorder = self._recorder
        return None if recorder is None else recorder.status

    # Capture.

    def capture_range(self) -> tuple[int, int]:
        """Plan positions of the capture: from, up to."""
        return self.capture.range

    def save_capture(
        self, path: Path | str, start: int | None = None, stop: int | None = None
    ) -> RecordingResult:
        """Save the capture, whole or between two plan positions, with its .jsonl. Takes seconds.

        SegueError where it cannot be written.
        """
        path = Path(path)
        start, stop = self.capture.save(path, start, stop)
        steps: Path | None = None
        if self._performance is not None:
            steps = path.with_suffix(".jsonl")
            try:
                self._performance.save(steps, start, stop)
            except OSError as error:
                self._report(
                    "warning", f"{steps.name} could not be written ({error.strerror or error})."
                )
                steps = None
        return RecordingResult(path, (stop - start) / SAMPLE_RATE, steps)

    # Capture thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            with self._lock:
                self._follow()
            self._stopping.wait(max(0.01, POLL_SECONDS - (time.monotonic() - began)))

    def _follow(self) -> None:
        start, frames = self._output.tap.follow(self._position)
        if not len(frames):
            return
        if start > self._position:
            missed = (start - self._position) / SAMPLE_RATE
            self._report("warning", f"{missed:.1f} s of the sound could not be captured.")
        self._position = start + len(frames)
        self.capture.add(start, frames)
        if self._recorder is not None:
            self._recorder.feed(start, frames)
        if self._position >= self._forget_at:
            self._forget_at = self._position + FORGET_SECONDS * SAMPLE_RATE
            self._forget()

    def _forget(self) -> None:
        """Forget the steering before the capture and the recording."""
        if self._performance is None:
            return
        needed, recorder = self.capture.range[0], self._recorder
        steps = recorder.steps_from if recorder is not None else None
        self._performance.forget(needed if steps is None else min(needed, steps))

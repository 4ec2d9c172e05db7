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
from app.audio.stem_ring import StemFeed
from app.performance.log import PerformanceLog
from app.performance.score_log import ScoreLog
from app.recording.capture import Capture
from app.recording.recorder import Recorder, RecordingResult, RecordingStatus, Report
from app.recording.take.past_stems import PastStems, SavedCapture
from app.recording.take.recorder import TakeRecorder, TakeSources, write_take
from app.recording.take.score import ScoreGatherer
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
        sources: TakeSources | None = None,
    ) -> None:
        """performance: `worker.performance`. on_incident takes a level and a sentence. sources: of
        a take's notes and stems.
        """
        self._output = output
        self._performance = performance
        self._report = on_incident or (lambda level, sentence: None)
        self.capture = Capture(capture_seconds)
        self._position = output.tap.end
        self._forget_at = self._position
        self._sources = sources or TakeSources(ScoreLog(), StemFeed(), lambda on: None)
        self._sources.renders.on = True
        self._past: list[PastStems] = []
        self._recorder: Recorder | TakeRecorder | None = None
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
        self.cancel_stems()
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
            self._be_ready()
            self._recorder = Recorder(
                Path(path), self._position, self._performance, subtype, self._report
            )

    def record_take(
        self, folder: Path | str, *, suffix: str = "wav", stems: bool = True, input: bool = False
    ) -> None:
        """Record a take into a new folder: mix, stems, MIDI, project and performance file.

        Args:
            folder: to be made.
            suffix: of the sound files, wav or flac.
            stems: a file of each part as well, where the engine has them.
            input: what comes in as well, so that the take renders again.

        Raises:
            SegueError: where it cannot be made, or a recording is running.

        """
        with self._lock:
            self._be_ready()
            self._recorder = TakeRecorder(
                Path(folder), self._position, self._sources, self._performance, suffix=suffix,
                with_stems=stems, with_input=input, report=self._report,
            )  # fmt: skip

    def _be_ready(self) -> None:
        """Take over what was played before a new recording; SegueError while one runs."""
        self._follow()
        if self._recorder is not None:
            if not self._recorder.status.stopped_because:
                raise SegueError("a recording is running: stop it first.")
            self._recorder.finish()
            self._recorder = None

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
        self, path: Path | str, start: int | None = None, stop: int | None = None, *,
        steps: Path | None = None,
    ) -> RecordingResult:  # fmt: skip
        """Save the capture, whole or between two plan positions, with its .jsonl. Takes seconds.

        SegueError where it cannot be written.
        """
        path = Path(path)
        start, stop = self.capture.save(path, start, stop)
        steps = steps or path.with_suffix(".jsonl")
        if self._performance is None:
            steps = None
        else:
            try:
                self._performance.save(steps, start, stop)
            except OSError as error:
                self._report(
                    "warning", f"{steps.name} could not be written ({error.strerror or error})."
                )
                steps = None
        return RecordingResult(path, (stop - start) / SAMPLE_RATE, steps, range=(start, stop))

    def save_take(
        self, folder: Path | str, start: int | None = None, stop: int | None = None, *,
        suffix: str = "wav", stems: bool = False,
    ) -> RecordingResult:  # fmt: skip
        """Save the capture as a take, whole or between two plan positions.

        Takes seconds. SegueError where it cannot be written. stems: they come later, see
        `past_stems`.
        """
        folder, renders = Path(folder), self._sources.renders
        known = self.capture.range
        begin = (known[0] if start is None else start) - FORGET_SECONDS * SAMPLE_RATE
        records = renders.between(begin, known[1] if stop is None else stop) if stems else []
        try:
            folder.mkdir()
        except OSError as error:
            raise SegueError(
                f"{error.strerror}: {folder.name} cannot be made; the sound is still kept, choose "
                f"another folder than {folder.parent}."
            ) from None
        mix = folder / f"mix.{suffix}"
        try:
            result = self.save_capture(mix, start, stop, steps=folder / "performance.jsonl")
        except SegueError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            raise
        low, high = result.range
        gatherer = ScoreGatherer(low)
        gatherer.add(self._sources.scores.between(low, high))
        for at, text in self._sources.scores.marks(low, high):
            gatherer.mark(at, text)
        write_take(folder, gatherer, high, {"mix": mix.name})
        if records and renders.engine is not None:
            last = self._past[-1] if self._past else None
            saved = SavedCapture(folder, low, high, suffix, records, gatherer)
            past = PastStems(saved, renders.engine, self._sources.spare, self._report, last)
            self._past = [*(each for each in self._past if each.running), past]
        return RecordingResult(folder, result.seconds, result.performance, range=(low, high))

    @property
    def past_stems(self) -> PastStems | None:
        """Stems of saved takes that are being rendered: those of the first; None at their end."""
        return next((each for each in self._past if each.running), None)

    def cancel_stems(self) -> None:
        """Render no more stems of saved takes; waits for a block."""
        past, self._past = self._past, []
        for each in past:
            each.cancel()

    # Capture thread.

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            with self._lock:
                self._follow()
            self._stopping.wait(max(0.01, POLL_SECONDS - (time.monotonic() - began)))

    def _follow(self) -> None:
        if isinstance(self._recorder, TakeRecorder):
            self._recorder.listen()
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
        needed = needed if steps is None else min(needed, steps)
        self._performance.forget(needed)
        self._sources.scores.forget(needed)
        self._sources.renders.forget(needed - FORGET_SECONDS * SAMPLE_RATE)

"""Recording and saving of the capture, on behalf of the window."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Signal

from app.interfaces import CaptureProtocol
from app.parameters.registry import Change, Registry
from app.recording.recorder import RecordingResult
from app.session.preferences import Preferences
from app.window.jobs import Jobs
from app.window.widgets.take_handle import SOUNDS, files_of
from models.errors import SegueError
from models.music.score import SAMPLE_RATE


def music_folder() -> Path:
    """Default folder of recordings."""
    places = QStandardPaths.standardLocations(QStandardPaths.StandardLocation.MusicLocation)
    return Path(places[0] if places else Path.home()) / "Segue"


def has_stems(take: Path) -> bool:
    """Whether a take has the sounds of its parts."""
    return len([path for path in files_of(take) if path.suffix in SOUNDS]) > 1


class Recordings(QObject):
    """Carries out the parameters "record" and "capture.save"."""

    message = Signal(str, str)
    taken = Signal(Path)
    """A take is whole: its folder."""

    def __init__(
        self,
        registry: Registry,
        capture: CaptureProtocol,
        jobs: Jobs,
        preferences: Preferences,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.registry, self.capture, self.jobs = registry, capture, jobs
        self.preferences = preferences
        self.selection: tuple[int, int] | None = None
        self._rendering: Path | None = None
        self._unsubscribe = registry.subscribe(self._on_change)

    def close(self) -> None:
        self._unsubscribe()

    def path_for(self, kind: str, now: datetime) -> Path:
        """Unused folder like segue-2026-01-31-214500 for a take; makes the one that it is in, or
        raises SegueError.
        """
        chosen = self.preferences.record_folder
        folder = Path(chosen) if chosen else music_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SegueError(
                f"The folder {folder} cannot be made ({error.strerror}); choose another one."
            ) from error
        stem = f"segue-{kind}-{now:%Y-%m-%d-%H%M%S}" if kind else f"segue-{now:%Y-%m-%d-%H%M%S}"
        path, number = folder / stem, 2
        while path.exists():
            path, number = folder / f"{stem}-{number}", number + 1
        return path

    def _on_change(self, change: Change) -> None:
        if change.source == "availability":
            return
        if change.name == "record":
            if self.registry.get("record"):
                self._start()
            elif self.capture.recording is not None:
                self._stop()
        elif change.name == "capture.save":
            self._save_capture()

    def _start(self) -> None:
        try:
            path = self.path_for("", datetime.now())
            self.capture.record_take(
                path,
                suffix=self.preferences.record_format,
                stems=self.preferences.record_stems,
                input=self.preferences.record_input,
            )
        except SegueError as error:
            self.message.emit("error", str(error))
            self.registry.set("record", False, "recorder")
            return
        self.message.emit("info", f"Recording to {path}.")

    def _stop(self) -> None:
        # In the thread pool: it waits for the disk.
        self.jobs.start(
            self.capture.stop_recording,
            self._on_stopped,
            lambda sentence: self.message.emit("error", sentence),
        )

    def _on_stopped(self, result: RecordingResult | None) -> None:
        if result is None:
            return
        if result.stopped_because:
            self.message.emit("error", f"The recording ended: {result.stopped_because}")
        self.message.emit("info", f"Recorded {result.seconds:.0f} s to {result.path}.")
        self.taken.emit(result.path)

    def _save_capture(self) -> None:
        start, stop = self.selection or self.capture.capture_range()
        if stop - start < SAMPLE_RATE // 10:
            self.message.emit("info", "There is nothing to save yet; play first.")
            return
        try:
            path = self.path_for("capture", datetime.now())
        except SegueError as error:
            self.message.emit("error", str(error))
            return
        seconds, suffix = (stop - start) / SAMPLE_RATE, self.preferences.record_format
        stems = self.preferences.record_stems
        self.message.emit("info", f"Saving {seconds:.0f} s …")
        self.jobs.start(
            lambda: self.capture.save_take(path, start, stop, suffix=suffix, stems=stems),
            lambda result: self._on_saved(result, seconds),
            lambda sentence: self.message.emit("error", sentence),
        )

    def _on_saved(self, result: RecordingResult, seconds: float) -> None:
        self.message.emit("info", f"Saved {seconds:.0f} s to {result.path}.")
        self.taken.emit(result.path)

    def stems_share(self) -> float | None:
        """Share of a saved take's stems that is rendered, 0 to 1; None where none are."""
        past = self.capture.past_stems
        folder = None if past is None else past.folder
        if folder != self._rendering:
            before, self._rendering = self._rendering, folder
            if before is not None and has_stems(before):
                self.message.emit("info", f"The stems are in {before}.")
                self.taken.emit(before)
        return None if past is None else past.done

    def cancel_stems(self) -> None:
        """Render no more stems of saved takes."""
        self.jobs.start(self.capture.cancel_stems, lambda done: None, lambda sentence: None)

    def captured_seconds(self) -> float:
        start, stop = self.capture.capture_range()
        return max(stop - start, 0) / SAMPLE_RATE

    def selected_seconds(self) -> float | None:
        start, stop = self.selection or (0, 0)
        return (stop - start) / SAMPLE_RATE if self.selection else None

    def recorded_seconds(self) -> float | None:
        """Recorded seconds; None while not recording. Resets "record" where the recorder has
        stopped by itself (full disk).
        """
        status = self.capture.recording
        if status is None or status.stopped_because:
            if self.registry.get("record"):
                self.registry.set("record", False, "recorder")
            return None
        return float(status.seconds)

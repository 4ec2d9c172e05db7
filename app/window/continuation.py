"""Continue from an audio file: chosen in the session menu or dropped on the spectrogram."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.interfaces import WorkerProtocol
from app.live_controller import LiveController
from app.window.spectrogram.view import SpectrogramView
from app.window.widgets.dropped import SOUND_SUFFIXES


class ContinueFromAudio(QObject):
    """Hands audio files to the worker, where the engine can continue them."""

    message = Signal(str, str)
    """Level and sentence."""

    def __init__(
        self,
        worker: WorkerProtocol,
        live: LiveController,
        spectrogram: SpectrogramView,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._worker, self._live, self._spectrogram, self._window = (
            worker, live, spectrogram, window,
        )  # fmt: skip
        self.available = False
        worker.continued.connect(self._continued)
        spectrogram.sound_dropped.connect(self.take)

    def set_available(self, available: bool) -> None:
        """Whether the engine continues audio."""
        self.available = available
        self._spectrogram.set_accepts_sound(available)

    def menu_entries(self) -> tuple[tuple[str, Callable[[], object]], ...]:
        """Entries of the session menu."""
        return (("Continue from audio file …", self.choose),) if self.available else ()

    def choose(self) -> None:
        """Ask for the file."""
        pattern = " ".join(f"*{suffix}" for suffix in SOUND_SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(
            self._window, "Continue from an audio file", "", f"Sounds ({pattern})"
        )
        if path:
            self.take(path)

    def take(self, path: str) -> None:
        """Continue from the end of this file, as soon as the engine has encoded it."""
        self.message.emit("info", f"Listening to the end of {Path(path).name} …")
        self._live.stay()
        self._worker.continue_from(path)

    def _continued(self, path: str) -> None:
        self.message.emit("info", f"The music goes on from {Path(path).name}.")
        self._spectrogram.show_now()
        self._live.registry.set("transport.play", True)

"""Going on from an audio file: chosen in the session menu or dropped on the spectrogram. GUI lane.

Offered only while the engine can do it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QLabel, QWidget

from app.window.prompts.strip import SOUND_SUFFIXES
from app.window.style import colours, theme

if TYPE_CHECKING:
    from app.window.main_window import MainWindow


class ContinueFromAudio:
    """What the window does with a file that is to be continued."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        self.can = False
        self.worker = window.player.worker
        self.worker.continued.connect(self._goes_on)
        window.spectrogram.sound_dropped.connect(self.take)

    def set_can(self, can: bool) -> None:
        """Whether the engine goes on from audio."""
        self.can = can
        self.window.spectrogram.set_takes_sound(can)

    def commands(self) -> tuple[tuple[str, Callable[[], object]], ...]:
        """Entries of the session menu."""
        return (("Continue from audio file …", self.choose),) if self.can else ()

    def choose(self) -> None:
        """Ask for the file."""
        pattern = " ".join(f"*{suffix}" for suffix in SOUND_SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(
            self.window, "Continue from an audio file", "", f"Sounds ({pattern})"
        )
        if path:
            self.take(path)

    def take(self, path: str) -> None:
        """Go on from the end of this file, as soon as the engine has heard it."""
        self.window.say("info", f"Listening to the end of {Path(path).name} …")
        self.window.conductor.stay()
        self.worker.continue_from(path)

    def _goes_on(self, path: str) -> None:
        self.window.say("info", f"The music goes on from {Path(path).name}.")
        self.window.spectrogram.show_now()
        self.window.registry.set("transport.play", True)


class DropHint(QLabel):
    """Over `parent` while a file hangs above it: what letting go would do."""

    def __init__(self, parent: QWidget, words: str) -> None:
        super().__init__(words, parent)
        self._below = parent
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setStyleSheet(
            f"color: {colours.TEXT}; background: rgba(13, 15, 18, 190);"
            f"border: 2px solid {colours.ACCENT}; border-radius: 10px;"
        )
        self.hide()

    def show_over(self) -> None:
        self.setFont(theme.bold(theme.scaled(16.0)))
        self.setGeometry(self._below.rect().adjusted(48, 8, -14, -24))
        self.show()
        self.raise_()

"""Dialog in which a sound is taught, with progress and preview; the music goes on behind it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.window.style import colours
from app.window.widgets.dropped import SOUND_SUFFIXES
from models.engine.sounds import MAX_NAME, MAX_PIECES, PREFIX
from models.errors import SegueError
from models.teaching.plan import PREVIEW, CoursePlan, CourseProgress, begun_places, course_folder

WORDS: Final = {
    "listening": "Listening to the files",
    "rehearsing": "Playing what it knows already",
    "comparing": "Comparing its own playing with the files",
    "learning": "Learning",
    "mixing": "Matching the mix of the files",
    "done": "Done",
}
MAX_THREADS: Final = 4
HINT: Final = "Ten minutes of music are a good start. Nothing leaves this machine."
PLACES_HINT: Final = (
    "Audio files and folders; drop them here. Each file keeps a style of its own and has its turn "
    f"in the music; of more than {MAX_PIECES}, those that are alike are taken together"
)


class TeachDialog(QDialog):
    """Dialog of a course."""

    started = Signal(object, str)
    """CoursePlan, or None to go on; the sound's name."""
    stopped = Signal()
    used = Signal(str)
    """The finished sound shall be a prompt: its text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Teach a sound")
        self.setMinimumWidth(520)
        self.setAcceptDrops(True)
        self._running = False
        self.name = QLineEdit(self)
        self.name.setMaxLength(MAX_NAME)
        self.name.setPlaceholderText("such as forest")
        self.places = QListWidget(self)
        self.places.setToolTip(PLACES_HINT)
        self.places.setMinimumHeight(90)
        self.files_button = QPushButton("Files …", self)
        self.folder_button = QPushButton("Folder …", self)
        self.empty_button = QPushButton("Clear", self)
        self.minutes = QSpinBox(self)
        self.minutes.setRange(1, 600)
        self.minutes.setValue(10)
        self.minutes.setSuffix(" min")
        self.minutes.setToolTip("Of computing; it takes longer where the music needs the machine")
        self.licence = QLineEdit(self)
        self.licence.setPlaceholderText("such as: my own recordings")
        self.licence.setToolTip("What the sound may be used for; it stands in its file")
        self.bar = QProgressBar(self)
        self.bar.setRange(0, 1000)
        self.words = QLabel(HINT, self)
        self.words.setWordWrap(True)
        self.notes = QLabel("", self)
        self.notes.setWordWrap(True)
        self.notes.setStyleSheet(f"color: {colours.DIM};")
        self.preview = QPushButton("Open the preview", self)
        self.preview.setToolTip("Six seconds of what it sounds like now, made anew every minute")
        self.go = QPushButton("Teach", self)
        self.use = QPushButton("Use as a prompt", self)
        for button in (
            self.files_button,
            self.folder_button,
            self.empty_button,
            self.preview,
            self.go,
            self.use,
        ):
            button.setAutoDefault(False)
        self._lay_out()
        self.files_button.clicked.connect(self._choose_files)
        self.folder_button.clicked.connect(self._choose_folder)
        self.empty_button.clicked.connect(self._clear_places)
        self.preview.clicked.connect(self._open_preview)
        self.go.clicked.connect(self._go)
        self.use.clicked.connect(self._use)
        self.name.textChanged.connect(lambda: self._show_state())
        self._done = ""
        self._show_state()

    def _lay_out(self) -> None:
        choice = QHBoxLayout()
        for button in (self.files_button, self.folder_button, self.empty_button):
            choice.addWidget(button)
        choice.addStretch(1)
        form = QFormLayout()
        form.addRow("Name", self.name)
        form.addRow("Learn from", self.places)
        form.addRow("", choice)
        form.addRow("Time", self.minutes)
        form.addRow("Rights", self.licence)
        row = QHBoxLayout()
        row.addWidget(self.preview)
        row.addStretch(1)
        row.addWidget(self.use)
        row.addWidget(self.go)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.bar)
        column.addWidget(self.words)
        column.addWidget(self.notes)
        column.addLayout(row)

    # -- what is chosen --------------------------------------------------------------------------
    def add_places(self, paths: Sequence[str]) -> None:
        """Add audio files and folders that are not in the list yet."""
        have = set(self.chosen_places())
        new = dict.fromkeys(path for path in paths if path and path not in have)
        self.places.addItems(list(new))
        first = next(iter(self.chosen_places()), "")
        if first and not self.name.text():
            self.name.setText(_name_from(first))
        self._show_state()

    def _clear_places(self) -> None:
        self.places.clear()
        self._show_state()

    def chosen_places(self) -> tuple[str, ...]:
        """The files and folders of the list."""
        return tuple(self.places.item(row).text() for row in range(self.places.count()))

    def _choose_files(self) -> None:
        pattern = " ".join(f"*{suffix}" for suffix in SOUND_SUFFIXES)
        found, _ = QFileDialog.getOpenFileNames(self, "Learn from files", "", f"Audio ({pattern})")
        self.add_places(found)

    def _choose_folder(self) -> None:
        self.add_places([QFileDialog.getExistingDirectory(self, "Learn from a folder")])

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls() and not self._running:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.add_places([url.toLocalFile() for url in event.mimeData().urls()])

    # -- the course ------------------------------------------------------------------------------
    def _go(self) -> None:
        if self._running:
            self.words.setText("Stopping after this step …")
            self.stopped.emit()
            return
        name, places = self.name.text(), self.chosen_places()
        self.notes.setText("")
        try:
            plan = None
            if places:
                threads = min(MAX_THREADS, os.cpu_count() or 1)
                plan = CoursePlan(
                    name, places, float(self.minutes.value()), licence=self.licence.text().strip(),
                    threads=threads,
                )  # fmt: skip
            elif not self._begun():
                raise SegueError("choose audio files or a folder to learn from.")
        except SegueError as error:
            self.say(str(error))
            return
        self.started.emit(plan, name)

    def _begun(self) -> bool:
        """Whether a course of this name was begun before, of the chosen files if there are any."""
        places = begun_places(self.name.text())
        return bool(places) and self.chosen_places() in ((), places)

    def show_running(self, running: bool) -> None:
        """Show that a course runs, or that none does."""
        self._running = running
        if running:
            self._done = ""
        self._show_state()

    def show_ended(self, sentence: str) -> None:
        """Show that the course ended, and why: '' where it is done or was stopped."""
        self.show_running(False)
        if sentence or not self._done:
            self.say(sentence or "Stopped; what was learned is kept, and Go on goes on with it.")

    def _show_state(self) -> None:
        for widget in (
            self.name,
            self.places,
            self.files_button,
            self.folder_button,
            self.empty_button,
            self.minutes,
            self.licence,
        ):
            widget.setEnabled(not self._running)
        self.go.setText("Stop" if self._running else "Go on" if self._begun() else "Teach")
        self.use.setVisible(bool(self._done))
        self.preview.setEnabled(self._preview_path() is not None)

    def show_progress(self, progress: CourseProgress, waiting: bool = False) -> None:
        """Show how far the course is; waiting: for the music."""
        if progress.note:
            self.add_note(progress.note)
            return
        self.bar.setValue(round(1000 * progress.share))
        self.words.setText(progress_words(progress, waiting))
        if progress.preview or progress.stage == "done":
            self._done = self.name.text() if progress.stage == "done" else self._done
            self._show_state()

    def add_note(self, sentence: str) -> None:
        """Add a sentence to the notes, of which the last few are shown."""
        lines = [*self.notes.text().splitlines(), sentence]
        self.notes.setText("\n".join(lines[-6:]))

    def say(self, sentence: str) -> None:
        """Show a sentence instead of the progress."""
        self.words.setText(sentence)

    def _use(self) -> None:
        self.used.emit(f"{PREFIX}{self._done.strip()}")

    def _preview_path(self) -> Path | None:
        try:
            path = course_folder(self.name.text()) / PREVIEW
        except SegueError:
            return None
        return path if path.is_file() else None

    def _open_preview(self) -> None:
        path = self._preview_path()
        if path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def keyPressEvent(self, event: object) -> None:
        """Return is no command here, and Escape only puts the window away."""
        key = getattr(event, "key", lambda: None)()
        if key == Qt.Key.Key_Escape:
            self.hide()


def progress_words(progress: CourseProgress, waiting: bool = False) -> str:
    """Progress in a sentence."""
    words = WORDS.get(progress.stage, progress.stage)
    if progress.stage == "done":
        return "Done: the sound is a prompt now."
    parts = [f"{words}, {100 * progress.share:.0f} %"]
    if progress.stage == "learning" and progress.left is not None:
        minutes = progress.left / 60
        parts.append(f"{minutes:.0f} min left" if minutes >= 1.5 else f"{progress.left:.0f} s left")
    if progress.loss is not None and progress.loss == progress.loss:
        parts.append(f"loss {progress.loss:.3f}")
    if waiting:
        parts.append("waits for the music")
    return ", ".join(parts)


def _name_from(path: str) -> str:
    """A name for a sound from the name of its folder or file."""
    letters = "".join(each if each.isalnum() or each in " -" else " " for each in Path(path).stem)
    return " ".join(letters.split())[:MAX_NAME].strip(" -").casefold()

"""Opening, saving, autosave and recovery, as the window does it. GUI lane."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QPoint, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QMessageBox, QWidget

from app.session import storage
from app.session.document import Document
from app.session.session import Session
from app.session.storage import SUFFIX, Autosave, RecentFiles, Recovered
from app.window.about import open_about
from app.window.jobs import Jobs
from models.errors import SegueError

AUTOSAVE_MS: Final = 5000
FILTER: Final = f"Segue sessions (*{SUFFIX});;All files (*)"


class SessionFiles(QObject):
    """The file that the session belongs to. `folder` holds autosaves and the recent list."""

    renamed = Signal()
    said = Signal(str, str)
    asked = Signal(str, object)  # a question and its answers, as `Banner.ask` takes them

    def __init__(self, session: Session, folder: Path, window: QWidget) -> None:
        super().__init__(window)
        self.session, self.window_ = session, window
        self.path: Path | None = None
        self.autosave = Autosave(folder / "autosave")
        self.recent = RecentFiles(folder / "recent.json")
        self._autosaved_edits = session.edits
        self._autosave_failed = False
        self._timer = QTimer(self)
        self._timer.setInterval(AUTOSAVE_MS)
        self._timer.timeout.connect(self._tick_beside)
        self._jobs = Jobs(self)
        self._timer.start()

    @property
    def name(self) -> str:
        return "Untitled" if self.path is None else self.path.name.removesuffix(SUFFIX)

    # -- autosave and recovery -----------------------------------------------------------------
    def tick(self) -> None:
        """Autosave, when something has changed since."""
        if self.session.edits == self._autosaved_edits:
            return
        try:
            self._writing()()
        except SegueError as error:
            self._failed(str(error))
            return
        self._autosave_failed = False
        self._autosaved_edits = self.session.edits

    def _tick_beside(self) -> None:
        """`tick`, without waiting for the disk: a sync held the window up for 120 ms."""
        edits = self.session.edits
        if edits == self._autosaved_edits:
            return

        def done(_: object) -> None:
            self._autosave_failed = False
            self._autosaved_edits = edits

        self._jobs.start(self._writing(), done, self._failed)

    def _writing(self) -> Callable[[], None]:
        session = self.session
        return self.autosave.writing(session.document(), self.path, session.moments)

    def _failed(self, sentence: str) -> None:
        if not self._autosave_failed:
            self.said.emit("warning", f"No autosave: {sentence}")
        self._autosave_failed = True

    def left_over(self) -> list[Recovered]:
        """What a crash left."""
        return self.autosave.left_over(self.session.registry)

    def offer_recovery(self) -> None:
        """Ask whether to take up what a crash left; nothing waits for the answer."""
        for item in self.left_over():
            self._offer(item)

    def _offer(self, item: Recovered) -> None:
        name = "an unsaved session" if item.original is None else f"“{item.original.name}”"
        self.asked.emit(
            f"Segue ended unexpectedly while {name} was open.",
            (
                ("Take it up", lambda: self.recover(item)),
                ("Not now", lambda: None),
                ("Throw it away", lambda: Autosave.discard(item)),
            ),
        )

    def recover(self, item: Recovered) -> None:
        """Become what the crash left; it counts as unsaved."""
        self._load(item.path, item.document)
        self.session.edits += 1
        self.path = item.original
        self.tick()
        if not self._autosave_failed:
            Autosave.discard(item)
        self.renamed.emit()

    def close(self) -> None:
        """A clean end."""
        self._timer.stop()
        self._jobs.wait()
        self.autosave.remove()

    # -- files ---------------------------------------------------------------------------------
    def open_path(self, path: Path) -> bool:
        """Open a session; the present one stays where it cannot be opened."""
        try:
            document = storage.load(path, self.session.registry)
        except SegueError as error:
            self.said.emit("error", str(error))
            return False
        self._load(path, document)
        self.path = path
        self._remember(path)
        return True

    def _load(self, path: Path, document: Document) -> None:
        kept, lost = storage.load_moments(path, document)
        self.session.load(document, kept)
        if lost:
            self.said.emit("warning", lost)

    def save_path(self, path: Path) -> bool:
        try:
            left_out = storage.save(path, self.session.document(), self.session.moments)
        except SegueError as error:
            self.said.emit("error", str(error))
            return False
        self.path = path
        self.session.mark_saved()
        self._remember(path)
        if left_out:
            self.said.emit("warning", left_out)
        else:
            self.said.emit("info", f"Saved as {path.name}.")
        return True

    def _remember(self, path: Path) -> None:
        with contextlib.suppress(SegueError):
            self.recent.add(path)
        self.renamed.emit()

    # -- commands ------------------------------------------------------------------------------
    def new(self) -> None:
        if self.may_leave():
            self.session.new()
            self.path = None
            self.renamed.emit()

    def open_dialog(self) -> None:
        if not self.may_leave():
            return
        path, _ = QFileDialog.getOpenFileName(self.window_, "Open a session", "", FILTER)
        if path:
            self.open_path(Path(path))

    def save(self) -> bool:
        if self.path is None:
            return self.save_dialog()
        return self.save_path(self.path)

    def save_dialog(self) -> bool:
        start = self.name + SUFFIX
        path, _ = QFileDialog.getSaveFileName(self.window_, "Save the session", start, FILTER)
        if not path:
            return False
        if not path.endswith(".json"):
            path += SUFFIX
        return self.save_path(Path(path))

    def may_leave(self) -> bool:
        """Whether the present session may be left: saved, or the performer says so."""
        if not self.session.unsaved:
            return True
        answer = QMessageBox.question(
            self.window_,
            "Segue",
            f"Save the changes to “{self.name}”?",
            QMessageBox.StandardButton.Save
            | QMessageBox.StandardButton.Discard
            | QMessageBox.StandardButton.Cancel,
        )
        if answer == QMessageBox.StandardButton.Save:
            return self.save()
        return answer == QMessageBox.StandardButton.Discard

    def popup(self, at: QPoint, more: tuple[tuple[str, Callable[[], object]], ...] = ()) -> None:
        """The session menu; `more`: what else to offer in it."""
        menu = QMenu(self.window_)
        menu.setToolTipsVisible(True)
        menu.aboutToHide.connect(menu.deleteLater)
        commands: tuple[tuple[str, Callable[[], object]], ...] = (
            ("New\tCtrl+N", self.new),
            ("Open …\tCtrl+O", self.open_dialog),
            ("Save\tCtrl+S", self.save),
            ("Save as …\tCtrl+Shift+S", self.save_dialog),
        )
        for words, command in commands:
            menu.addAction(words).triggered.connect(lambda _=False, command=command: command())
        recent = self.recent.paths()
        if recent:
            menu.addSeparator()
            for path in recent:
                action = menu.addAction(path.name.removesuffix(SUFFIX))
                action.setToolTip(str(path))
                action.triggered.connect(lambda _=False, path=path: self._open_recent(path))
        menu.addSeparator()
        for words, command in more:
            menu.addAction(words).triggered.connect(lambda _=False, command=command: command())
        if more:
            menu.addSeparator()
        menu.addAction("About, licences …").triggered.connect(lambda: open_about(self.window_))
        menu.popup(at)

    def _open_recent(self, path: Path) -> None:
        if self.may_leave():
            self.open_path(path)

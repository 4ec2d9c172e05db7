"""Session files: open, save, autosave and crash recovery.

Writing, and reading the moments of scenes (hundreds of megabytes with some engines), is done in a
thread, one job at a time in the order of the requests.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QEventLoop, QObject, QPoint, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QMessageBox, QWidget

from app.performance.moment import Moment
from app.session import storage
from app.session.document import Document
from app.session.session import Session
from app.session.storage import SUFFIX, Autosave, RecentFiles, RecoveredSession
from app.window.dialogs.about import open_about
from app.window.jobs import Jobs
from models.errors import SegueError

AUTOSAVE_MS: Final = 5000
Commands = tuple[tuple[str, Callable[[], object]], ...]
"""Menu entries: text and callback."""

FILTER: Final = f"Segue sessions (*{SUFFIX});;All files (*)"


class SessionFiles(QObject):
    """File of the open session; `folder` holds the autosaves and the list of recent files."""

    renamed = Signal()
    message = Signal(str, str)
    question = Signal(str, object)  # sentence and answers, see `Banner.ask`
    saves_finished = Signal()

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
        self._timer.timeout.connect(self._tick_in_background)
        self._jobs = Jobs(self)
        self._pending_saves = 0
        self._last_save_succeeded = True
        self._awaiting_moments: list[Callable[[], None]] | None = None
        """Calls delayed until the moments have been read; None while none are being read."""
        self._generation = 0  # of the session: results of jobs for an earlier one are ignored
        self._timer.start()

    @property
    def name(self) -> str:
        return "Untitled" if self.path is None else self.path.name.removesuffix(SUFFIX)

    # -- autosave and recovery -----------------------------------------------------------------
    def tick(self) -> None:
        """Autosave if the session has changed."""
        if self.session.edits == self._autosaved_edits:
            return
        try:
            self._writer()()
        except SegueError as error:
            self._autosave_error(str(error))
            return
        self._autosave_failed = False
        self._autosaved_edits = self.session.edits

    def _tick_in_background(self) -> None:
        """Autosave in the thread: waiting for the disk would block the window."""
        if self.session.edits != self._autosaved_edits and self._awaiting_moments is None:
            self._autosave(lambda: None)

    def _autosave(self, then: Callable[[], None]) -> None:
        edits = self.session.edits

        def done(_: object) -> None:
            self._autosave_failed = False
            self._autosaved_edits = edits
            then()

        self._jobs.start(self._writer(), done, self._autosave_error)

    def _writer(self) -> Callable[[], None]:
        session = self.session
        return self.autosave.writer(session.document(), self.path, session.moments)

    def _autosave_error(self, sentence: str) -> None:
        if not self._autosave_failed:
            self.message.emit("warning", f"No autosave: {sentence}")
        self._autosave_failed = True

    def recoverable(self) -> list[RecoveredSession]:
        """Autosaves of crashed runs."""
        return self.autosave.left_over(self.session.registry)

    def offer_recovery(self) -> None:
        """Ask whether to recover autosaves of crashed runs, without waiting for the answer."""
        for item in self.recoverable():
            self._offer(item)

    def _offer(self, item: RecoveredSession) -> None:
        name = "an unsaved session" if item.original is None else f"“{item.original.name}”"
        self.question.emit(
            f"Segue ended unexpectedly while {name} was open.",
            (
                ("Take it up", lambda: self.recover(item)),
                ("Not now", lambda: None),
                ("Throw it away", lambda: Autosave.discard(item)),
            ),
        )

    def recover(self, item: RecoveredSession) -> None:
        """Open a recovered session as unsaved. Its autosave is deleted once this run's own autosave
        holds all of it.
        """
        self._load(item.path, item.document)
        self.session.edits += 1
        self.path = item.original
        self._when_moments_read(lambda: self._autosave(lambda: Autosave.discard(item)))
        self.renamed.emit()

    def close(self, *, discard_unsaved: bool) -> None:
        """Finish all jobs. Unless `discard_unsaved`, an unsaved session stays as an autosave and is
        offered at the next start (the computer shuts down, Ctrl+C in a terminal).
        """
        self._timer.stop()
        self._generation += 1  # makes jobs that are still reading stop
        self._jobs.wait()
        if self.session.unsaved and not discard_unsaved:
            with contextlib.suppress(SegueError):
                self._writer()()
        else:
            self.autosave.remove()

    # -- files ---------------------------------------------------------------------------------
    def open_path(self, path: Path) -> bool:
        """Open a session file; False, and the session stays, where it cannot be read."""
        try:
            document = storage.load(path, self.session.registry)
        except SegueError as error:
            self.message.emit("error", str(error))
            return False
        self._load(path, document)
        self.path = path
        self._jobs.start(lambda: self._remember(path), lambda _: None, lambda _: None)
        self.renamed.emit()
        return True

    def _load(self, path: Path, document: Document) -> None:
        """Load the document; its moments are read in the thread."""
        self.wait_for_saves()
        self._generation += 1
        generation, moments = self._generation, document.moments
        self.session.load(document, moments)
        self._awaiting_moments = [] if moments else None
        if not moments:
            return

        def is_stale() -> bool:
            return generation != self._generation

        def read(result: tuple[dict[str, Moment], str]) -> None:
            if is_stale():
                return  # another session is open by now
            found, warning = result
            self.session.add_loaded_moments(found)
            if warning:
                self.message.emit("warning", warning)
            waiting, self._awaiting_moments = self._awaiting_moments or [], None
            for each in waiting:
                each()

        def failed(sentence: str) -> None:
            read(({}, f"The scenes have lost their places in the music: {sentence}"))

        self._jobs.start(lambda: storage.load_moments(path, document, is_stale), read, failed)

    def _when_moments_read(self, act: Callable[[], None]) -> None:
        """Call at once, or when all moments of the session have been read."""
        if self._awaiting_moments is None:
            act()
        else:
            self._awaiting_moments.append(act)

    def save_path(self, path: Path) -> bool:
        """Save and wait; False if it failed. The window is still painted meanwhile."""
        self.save_in_background(path)
        return self.wait_for_saves()

    def save_in_background(self, path: Path) -> None:
        """Save without waiting; reports by `message`."""
        self._pending_saves += 1
        self._when_moments_read(lambda: self._save(path))

    def _save(self, path: Path) -> None:
        session, edits, generation = self.session, self.session.edits, self._generation
        document, moments = session.document(), dict(session.moments)

        def done(left_out: str) -> None:
            if generation == self._generation:
                self.path = path
                session.mark_saved(edits)
            self.renamed.emit()
            if left_out:
                self.message.emit("warning", left_out)
            else:
                self.message.emit("info", f"Saved as {path.name}.")
            self._save_finished(True)

        def failed(sentence: str) -> None:
            self.message.emit("error", sentence)
            self._save_finished(False)

        def work() -> str:
            left_out = storage.save(path, document, moments)
            self._remember(path)
            return left_out

        self._jobs.start(work, done, failed)

    def _save_finished(self, succeeded: bool) -> None:
        self._pending_saves, self._last_save_succeeded = self._pending_saves - 1, succeeded
        if not self._pending_saves:
            self.saves_finished.emit()

    def wait_for_saves(self) -> bool:
        """Wait until all saves are done; whether the last one succeeded."""
        if self._pending_saves:
            loop = QEventLoop()
            self.saves_finished.connect(loop.quit)
            # No user input: an edit would be of a session that is about to be closed.
            loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        return self._last_save_succeeded

    def _remember(self, path: Path) -> None:
        """Add to the recent files. Called in the thread of the jobs, as it waits for the disk."""
        with contextlib.suppress(SegueError):
            self.recent.add(path)

    # -- commands ------------------------------------------------------------------------------
    def new(self) -> None:
        if self.may_leave():
            self._generation += 1
            self._awaiting_moments = None
            self.session.new()
            self.path = None
            self.renamed.emit()

    def open_dialog(self) -> None:
        if not self.may_leave():
            return
        path, _ = QFileDialog.getOpenFileName(self.window_, "Open a session", "", FILTER)
        if path:
            self.open_path(Path(path))

    def save(self) -> None:
        """Save under the session's name, or ask for one."""
        path = self.path or self._ask_for_name()
        if path is not None:
            self.save_in_background(path)

    def save_dialog(self) -> None:
        """Ask for a name and save."""
        path = self._ask_for_name()
        if path is not None:
            self.save_in_background(path)

    def _ask_for_name(self) -> Path | None:
        start = self.name + SUFFIX
        path, _ = QFileDialog.getSaveFileName(self.window_, "Save the session", start, FILTER)
        if not path:
            return None
        return Path(path if path.endswith(".json") else path + SUFFIX)

    def may_leave(self) -> bool:
        """Whether the session may be closed; asks if it is unsaved."""
        self.wait_for_saves()
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
            path = self.path or self._ask_for_name()
            return path is not None and self.save_path(path)
        return answer == QMessageBox.StandardButton.Discard

    def popup(self, position: QPoint, extra_commands: Commands = ()) -> None:
        """Open the session menu; `extra_commands` are appended to it."""
        menu = QMenu(self.window_)
        menu.setToolTipsVisible(True)
        menu.aboutToHide.connect(menu.deleteLater)
        commands: Commands = (
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
        for words, command in extra_commands:
            menu.addAction(words).triggered.connect(lambda _=False, command=command: command())
        if extra_commands:
            menu.addSeparator()
        menu.addAction("About, licences …").triggered.connect(lambda: open_about(self.window_))
        menu.popup(position)

    def _open_recent(self, path: Path) -> None:
        if self.may_leave():
            self.open_path(path)

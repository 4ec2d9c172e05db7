"""Opening, saving, autosave and recovery, as the window does it. GUI lane.

What is written, and the places in the music that scenes go back to (hundreds of megabytes with some
engines), go over the disk in a thread. One job at a time, in the order in which they were begun.
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
from app.session.storage import SUFFIX, Autosave, RecentFiles, Recovered
from app.window.dialogs.about import open_about
from app.window.jobs import Jobs
from models.errors import SegueError

AUTOSAVE_MS: Final = 5000
FILTER: Final = f"Segue sessions (*{SUFFIX});;All files (*)"


class SessionFiles(QObject):
    """The file that the session belongs to. `folder` holds autosaves and the recent list."""

    renamed = Signal()
    said = Signal(str, str)
    asked = Signal(str, object)  # a question and its answers, as `Banner.ask` takes them
    settled = Signal()  # nothing is being saved any more

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
        self._saving = 0  # how many savings are under way or wait for the reading
        self._saved = True  # whether the last one went well
        self._reading: list[Callable[[], None]] | None = None
        """What waits for the places in the music to be read; None while none are."""
        self._opened = 0  # counts sessions, so that what came of an earlier one is known
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
        if self.session.edits != self._autosaved_edits and self._reading is None:
            self._autosave(lambda: None)

    def _autosave(self, then: Callable[[], None]) -> None:
        edits = self.session.edits

        def done(_: object) -> None:
            self._autosave_failed = False
            self._autosaved_edits = edits
            then()

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
        """Become what the crash left; it counts as unsaved. What the crash left goes only when this
        program's own autosave holds all of it."""
        self._load(item.path, item.document)
        self.session.edits += 1
        self.path = item.original
        self._when_read(lambda: self._autosave(lambda: Autosave.discard(item)))
        self.renamed.emit()

    def close(self, *, asked: bool) -> None:
        """The end. Where nobody was asked (the computer shuts down, Ctrl+C in a terminal), unsaved
        work is left as a crash would leave it, and offered at the next start."""
        self._timer.stop()
        self._opened += 1  # what is still being read is not waited for
        self._jobs.wait()
        if self.session.unsaved and not asked:
            with contextlib.suppress(SegueError):
                self._writing()()
        else:
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
        self._jobs.start(lambda: self._remember(path), lambda _: None, lambda _: None)
        self.renamed.emit()
        return True

    def _load(self, path: Path, document: Document) -> None:
        """Become the document; its places in the music follow when they have been read."""
        self.settle()
        self._opened += 1
        opened, wanted = self._opened, document.moments
        self.session.load(document, wanted)
        self._reading = [] if wanted else None
        if not wanted:
            return

        def gone() -> bool:
            return opened != self._opened

        def read(result: tuple[dict[str, Moment], str]) -> None:
            if gone():
                return  # another session is open by now
            found, lost = result
            self.session.add_loaded_moments(found)
            if lost:
                self.said.emit("warning", lost)
            waiting, self._reading = self._reading or [], None
            for each in waiting:
                each()

        def failed(sentence: str) -> None:
            read(({}, f"The scenes have lost their places in the music: {sentence}"))

        self._jobs.start(lambda: storage.load_moments(path, document, gone), read, failed)

    def _when_read(self, act: Callable[[], None]) -> None:
        """At once, or when the session's places in the music are all there."""
        if self._reading is None:
            act()
        else:
            self._reading.append(act)

    def save_path(self, path: Path) -> bool:
        """Save, and wait until it is done; whether it was. The music plays on meanwhile, and the
        window is drawn."""
        self.save_beside(path)
        return self.settle()

    def save_beside(self, path: Path) -> None:
        """Save without waiting; `said` tells how it went."""
        self._saving += 1
        self._when_read(lambda: self._save(path))

    def _save(self, path: Path) -> None:
        session, edits, opened = self.session, self.session.edits, self._opened
        document, kept = session.document(), dict(session.moments)

        def done(left_out: str) -> None:
            if opened == self._opened:
                self.path = path
                session.mark_saved(edits)
            self.renamed.emit()
            if left_out:
                self.said.emit("warning", left_out)
            else:
                self.said.emit("info", f"Saved as {path.name}.")
            self._one_saved(True)

        def failed(sentence: str) -> None:
            self.said.emit("error", sentence)
            self._one_saved(False)

        def work() -> str:
            left_out = storage.save(path, document, kept)
            self._remember(path)
            return left_out

        self._jobs.start(work, done, failed)

    def _one_saved(self, well: bool) -> None:
        self._saving, self._saved = self._saving - 1, well
        if not self._saving:
            self.settled.emit()

    def settle(self) -> bool:
        """Wait until nothing is being saved; whether the last saving went well."""
        if self._saving:
            loop = QEventLoop()
            self.settled.connect(loop.quit)
            # Drawn, but not touched: an edit now would be of a session that is about to be left.
            loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        return self._saved

    def _remember(self, path: Path) -> None:
        """Among the recent files. Lane: that of the jobs, as it waits for the disk."""
        with contextlib.suppress(SegueError):
            self.recent.add(path)

    # -- commands ------------------------------------------------------------------------------
    def new(self) -> None:
        if self.may_leave():
            self._opened += 1
            self._reading = None
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
        """Under its name, or one that is asked for."""
        path = self.path or self._ask_for_name()
        if path is not None:
            self.save_beside(path)

    def save_dialog(self) -> None:
        """Under a name that is asked for."""
        path = self._ask_for_name()
        if path is not None:
            self.save_beside(path)

    def _ask_for_name(self) -> Path | None:
        start = self.name + SUFFIX
        path, _ = QFileDialog.getSaveFileName(self.window_, "Save the session", start, FILTER)
        if not path:
            return None
        return Path(path if path.endswith(".json") else path + SUFFIX)

    def may_leave(self) -> bool:
        """Whether the present session may be left: saved, or the performer says so."""
        self.settle()
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

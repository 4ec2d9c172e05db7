"""User instruments in the window: dropped or chosen files are loaded, listed and played."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.interfaces import WorkerProtocol
from app.live_controller import LiveController
from app.parameters.registry import Change, Registry
from app.session.user_instruments import UserInstrumentList
from app.window.jobs import Jobs
from app.window.parts.file_drop import INSTRUMENT_SUFFIXES, FileDrop
from app.window.parts.panel import PartsPanel
from models.engine.interface import EngineInfo
from models.errors import SegueError
from models.music.score import PARTS
from models.music.user_instruments import is_user_instrument
from models.segue.studio.user.apart import InstrumentReader
from models.segue.studio.user.library import UserInstruments, read_here, user_instruments
from models.segue.studio.user.naming import names_in_file

ELSEWHERE: Final = "An engine elsewhere cannot play files of this machine: the {} keeps its own."
NOT_HERE: Final = "This engine plays no instruments of your own: the {} keeps its own."


class UserInstrumentControl(QObject):
    """What the window does with instruments of the performer's own.

    Args:
        registry: the parameters.
        worker: plans again when one has been loaded.
        live: tells which engine plays.
        panel: the strips that files are dropped on.
        path: of the file that keeps the list.
        locked: whether nothing may be changed, as on stage.
        window: parent of dialogs.

    """

    message = Signal(str, str)
    """Level and sentence."""

    def __init__(
        self,
        registry: Registry,
        worker: WorkerProtocol,
        live: LiveController,
        panel: PartsPanel,
        path: Path,
        locked: Callable[[], bool],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self.registry, self.worker, self.panel, self._window = registry, worker, panel, window
        self.list = UserInstrumentList(path)
        self.library: UserInstruments = user_instruments()
        self._reader = InstrumentReader()
        self.library.read = self._reader
        self.jobs = Jobs(self)
        self.engine: EngineInfo | None = None
        self._problems: dict[str, str] = {}
        self._asked: dict[str, object] = {}
        for part, strip in panel.strips.items():
            strip.instrument.user = self
            FileDrop(
                strip, f"Plays the {part}", INSTRUMENT_SUFFIXES, True,
                lambda: not locked(), partial(self.take, part),
            )  # fmt: skip
        live.engine_ready.connect(self._engine_ready)
        self._unsubscribe = registry.subscribe(self._on_change)

    def close(self) -> None:
        """Listen to nothing any more, and wait for what is being read."""
        self._unsubscribe()
        self._reader.stop()
        self.jobs.wait()
        self.library.read = read_here

    # -- for the lists ---------------------------------------------------------------------------
    def entries(self, part: str) -> Sequence[tuple[str, str]]:
        """Name and label of each that a part can play."""
        return [(entry.name, entry.label) for entry in self.list.of(part == "drums")]

    def label_of(self, name: str) -> str:
        """What an instrument is called."""
        return self.list.label_of(name)

    def problem_of(self, part: str) -> str:
        """Why a part's own instrument does not play; "" where it does."""
        return self._problems.get(part, "")

    def choose(self, part: str, folder: bool) -> None:
        """Ask for a file or a folder that is to play a part."""
        if folder:
            path = QFileDialog.getExistingDirectory(self._window, "A folder of samples")
        else:
            pattern = " ".join(f"*{suffix}" for suffix in sorted(INSTRUMENT_SUFFIXES))
            path, _ = QFileDialog.getOpenFileName(
                self._window, f"What plays the {part}", "", f"Instruments ({pattern})"
            )
        if path:
            self.take(part, path)

    def remove(self, part: str, name: str) -> None:
        """Take an instrument's file out of the list; a part that plays it is at auto again."""
        try:
            self.list.remove(name, part == "drums")
        except SegueError as error:
            self.message.emit("warning", str(error))
        left = {entry.name for entry in self.list.entries}
        for each in PARTS:
            value = self.registry.get(f"part.{each}.instrument")
            if value == name and name not in left:
                self.registry.set(f"part.{each}.instrument", None)

    # -- loading -----------------------------------------------------------------------------------
    def take(self, part: str, path: str) -> None:
        """Let a part play a file or folder, as soon as it is read."""
        if self._refused(part):
            return
        self.message.emit("info", f"Reading {Path(path).name} …")
        drums = part == "drums"

        def work() -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
            found = names_in_file(Path(path), drums)
            return found, self.library.load(found[0][0], drums)

        def done(result: tuple[tuple[tuple[str, str], ...], tuple[str, ...]]) -> None:
            found, remarks = result
            try:
                self.list.add(found, drums)
            except SegueError as error:
                self.message.emit("warning", str(error))
            name, label = found[0]
            self._problems.pop(part, None)
            self.registry.set(f"part.{part}.instrument", name)
            more = f" Its list has {len(found) - 1} more of this file." if len(found) > 1 else ""
            said = f" ({'; '.join(remarks)})" if remarks else ""
            self.message.emit("info", f"{label} plays the {part}{said}.{more}")

        self.jobs.start(work, done, lambda sentence: self.message.emit("warning", sentence))

    def _on_change(self, change: Change) -> None:
        if change.name.startswith("part.") and change.name.endswith(".instrument"):
            self._check(change.name.split(".")[1])

    def _check(self, part: str) -> None:
        """Load what a part is to play, where that is a file that is not there yet."""
        value = self.registry.get(f"part.{part}.instrument")
        self._problems.pop(part, None)
        self._asked[part] = value
        if not isinstance(value, str) or not is_user_instrument(value) or self._refused(part):
            return
        name, drums = value, part == "drums"
        if self.library.has(name, drums):
            return

        def done(remarks: tuple[str, ...]) -> None:
            if remarks:
                label = self.list.label_of(name)
                self.message.emit("info", f"{label}: {'; '.join(remarks)}.")
            self.worker.replan()
            self._show(part)

        def failed(sentence: str) -> None:
            if self._asked.get(part) == name:
                self._problems[part] = sentence
            self.message.emit("warning", sentence)
            self._show(part)

        self.jobs.start(lambda: self.library.load(name, drums), done, failed)

    def _refused(self, part: str) -> bool:
        if self.engine is None or self.engine.user_instruments:
            return False
        sentence = (ELSEWHERE if self.engine.remote else NOT_HERE).format(part)
        self._problems[part] = sentence
        self.message.emit("warning", sentence)
        self._show(part)
        return True

    def _show(self, part: str) -> None:
        button = self.panel.strips[part].instrument
        button.setToolTip(button.tooltip_text())
        button.update()

    def _engine_ready(self, info: EngineInfo) -> None:
        self.engine = info
        self._problems.clear()
        for part in PARTS:
            if self.registry.available(f"part.{part}.instrument"):
                self._check(part)

"""Files that come in: sounds to go on from, instruments and arrangements of the performer's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.interfaces import WorkerProtocol
from app.live_controller import LiveController
from app.window.arrangements import ArrangementControl
from app.window.continuation import ContinueFromAudio
from app.window.layout import WindowWidgets
from app.window.parts.user_instruments import UserInstrumentControl
from models.engine.interface import EngineInfo


class FilesIn(QObject):
    """What the window does with files that are dropped on it or chosen, sessions aside.

    Args:
        worker: plays on from them.
        live: steers with them.
        widgets: that they are dropped on.
        folder: keeps the lists.
        locked: whether nothing may be changed, as on stage.
        window: parent of dialogs.

    """

    message = Signal(str, str)
    """Level and sentence."""

    def __init__(
        self,
        worker: WorkerProtocol,
        live: LiveController,
        widgets: WindowWidgets,
        folder: Path,
        locked: Callable[[], bool],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self.continuation = ContinueFromAudio(worker, live, widgets.spectrogram, window)
        self.instruments = UserInstrumentControl(
            live.registry, worker, live, widgets.parts, folder / "instruments.json", locked, window
        )
        self.arrangements = ArrangementControl(live, widgets, locked, window)
        for source in (self.continuation, self.instruments, self.arrangements):
            source.message.connect(self.message)
        live.engine_ready.connect(self._engine_ready)

    def menu_entries(self) -> tuple[tuple[str, Callable[[], object]], ...]:
        """Entries of the session menu."""
        return (*self.continuation.menu_entries(), *self.arrangements.menu_entries())

    def close(self) -> None:
        """Listen to nothing any more."""
        self.instruments.close()
        self.arrangements.close()

    def _engine_ready(self, info: EngineInfo) -> None:
        self.continuation.set_available(info.continues_audio)

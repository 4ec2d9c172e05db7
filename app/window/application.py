"""Application: builds session, playback, window and controllers, and runs until it is closed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QStandardPaths
from PySide6.QtWidgets import QApplication

from app.playback import open_playback
from app.session import preferences
from app.session.prompts.library import PromptLibrary
from app.session.session import Session
from app.window.controllers.wiring import align_clock, open_bridge, open_coordinator
from app.window.main_window import MainWindow
from app.window.prompts.library_styles import LibraryStyles
from app.window.slow_engine import SlowEngineOffer
from app.window.style import theme
from app.window.teaching.control import TeachControl
from app.window.widgets import accessible
from models.errors import SegueError
from models.registry import DEFAULT_ENGINE


def run(argv: Sequence[str] = (), *, engine: str = "", device: str = "auto") -> int:
    """Open the instrument and play until its window is closed.

    Args:
        argv: may name a session file.
        engine: name of the engine, as for `models.open_engine`; '' for that of the preferences.
        device: torch device, as for `models.open_engine`.

    Returns:
        The exit code.

    """
    theme.paint_in_one_thread()
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(["segue"])
    QCoreApplication.setApplicationName("Segue")
    app.setApplicationDisplayName("Segue")
    app.setDesktopFileName("segue")
    theme.install(app)
    accessible.install()
    folder = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppDataLocation))
    early = _EarlyReports()
    loaded = preferences.load(folder / "preferences.json")
    chosen = engine or loaded.engine or DEFAULT_ENGINE
    playback = open_playback(chosen, device, loaded, early.report)
    try:
        window = MainWindow(Session(), playback, folder)
    except BaseException:
        playback.stop()
        raise
    _offer_library(window, folder)
    early.deliver(window.reported.emit)
    teaching = TeachControl(window.editor, playback.worker, window.say, window)
    SlowEngineOffer(
        playback.worker,
        window.banner,
        lambda: window.apply_preferences(replace(window.preferences, engine="")),
        window.say,
        window,
    )
    window.proportions.open(folder / "window.json")
    window.show()
    _shut_on_signals(window)
    if argv:
        window.files.open_path(Path(argv[0]))
    else:
        window.files.offer_recovery()
    bridge = open_bridge(window, folder)
    coordinator, alignment = open_coordinator(window, bridge), align_clock(window, bridge)
    code = app.exec()
    window.proportions.close(folder / "window.json")
    teaching.close()
    alignment.stop()
    coordinator.stop()
    bridge.stop()
    window.shut()
    return int(code)


def _offer_library(window: MainWindow, folder: Path) -> None:
    """Give the prompt editor the library, where it can be read."""
    try:
        library = PromptLibrary(theme.RESOURCES / "prompts.json", folder / "prompts.json")
    except SegueError as error:
        window.say("warning", str(error))
        return
    if library.problem:
        window.say("warning", library.problem)
    window.editor.use_library(library)
    styles = LibraryStyles(library, window.live, window.say, window)
    window.editor.kept.connect(styles.request)


class _EarlyReports:
    """Keeps incidents until there is a window that shows them."""

    def __init__(self) -> None:
        self._reports: list[tuple[str, str]] = []
        self._show: Callable[[str, str], None] | None = None

    def report(self, level: str, sentence: str) -> None:
        if self._show is not None:
            self._show(level, sentence)
        else:
            self._reports.append((level, sentence))

    def deliver(self, show: Callable[[str, str], None]) -> None:
        self._show = show
        for level, sentence in self._reports:
            show(level, sentence)


def _shut_on_signals(window: MainWindow) -> None:
    """Let SIGINT and SIGTERM end the program cleanly, without questions."""

    def shut(number: int, frame: object) -> None:
        window.shut()
        QApplication.exit(0)

    # Python's handlers run when the frame timer next enters the interpreter: within 16 ms.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, shut)

"""The instrument's window. GUI lane (main thread); never touches torch, never blocks."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.window.main_window import MainWindow


def run(argv: Sequence[str] | None = None, *, engine: str = "segue", device: str = "auto") -> int:
    """Open the instrument and play until the window is closed; the exit code.

    `argv` may name a session file. `engine` and `device` as in `models.open_engine`.
    """
    from PySide6.QtCore import QCoreApplication, QStandardPaths
    from PySide6.QtWidgets import QApplication

    from app.playback import open_playback
    from app.session import preferences
    from app.session.session import Session
    from app.window.controllers.wiring import align_clock, open_bridge, open_coordinator
    from app.window.main_window import MainWindow
    from app.window.style import theme

    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else QApplication(["segue"])
    QCoreApplication.setApplicationName("Segue")
    app.setApplicationDisplayName("Segue")
    app.setDesktopFileName("segue")
    theme.install(app)
    place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppDataLocation)
    folder = Path(place)
    messages = _Messages()
    player = open_playback(
        engine, device, preferences.load(folder / "preferences.json"), messages.put
    )
    try:
        window = MainWindow(Session(), player, folder)
    except BaseException:
        player.stop()
        raise
    messages.deliver(window.reported.emit)
    window.proportions.open()
    window.show()
    _obey_signals(window)
    if argv:
        window.files.open_path(Path(argv[0]))
    else:
        window.files.offer_recovery()
    bridge = open_bridge(window, folder)
    coordinator, alignment = open_coordinator(window, bridge), align_clock(window, bridge)
    code = app.exec()
    alignment.stop()
    coordinator.stop()
    bridge.stop()
    window.shut()
    return int(code)


class _Messages:
    """Keeps what is said before there is a window to say it in."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, str]] = []
        self._tell: Callable[[str, str], None] | None = None

    def put(self, level: str, sentence: str) -> None:
        if self._tell is not None:
            self._tell(level, sentence)
        else:
            self._kept.append((level, sentence))

    def deliver(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        for level, sentence in self._kept:
            tell(level, sentence)


def _obey_signals(window: MainWindow) -> None:
    """Ctrl+C in the terminal and a polite kill end the program cleanly, without questions."""

    def leave(number: int, frame: object) -> None:
        from PySide6.QtWidgets import QApplication

        window.shut()
        QApplication.exit(0)

    # Python's handlers run when the frame timer next lets the interpreter in: within 16 ms.
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, leave)

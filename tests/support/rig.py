"""Window on the fake player, with helpers for input."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import QContextMenuEvent, QDragEnterEvent, QDropEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.session.session import Session
from app.window.main_window import MainWindow
from app.window.style import theme
from models.engine.interface import ScoreInfo
from tests.support.fake_player import RATE, fake_player

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
CTRL = Qt.KeyboardModifier.ControlModifier


class Rig:
    """A window that shows; the engine is ready unless told otherwise."""

    def __init__(self, qtbot: QtBot, folder: Path, *, ready: bool = True) -> None:
        player, self.worker, self.output, self.capture_thread, self.ended = fake_player()
        self.session = Session()
        self.registry = self.session.registry
        self.folder = folder
        self.window = MainWindow(self.session, player, folder)
        self.qtbot = qtbot
        self.window.show()
        if ready:
            self.worker.ready()
            self.window.live.flush()

    # -- hands ---------------------------------------------------------------------------------
    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        """A key for the window itself."""
        self.qtbot.keyClick(self.window, key, modifiers)

    def drag(self, widget: QWidget, start: QPoint, end: QPoint) -> None:
        """Press, move in four steps, let go; positions in the widget."""
        self.qtbot.mousePress(widget, LEFT, pos=start)
        for step in range(1, 5):
            self.qtbot.mouseMove(widget, start + (end - start) * step / 4)
        self.qtbot.mouseRelease(widget, LEFT, pos=end)

    def drop(self, widget: QWidget, path: Path) -> bool:
        """Drop a file; False where the widget does not take it."""
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        middle = widget.rect().center()
        copy = Qt.DropAction.CopyAction
        enter = QDragEnterEvent(middle, copy, data, LEFT, NONE)
        QApplication.sendEvent(widget, enter)
        if not enter.isAccepted():
            return False
        let_go = QDropEvent(QPointF(middle), copy, data, LEFT, NONE)
        QApplication.sendEvent(widget, let_go)
        return let_go.isAccepted()

    def wheel(self, widget: QWidget, steps: int, modifiers: Qt.KeyboardModifier = NONE) -> None:
        middle = QPointF(widget.rect().center())
        event = QWheelEvent(
            middle, widget.mapToGlobal(middle), QPoint(), QPoint(0, 120 * steps),
            Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(widget, event)

    def context_menu(self, widget: QWidget) -> QMenu | None:
        """Right-click; the menu that came, if one did."""
        middle = widget.rect().center()
        event = QContextMenuEvent(
            QContextMenuEvent.Reason.Mouse, middle, widget.mapToGlobal(middle)
        )
        QApplication.sendEvent(widget, event)
        popup = QApplication.activePopupWidget()
        return popup if isinstance(popup, QMenu) else None

    def pick(self, menu: QMenu, words: str) -> None:
        """Choose from a menu by the beginning of the words."""
        action = next(a for a in menu.actions() if a.text().startswith(words))
        assert action.isEnabled()
        menu.close()
        action.trigger()

    # -- music ---------------------------------------------------------------------------------
    def heard(self, seconds: float, planned: float = 2.0) -> None:
        """Music (noise) that was played for so long, and a plan; drawn in the spectrogram."""
        frames = int((seconds + planned) * RATE)
        noise = np.random.default_rng(0).standard_normal((frames, 2)).astype(np.float32) * 0.1
        self.worker.plan(0, noise, ScoreInfo(tempo=120.0))
        self.output.read = seconds * RATE
        while self.window.spectrogram.pending:
            self.window.frames.draw()
        self.window.frames.draw()

    def at(self, seconds: float) -> QPoint:
        """Where in the spectrogram a time relative to the playhead is."""
        return self.window.spectrogram.point_at(seconds)


def rigs(qtbot: QtBot, folder: Path, *, ready: bool = True) -> Iterator[Rig]:
    """A rig, and after the test the proof that it leaves nothing behind."""
    before = threading.active_count()
    rig = Rig(qtbot, folder, ready=ready)
    yield rig
    rig.window.shut()
    assert rig.ended == ["stopped"]
    running = [timer for timer in rig.window.findChildren(QTimer) if timer.isActive()]
    assert not running, "a timer outlives the window"
    assert threading.active_count() <= before
    theme.set_scale(1.0)
    rig.window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)

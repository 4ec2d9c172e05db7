"""Button that returns the panned spectrogram to the playhead."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QPushButton, QWidget

from app.window.style import theme


class BackToNowButton(QPushButton):
    """Button at the upper right of `parent`, shown while the spectrogram is panned."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__("Back to now", parent)
        self._host = parent
        self.setIcon(theme.icon("play"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        # Takes no focus: the shortcuts stay usable.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setToolTip("Follow the playhead again (Home)")
        parent.installEventFilter(self)
        self.hide()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False

    def _place(self) -> None:
        self.adjustSize()
        self.move(self._host.width() - self.width() - 16, 10)

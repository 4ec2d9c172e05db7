"""The way back from the spectrogram's past to the playhead. GUI lane."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QPushButton, QWidget

from app.window.style import theme


class BackToNowButton(QPushButton):
    """At the upper right of `parent`; shown while the picture is away from the playhead."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__("Back to now", parent)
        self._host = parent
        self.setIcon(theme.icon("play"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        # The keys stay the instrument's.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setToolTip("Let the picture go with the music again (Home)")
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

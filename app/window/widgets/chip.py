"""Suggestion chip."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QPoint, QRectF, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QColor, QDrag, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from app.window.style import colours, theme


class Chip(QAbstractButton):
    """Chip: a suggestion as a rounded button, which can be dragged to a prompt.

    tooltip: by default, what a click does. path: of a sound, which is dragged instead of words.
    """

    picked = Signal(str)
    dragged = Signal()

    def __init__(
        self, label: str, parent: QWidget | None = None, *, tooltip: str = "", path: str = ""
    ) -> None:
        super().__init__(parent)
        self.label, self.path = label, path
        self.words = label
        """What is dragged."""
        self._pressed_at: QPoint | None = None
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(label)
        self.setToolTip(tooltip or f"Use “{label}” as the prompt, or drag it to one.")
        self.clicked.connect(lambda: self.picked.emit(label))

    def mime_data(self) -> QMimeData:
        """What a drag carries."""
        data = QMimeData()
        if self.path:
            data.setUrls([QUrl.fromLocalFile(self.path)])
        else:
            data.setText(self.words)
        return data

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        start, far = self._pressed_at, QApplication.startDragDistance()
        if start is None or (event.position().toPoint() - start).manhattanLength() < far:
            return
        self._pressed_at = None
        self.setDown(False)
        self.dragged.emit()
        drag = QDrag(self)
        drag.setMimeData(self.mime_data())
        drag.exec(Qt.DropAction.CopyAction)

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self.label) + 24, 28)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        hot = self.underMouse() or self.hasFocus()
        painter.setBrush(QColor(colours.EDGE if hot else colours.RAISED))
        painter.setPen(QColor(colours.ACCENT if hot else colours.EDGE))
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.setPen(QColor(colours.TEXT if hot else colours.DIM))
        painter.setFont(theme.font(13))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.label)

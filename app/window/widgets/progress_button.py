"""Progress button: shows how far a job is; a click is to cancel it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.window.style import colours, theme
from app.window.widgets.buttons import PlainButton


class ProgressButton(PlainButton):
    """Button with a bar in it; hidden while there is no job.

    Args:
        name: of the job, before the per cent.
        tooltip: what it does, and what a click does.
        parent: Qt's.

    """

    def __init__(self, name: str, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(label=name, tooltip=tooltip, parent=parent)
        self._name, self._share = name, 0.0
        self.hide()

    def show_share(self, share: float | None) -> None:
        """Show a share, 0 to 1; None while there is no job."""
        self.setVisible(share is not None)
        if share is None or (round(100 * share) == round(100 * self._share) and self._share):
            return
        self._share = share
        self.label = f"{self._name} {share:.0%}"
        self.setAccessibleName(self.label)
        self.update()

    def sizeHint(self) -> QSize:
        width = self.fontMetrics().horizontalAdvance(f"{self._name} 100%") + 26
        return QSize(round(theme.scaled(width)), round(theme.scaled(30)))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        shape = QPainterPath()
        shape.addRoundedRect(box, 7, 7)
        painter.fillPath(shape, QColor(colours.RAISED))
        painter.setClipPath(shape)
        done = QRectF(box.left(), box.top(), box.width() * self._share, box.height())
        painter.fillRect(done, QColor(colours.EDGE))
        painter.fillRect(QRectF(done.left(), box.bottom() - 3, done.width(), 3), colours.ACCENT)
        painter.setClipping(False)
        hot = self.underMouse() or self.hasFocus()
        painter.setPen(QColor(colours.ACCENT if hot else colours.EDGE))
        painter.drawPath(shape)
        painter.setPen(QColor(colours.TEXT))
        painter.setFont(theme.font(12))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.label)

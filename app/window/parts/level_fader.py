"""Level fader of a part: a groove from left to right that is its meter too."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QLineF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.parameter_widget import TrackWidget
from app.window.widgets.volume_fader import TRACK_COLOUR, meter_position

CAP: Final = 13.0
"""Width of the cap in pixels."""
STILL: Final = 0.002
"""Least change of the meter that is drawn."""


class LevelFader(TrackWidget):
    """Fader with the meter behind it; the value stands at its end while it is hovered or moved."""

    def __init__(self, registry: Registry, name: str, parent: QWidget | None = None) -> None:
        super().__init__(registry, name, parent)
        self.meter = 0.0
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setMinimumSize(56, 24)

    def sizeHint(self) -> QSize:
        return QSize(150, 30)

    def set_level(self, linear: float) -> None:
        """Show a level (linear) on the meter."""
        position = meter_position(linear)
        if abs(position - self.meter) > STILL or (position == 0.0) != (self.meter == 0.0):
            self.meter = position
            self.update()

    def _groove(self) -> QRectF:
        height = min(self.height() * 0.42, theme.scaled(13.0))
        return QRectF(CAP / 2, (self.height() - height) / 2, self.width() - CAP, height)

    def track_length(self) -> float:
        return self._groove().width()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        groove, enabled = self._groove(), self.isEnabled()
        painter.setPen(QPen(QColor(colours.EDGE), 1))
        painter.setBrush(QColor(TRACK_COLOUR))
        painter.drawRoundedRect(groove, 3, 3)
        if self.meter > 0.0:
            light = QLinearGradient(groove.topLeft(), groove.topRight())
            light.setColorAt(0.0, QColor("#4a5563"))
            light.setColorAt(0.7, QColor("#a9b3c0"))
            light.setColorAt(0.92, QColor(colours.ACCENT))
            light.setColorAt(1.0, QColor(colours.DANGER))
            lit = groove.adjusted(1, 1, -1, -1)
            lit.setWidth(lit.width() * self.meter)
            painter.fillRect(lit, light)
        x = groove.left() + groove.width() * self.parameter.to_unit(0.0)
        painter.setPen(QPen(QColor(colours.LINE), 1))
        for y in (groove.top() - 4, groove.bottom() + 1):
            painter.drawLine(QLineF(x, y, x, y + 3))  # 0 dB
        self._paint_cap(painter, groove, enabled)
        if self._drag is not None:
            self._paint_value(painter, groove)

    def _paint_cap(self, painter: QPainter, groove: QRectF, enabled: bool) -> None:
        x = groove.left() + groove.width() * self.unit_position
        height = min(self.height() - 2.0, theme.scaled(24.0))
        cap = QRectF(x - CAP / 2, (self.height() - height) / 2, CAP, height)
        body = QLinearGradient(cap.topLeft(), cap.bottomLeft())
        body.setColorAt(0.0, QColor("#4a5260"))
        body.setColorAt(1.0, QColor("#272d36"))
        edge = colours.TEXT if self.hasFocus() else "#0a0b0d"
        painter.setPen(QPen(QColor(edge), 1))
        painter.setBrush(body)
        painter.drawRoundedRect(cap, 3.5, 3.5)
        painter.setPen(QPen(QColor(colours.ACCENT if enabled else colours.LINE), 2))
        painter.drawLine(QLineF(x, cap.top() + 4, x, cap.bottom() - 4))

    def _paint_value(self, painter: QPainter, groove: QRectF) -> None:
        painter.setFont(theme.bold(theme.scaled(11)))
        width = painter.fontMetrics().horizontalAdvance(self.text) + 10.0
        left = groove.left() if self.unit_position > 0.5 else groove.right() - width
        box = QRectF(left, groove.center().y() - theme.scaled(9), width, theme.scaled(18))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(colours.BACKGROUND, 0.85))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(QColor(colours.TEXT))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.text)

"""Level fader of a part: a groove from left to right that is its meter too."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.parameter_widget import TrackWidget
from app.window.widgets.pixmap_cache import PixmapCache
from app.window.widgets.plate import paint_plate_below, place_on_plate
from app.window.widgets.volume_fader import TRACK_COLOUR, meter_position

CAP: Final = 13.0
"""Width of the cap in pixels."""
STEP: Final = 2
"""Pixels in which the meter moves: a fall is then drawn as often as the eye sees it."""


class LevelFader(TrackWidget):
    """Fader with the meter behind it; the value stands at its end while it is hovered or moved."""

    def __init__(self, registry: Registry, name: str, parent: QWidget | None = None) -> None:
        super().__init__(registry, name, parent)
        self.meter = 0.0
        self.lit = 0  # pixels of the groove that are lit
        self._pixmaps = PixmapCache()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setMinimumSize(56, 24)

    def sizeHint(self) -> QSize:
        return QSize(150, 30)

    def set_level(self, linear: float) -> None:
        """Show a level (linear) on the meter."""
        self.meter = meter_position(linear)
        lit = self._lit()
        if lit != self.lit:
            low, high = sorted((lit, self.lit))
            self.lit = lit
            groove = self._groove()
            # What changes, and the pixel beside it on which an edge is smoothed.
            span = groove.adjusted(low - 1, -1, 0, 1)
            span.setWidth(high - low + 3)
            self.update(span.toAlignedRect())

    def _lit(self) -> int:
        width = self._groove().width() - 2
        lit = STEP * round(width * self.meter / STEP)
        return lit if lit or self.meter == 0.0 else STEP

    def _groove(self) -> QRectF:
        height = min(self.height() * 0.42, theme.scaled(13.0))
        return QRectF(CAP / 2, (self.height() - height) / 2, self.width() - CAP, height)

    def track_length(self) -> float:
        return self._groove().width()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.lit = self._lit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        size, scale, groove = QSizeF(self.size()), theme.scaled(1.0), self._groove()
        place = (place_on_plate(self), scale)
        self._pixmaps.draw(painter, size, ("dark", place), lambda p: self._paint_groove(p, groove))
        if self.lit:
            light = self._pixmaps.pixmap(
                painter, size, ("light", scale), lambda p: self._paint_light(p, groove)
            )
            shown = QRectF(0.0, 0.0, groove.left() + 1 + self.lit, self.height())
            ratio = light.devicePixelRatioF()
            part = QRectF(0.0, 0.0, shown.width() * ratio, shown.height() * ratio)
            painter.drawPixmap(shown, light, part)
        enabled, focus = self.isEnabled(), self.hasFocus()
        x = groove.left() + groove.width() * self.unit_position
        cap = self._pixmaps.pixmap(
            painter, QSizeF(CAP + 2, self.height()), ("cap", enabled, focus, scale),
            lambda p: self._paint_cap(p, enabled, focus),
        )  # fmt: skip
        painter.drawPixmap(QPointF(x - CAP / 2 - 1, 0.0), cap)
        if self._drag is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_value(painter, groove)

    def _paint_groove(self, painter: QPainter, groove: QRectF) -> None:
        """Paint what does not move: the panel below, the groove, and the mark of 0 dB."""
        paint_plate_below(painter, self)
        painter.setPen(QPen(QColor(colours.EDGE), 1))
        painter.setBrush(QColor(TRACK_COLOUR))
        painter.drawRoundedRect(groove, 3, 3)
        x = groove.left() + groove.width() * self.parameter.to_unit(0.0)
        painter.setPen(QPen(QColor(colours.LINE), 1))
        for y in (groove.top() - 4, groove.bottom() + 1):
            painter.drawLine(QLineF(x, y, x, y + 3))

    def _paint_light(self, painter: QPainter, groove: QRectF) -> None:
        """Paint the meter at full level, of which the paint event shows a part."""
        light = QLinearGradient(groove.topLeft(), groove.topRight())
        light.setColorAt(0.0, QColor("#4a5563"))
        light.setColorAt(0.7, QColor("#a9b3c0"))
        light.setColorAt(0.92, QColor(colours.ACCENT))
        light.setColorAt(1.0, QColor(colours.DANGER))
        painter.fillRect(groove.adjusted(1, 1, -1, -1), light)

    def _paint_cap(self, painter: QPainter, enabled: bool, focus: bool) -> None:
        height = min(self.height() - 2.0, theme.scaled(24.0))
        cap = QRectF(1.0, (self.height() - height) / 2, CAP, height)
        body = QLinearGradient(cap.topLeft(), cap.bottomLeft())
        body.setColorAt(0.0, QColor("#4a5260"))
        body.setColorAt(1.0, QColor("#272d36"))
        painter.setPen(QPen(QColor(colours.TEXT if focus else "#0a0b0d"), 1))
        painter.setBrush(body)
        painter.drawRoundedRect(cap, 3.5, 3.5)
        painter.setPen(QPen(QColor(colours.ACCENT if enabled else colours.LINE), 2))
        x = cap.center().x()
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

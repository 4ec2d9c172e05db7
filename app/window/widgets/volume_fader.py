"""Master volume fader with stereo level meters."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QLineF, QRect, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import (
    QColor,
    QLinearGradient,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.parameter_widget import TrackWidget
from app.window.widgets.pixmap_cache import PixmapCache
from app.window.widgets.plate import paint_plate_below, place_on_plate

METER_FLOOR_DB: Final = -54.0
"""Level at the bottom of a meter."""
METER_MARKS_DB: Final = (0, -12, -24, -40)
OVER: Final = 0.98
"""Linear level from which the peak hold is red."""
METER_WIDTH: Final = 9.0
"""In pixels."""
TRACK_COLOUR: Final = "#08090b"


def meter_position(linear: float) -> float:
    """Position 0..1 on the meter (linear in dB) of a linear level."""
    if linear <= 0.0:
        return 0.0
    return min(max(1.0 - 20.0 * math.log10(linear) / METER_FLOOR_DB, 0.0), 1.0)


class VolumeFader(TrackWidget):
    """Fader for "mixer.master" with pre-fader meters: peak, RMS and peak hold."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(registry, "mixer.master", parent)
        self.peak = (0.0, 0.0)
        self.hold = (0.0, 0.0)
        self.rms = (0.0, 0.0)
        self.limiting = False
        self._shown = self._heights()
        self._pixmaps = PixmapCache()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(84, 90)
        self.setCursor(Qt.CursorShape.SizeVerCursor)

    def sizeHint(self) -> QSize:
        return QSize(104, 130)

    def set_levels(
        self,
        peak: tuple[float, float],
        hold: tuple[float, float],
        rms: tuple[float, float],
        limiting: bool,
    ) -> None:
        """Show linear levels (left, right), and whether the limiter is at work."""
        self.peak, self.hold, self.rms = peak, hold, rms
        shown = self._heights()
        if shown != self._shown:
            self._shown = shown
            self.update(self._meters())
        if limiting != self.limiting:
            self.limiting = limiting
            self.update()

    def _meters(self) -> QRect:
        return self._meter_box(0).united(self._meter_box(1)).adjusted(0, -1, 0, 1).toAlignedRect()

    def _heights(self) -> tuple[tuple[int, int, int, bool], ...]:
        """Pixels that are lit by peak, RMS and hold in each channel, and whether it is over."""
        height = self._track().height()

        def pixels(level: float) -> int:
            return round(height * meter_position(level))

        return tuple(
            (pixels(peak), pixels(rms), pixels(hold), hold >= OVER)
            for peak, rms, hold in zip(self.peak, self.rms, self.hold, strict=True)
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._shown = self._heights()

    def _track(self) -> QRectF:
        return QRectF(0, 12, self.width(), self.height() - 36)

    def track_length(self) -> float:
        return self._track().height()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        track = self._track()
        size, place = QSizeF(self.size()), (place_on_plate(self), theme.scaled(1.0))
        self._pixmaps.draw(painter, size, ("background", place), self._paint_background)
        gradient = self._pixmaps.pixmap(
            painter,
            QSizeF(METER_WIDTH, track.height()),
            "light",
            lambda p: _paint_meter_gradient(p, track),
        )
        for channel in (0, 1):
            self._paint_meter(painter, self._meter_box(channel), channel, gradient)
        if self._meters().contains(event.rect()):
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.width() * 0.34
        self._paint_cap(painter, track, middle)
        left = self.width() * 0.60
        painter.setFont(theme.bold(theme.scaled(12)))
        painter.setPen(QColor(colours.TEXT))
        area = QRectF(0, self.height() - 20, middle * 2, 18)
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self.text)
        if self.limiting:
            painter.setPen(QColor(colours.ACCENT))
            area = QRectF(left - 10, self.height() - 20, self.width() - left + 10, 18)
            painter.setFont(theme.font(theme.scaled(10.5)))
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, "limiting")

    def _meter_box(self, channel: int) -> QRectF:
        track = self._track()
        left = round(self.width() * 0.60) + channel * (METER_WIDTH + 3)
        return QRectF(left, track.top(), METER_WIDTH, track.height())

    def _paint_background(self, painter: QPainter) -> None:
        """Paint the static parts: the panel below, grooves and scales."""
        paint_plate_below(painter, self)
        track, x = self._track(), self.width() * 0.34
        groove = QRectF(x - 2.5, track.top(), 5, track.height())
        painter.setPen(QPen(QColor(colours.EDGE), 1))
        painter.setBrush(QColor(TRACK_COLOUR))
        painter.drawRoundedRect(groove, 2.5, 2.5)
        painter.setPen(QPen(QColor(colours.LINE), 1))
        for decibels in (0, -6, -12, -24, -40):
            y = track.bottom() - track.height() * self.parameter.to_unit(float(decibels))
            painter.drawLine(round(x - 13), round(y), round(x - 7), round(y))
            painter.drawLine(round(x + 7), round(y), round(x + 13), round(y))
        painter.setPen(Qt.PenStyle.NoPen)
        for channel in (0, 1):
            painter.drawRoundedRect(self._meter_box(channel), 2, 2)
        painter.setFont(theme.font(theme.scaled(9.5)))
        painter.setPen(QColor(colours.FAINT))
        right = self._meter_box(1).right()
        for decibels in METER_MARKS_DB:
            y = track.bottom() - track.height() * meter_position(10 ** (decibels / 20))
            area = QRectF(right + 4, y - 7, 26, 14)
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, str(-decibels))

    def _paint_cap(self, painter: QPainter, track: QRectF, x: float) -> None:
        y = track.bottom() - track.height() * self.unit_position
        cap = QRectF(x - 15, y - 10, 30, 20)
        body = QLinearGradient(cap.topLeft(), cap.bottomLeft())
        body.setColorAt(0.0, QColor("#4a5260"))
        body.setColorAt(0.48, QColor("#2c323b"))
        body.setColorAt(0.52, QColor("#23282f"))
        body.setColorAt(1.0, QColor("#343b46"))
        edge = colours.TEXT if self.hasFocus() else "#0a0b0d"
        painter.setPen(QPen(QColor(edge), 1))
        painter.setBrush(body)
        painter.drawRoundedRect(cap, 4, 4)
        painter.setPen(QPen(QColor(colours.ACCENT), 2))
        painter.drawLine(QLineF(cap.left() + 4, y, cap.right() - 4, y))

    def _paint_meter(self, painter: QPainter, box: QRectF, channel: int, gradient: QPixmap) -> None:
        ratio = gradient.devicePixelRatioF()
        peak, rms, hold, over = self._shown[channel]
        for height, alpha in ((peak, 0.45), (rms, 1.0)):
            painter.setOpacity(alpha)
            lit = QRectF(box.left(), box.bottom() - height, box.width(), height)
            part = QRectF(0, (box.height() - height) * ratio, METER_WIDTH * ratio, height * ratio)
            painter.drawPixmap(lit, gradient, part)
        painter.setOpacity(1.0)
        if hold > 0:
            colour = QColor(colours.DANGER if over else colours.TEXT)
            painter.fillRect(QRectF(box.left(), box.bottom() - hold - 1, box.width(), 2), colour)


def _paint_meter_gradient(painter: QPainter, track: QRectF) -> None:
    """Paint a meter at full level, of which the paint event shows a part."""
    gradient = QLinearGradient(0.0, track.height(), 0.0, 0.0)
    gradient.setColorAt(0.0, QColor("#3c4653"))
    gradient.setColorAt(0.62, QColor("#8b95a3"))
    gradient.setColorAt(0.86, QColor(colours.ACCENT))
    gradient.setColorAt(1.0, QColor(colours.DANGER))
    painter.fillRect(QRectF(0.0, 0.0, METER_WIDTH, track.height()), gradient)

"""Rotary knob with a value ring and an optional halo."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QRadialGradient,
)
from PySide6.QtWidgets import QWidget

from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.parameter_widget import Drag, ParameterWidget

SWEEP_DEGREES: Final = 280.0
START_DEGREES: Final = 90.0 + SWEEP_DEGREES / 2.0
"""Angle of the minimum, in degrees anticlockwise from three o'clock (lower left)."""

_cap_pixmaps: dict[tuple[int, float], QPixmap] = {}


class Knob(ParameterWidget):
    """Knob for one parameter: `caption` above, value below; the parent paints the halo."""

    def __init__(
        self,
        registry: Registry,
        name: str,
        parent: QWidget | None = None,
        *,
        caption: str | None = None,
        hex_color: str = colours.ACCENT,
    ) -> None:
        super().__init__(registry, name, parent)
        self.caption = caption
        self.caption_colour = colours.DIM
        self.hex_color = hex_color
        self.halo: float | None = None
        self.centre_text = ""
        self._drag: Drag | None = None
        self.setCursor(Qt.CursorShape.SizeVerCursor)
        self.setMinimumSize(54, 64)

    def sizeHint(self) -> QSize:
        return QSize(84, 104)

    def set_halo(self, share: float, centre_text: str) -> None:
        if self.halo is None or abs(share - self.halo) > 1e-3 or centre_text != self.centre_text:
            self.halo, self.centre_text = share, centre_text
            if self.change_handler is None:
                self.update()  # else the parent repaints knob and halo together

    def set_caption(self, caption: str, hex_color: str = colours.DIM) -> None:
        """Show another caption, in a colour."""
        if (caption, hex_color) != (self.caption, self.caption_colour):
            self.caption, self.caption_colour = caption, hex_color
            self.update()

    def set_colour(self, hex_color: str) -> None:
        self.hex_color = hex_color
        self.update()

    # -- input ---------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = Drag(event.globalPosition(), self.unit_position)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None:
            fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            value = self._drag.move(event.globalPosition(), fine)
            self.registry.set_unit(self.parameter_name, value)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = None
        self.update()

    # -- painting ------------------------------------------------------------------------------
    def _geometry(self) -> tuple[QPointF, float, float]:
        """Centre and radius of the ring, and the text size."""
        # By the width too, so that a row of narrow knobs has captions of one size.
        room = min(self.height() * 0.115, self.width() * 0.2)
        text_size = min(max(room, theme.scaled(11.0)), theme.scaled(17.0))
        top = text_size * 1.45 if self.caption is not None else 0.0
        bottom = text_size * 1.5 if self.caption is not None else 0.0
        room_x = self.width() / 2.0
        room_y = (self.height() - top - bottom) / 2.0
        margin = 0.80 if self.halo is not None else 0.88
        radius = max(min(room_x, room_y) * margin, 8.0)
        return QPointF(self.width() / 2.0, top + room_y), radius, text_size

    def ring(self) -> tuple[QPointF, float]:
        """Centre and radius of the ring, for the halo."""
        centre, radius, _ = self._geometry()
        return centre, radius

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        centre, radius, text_size = self._geometry()
        enabled = self.isEnabled()
        hex_color = self.hex_color if enabled else colours.LINE
        self._paint_ring(painter, centre, radius, hex_color)
        paint_cap(painter, centre, radius * 0.74)
        if not self.is_auto:
            self._paint_pointer(painter, centre, radius * 0.74, hex_color)
        self._paint_text(painter, centre, radius, text_size, enabled)
        if self.hasFocus():
            painter.setPen(QPen(theme.colour(colours.TEXT, 0.55), 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(centre, radius * 1.13, radius * 1.13)

    def _paint_ring(
        self, painter: QPainter, centre: QPointF, radius: float, hex_color: str
    ) -> None:
        box = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)
        width = max(radius * 0.105, 3.0)
        inset = width / 2.0
        box.adjust(inset, inset, -inset, -inset)
        track = QPen(QColor(colours.EDGE), width)
        track.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(track)
        painter.drawArc(box, round(START_DEGREES * 16), round(-SWEEP_DEGREES * 16))
        if self.is_auto:
            dots = QPen(theme.colour(hex_color, 0.75), width * 0.62)
            dots.setCapStyle(Qt.PenCapStyle.RoundCap)
            dots.setDashPattern([0.01, 3.2])
            painter.setPen(dots)
            painter.drawArc(box, round(START_DEGREES * 16), round(-SWEEP_DEGREES * 16))
            return
        position = self.unit_position
        if position > 0.001:
            glow = QPen(theme.colour(hex_color, 0.22), width * 2.0)
            glow.setCapStyle(Qt.PenCapStyle.RoundCap)
            lit = QPen(QColor(hex_color), width)
            lit.setCapStyle(Qt.PenCapStyle.RoundCap)
            for pen in (glow, lit):
                painter.setPen(pen)
                painter.drawArc(
                    box, round(START_DEGREES * 16), round(-SWEEP_DEGREES * position * 16)
                )

    def _paint_pointer(
        self, painter: QPainter, centre: QPointF, radius: float, hex_color: str
    ) -> None:
        angle = math.radians(START_DEGREES - SWEEP_DEGREES * self.unit_position)
        direction = QPointF(math.cos(angle), -math.sin(angle))
        pen = QPen(theme.colour(colours.TEXT if self.isEnabled() else colours.FAINT), 0)
        pen.setWidthF(max(radius * 0.1, 2.2))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawLine(centre + direction * (radius * 0.6), centre + direction * (radius * 0.86))

    def _paint_text(
        self, painter: QPainter, centre: QPointF, radius: float, text_size: float, enabled: bool
    ) -> None:
        if self.centre_text:
            painter.setFont(theme.bold(radius * 0.32))
            painter.setPen(QColor(colours.TEXT if enabled else colours.FAINT))
            box = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.centre_text)
        if self.caption is None:
            return
        middle = Qt.AlignmentFlag.AlignHCenter
        theme.fit_font(painter, self.caption, theme.caption(text_size), self.width() - 2.0)
        painter.setPen(QColor(self.caption_colour if enabled else colours.FAINT))
        painter.drawText(
            QRectF(0, 0, self.width(), text_size * 1.4),
            middle | Qt.AlignmentFlag.AlignTop,
            self.caption,
        )
        theme.fit_font(painter, self.text, theme.bold(text_size * 1.12), self.width() - 2.0)
        bright = colours.DIM if self.is_auto else colours.TEXT
        painter.setPen(QColor(bright if enabled else colours.FAINT))
        painter.drawText(
            QRectF(0, self.height() - text_size * 1.55, self.width(), text_size * 1.5),
            middle | Qt.AlignmentFlag.AlignVCenter,
            self.text,
        )


def halo_radius(radius: float, strength: float) -> float:
    """Radius of the halo of a knob with ring radius `radius`, for strength 0..1."""
    return radius * (1.25 + 1.1 * math.sqrt(strength)) if strength > 0.0 else 0.0


def paint_halo(
    painter: QPainter, centre: QPointF, radius: float, hex_color: str, strength: float
) -> None:
    """Paint a halo that grows and brightens with the strength 0..1."""
    halo = halo_radius(radius, strength)
    light = QRadialGradient(centre, halo)
    inner = radius / halo * 0.86
    light.setColorAt(0.0, theme.colour(hex_color, 0.0))
    light.setColorAt(inner, theme.colour(hex_color, 0.16 + 0.44 * strength))
    light.setColorAt((1.0 + inner) / 2.0, theme.colour(hex_color, 0.05 + 0.14 * strength))
    light.setColorAt(1.0, theme.colour(hex_color, 0.0))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(light)
    painter.drawEllipse(centre, halo, halo)


def paint_cap(painter: QPainter, centre: QPointF, radius: float) -> None:
    """Paint the knob cap from a pixmap cached by size."""
    ratio = painter.device().devicePixelRatioF()
    side = math.ceil(radius * 2.3)
    key = (side, ratio)
    if key not in _cap_pixmaps:
        _cap_pixmaps[key] = _make_cap_pixmap(side, radius, ratio)
    corner = centre - QPointF(side / 2.0, side / 2.0)
    painter.drawPixmap(corner, _cap_pixmaps[key])


def _make_cap_pixmap(side: int, radius: float, ratio: float) -> QPixmap:
    pixmap = QPixmap(round(side * ratio), round(side * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = theme.antialiased(pixmap)
    painter.setPen(Qt.PenStyle.NoPen)
    centre = QPointF(side / 2.0, side / 2.0)
    shadow = QRadialGradient(centre + QPointF(0, radius * 0.1), radius * 1.15)
    shadow.setColorAt(0.78, theme.colour("#000000", 0.55))
    shadow.setColorAt(1.0, theme.colour("#000000", 0.0))
    painter.setBrush(shadow)
    painter.drawEllipse(centre + QPointF(0, radius * 0.06), radius * 1.12, radius * 1.12)
    rim = QLinearGradient(0, centre.y() - radius, 0, centre.y() + radius)
    rim.setColorAt(0.0, QColor("#4c5563"))
    rim.setColorAt(0.5, QColor("#272c34"))
    rim.setColorAt(1.0, QColor("#14171b"))
    painter.setBrush(rim)
    painter.drawEllipse(centre, radius, radius)
    face = QLinearGradient(0, centre.y() - radius, 0, centre.y() + radius)
    face.setColorAt(0.0, QColor("#2f353f"))
    face.setColorAt(0.55, QColor("#20242b"))
    face.setColorAt(1.0, QColor("#191c21"))
    painter.setBrush(face)
    painter.drawEllipse(centre, radius * 0.955, radius * 0.955)
    dish = QRadialGradient(centre + QPointF(0, radius * 0.5), radius * 1.2)
    dish.setColorAt(0.0, QColor("#262b33"))
    dish.setColorAt(1.0, QColor("#1b1f25"))
    painter.setBrush(dish)
    painter.drawEllipse(centre, radius * 0.8, radius * 0.8)
    painter.end()
    return pixmap

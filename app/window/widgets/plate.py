"""Plate of a panel: what is painted below the widgets that stand on it."""

from __future__ import annotations

from collections.abc import Hashable

from PySide6.QtCore import QLineF, QRectF
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPen
from PySide6.QtWidgets import QWidget

from app.window.style import colours, theme


def paint_plate(painter: QPainter, area: QRectF) -> None:
    """Paint a plate with a border."""
    box = area.adjusted(0.5, 0.5, -0.5, -0.5)
    gradient = QLinearGradient(box.topLeft(), box.bottomLeft())
    gradient.setColorAt(0.0, QColor("#191d23"))
    gradient.setColorAt(1.0, QColor("#131619"))
    painter.setBrush(gradient)
    painter.setPen(QPen(QColor(colours.EDGE), 1))
    painter.drawRoundedRect(box, 10, 10)
    painter.setPen(theme.colour("#ffffff", 0.05))
    painter.drawLine(QLineF(box.left() + 10, box.top() + 1, box.right() - 10, box.top() + 1))


def paint_plate_below(painter: QPainter, widget: QWidget) -> None:
    """Paint the part of its parent's plate that a widget covers.

    For a widget that moves often: it then paints all of itself, and nothing below it is painted
    first.
    """
    painter.fillRect(widget.rect(), QColor(colours.BACKGROUND))
    panel = widget.parentWidget()
    if panel is not None:
        painter.save()
        painter.translate(-widget.pos())
        paint_plate(painter, QRectF(panel.rect()))
        painter.restore()


def place_on_plate(widget: QWidget) -> Hashable:
    """What `paint_plate_below` depends on, for the key of a cache."""
    panel = widget.parentWidget()
    size = None if panel is None else panel.size().toTuple()
    return widget.pos().toTuple(), size

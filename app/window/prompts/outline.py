"""Outline of a sound: its peaks as bars."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter

from app.window.style import theme


def paint_outline(painter: QPainter, box: QRectF, peaks: Sequence[float], hex_color: str) -> None:
    """Paint the peaks of a sound (0 to 1) over a box, or an icon where they are not known yet."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour(hex_color, 0.85))
    if not peaks:
        theme.draw_icon(painter, "sound", hex_color, box)
        return
    count = max(int(box.width() // 3), 1)
    for index in range(count):
        start = index * len(peaks) // count
        stop = max(start + 1, (index + 1) * len(peaks) // count)
        high = max(max(peaks[start:stop]) * box.height(), 1.5)
        painter.drawRoundedRect(
            QRectF(box.left() + index * 3, box.center().y() - high / 2, 2, high), 1, 1
        )

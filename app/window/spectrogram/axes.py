"""Axes of the spectrogram: frequencies at its left, times below it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter

from app.window.spectrogram.plot import SPECTRUM
from app.window.spectrogram.spectra import BANDS, band_of
from app.window.style import colours, theme
from app.window.widgets.pixmap_cache import PixmapCache

FREQUENCY_TICKS: Final = (
    (60, "60"),
    (125, ""),
    (250, "250"),
    (500, ""),
    (1000, "1k"),
    (2000, ""),
    (4000, "4k"),
    (8000, ""),
    (14000, "14k"),
)
LEFT, TOP, RIGHT, BOTTOM = 42, 4, 8, 20
"""Margins around the plot at scale 1, in pixels; top and right do not grow with the text."""
TICK: Final = 4
TEXT_SIZE: Final = 10.5


class Axes:
    """Paints what is around the plot; from a cache, as it rarely changes."""

    def __init__(self) -> None:
        self.scale = 1.0
        self._times: tuple[tuple[float, str], ...] = ()
        self._span = (1.0, 0.0)
        self._pixmaps = PixmapCache()

    def set_times(self, ticks: list[tuple[float, str]], past: float, future: float) -> None:
        """Set the labels of the time axis, at seconds from zero, and the span in seconds."""
        self._times, self._span = tuple(ticks), (past, future)

    def plot_area(self, whole: QRect, ratio: float) -> QRectF:
        """Where the plot is; its corner lies on one of the screen's pixels.

        Args:
            whole: the widget.
            ratio: the screen's pixels in one of the widget's.

        """
        left = round(LEFT * self.scale * ratio) / ratio
        bottom = max(whole.height() - round(BOTTOM * self.scale), TOP + 1)
        return QRectF(left, TOP, max(whole.width() - RIGHT - left, 1.0), bottom - TOP)

    def paint(self, painter: QPainter, whole: QRect, area: QRectF) -> None:
        """Paint the axes, and the background of all that the plot leaves free."""
        key = (self._times, self._span, self.scale, area.getRect())
        painter.fillRect(whole, QColor(colours.BACKGROUND))
        self._pixmaps.draw(painter, QSizeF(whole.size()), key, lambda p: self._paint(p, area))

    def _paint(self, painter: QPainter, area: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setFont(theme.font(TEXT_SIZE * self.scale))
        high = painter.fontMetrics().height()
        edge, ink = QColor(colours.EDGE), QColor(colours.DIM)
        painter.fillRect(QRectF(area.left() - 1, area.top(), 1, area.height() + 1), edge)
        painter.fillRect(QRectF(area.left(), area.bottom(), area.width(), 1), edge)
        middle = Qt.AlignmentFlag.AlignVCenter
        lowest, free = area.top() + high / 2 - 1, area.bottom() + high
        for hertz, text in FREQUENCY_TICKS:
            share = (band_of(hertz) + 0.5) / BANDS
            y = area.top() + (1.0 - share) * SPECTRUM * area.height()
            painter.fillRect(QRectF(area.left() - TICK, y, TICK, 1), edge)
            y = max(y, lowest)
            if not text or y + high / 2 > free:
                continue  # it would touch the one below
            free = y - high / 2
            box = QRectF(0, free, area.left() - TICK - 5, high)
            painter.setPen(ink)
            painter.drawText(box, middle | Qt.AlignmentFlag.AlignRight, text)
        past, future = self._span
        for seconds, text in self._times:
            x = area.left() + (seconds + past) / (past + future) * area.width()
            if not area.left() <= x <= area.right():
                continue
            painter.fillRect(QRectF(x, area.bottom(), 1, TICK), edge)
            wide = painter.fontMetrics().horizontalAdvance(text) + 4
            left = min(max(x - wide / 2, 0.0), area.right() + RIGHT - wide)
            painter.setPen(ink)
            painter.drawText(QRectF(left, area.bottom() + TICK, wide, high),
                             Qt.AlignmentFlag.AlignCenter, text)  # fmt: skip

"""Picture that scrolls: pixel columns that are painted once and then only moved.

A column of pixels has a number for ever, so that a step to the side costs the columns that come
into view, and a copy of the rest.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRect, QRectF, QSize
from PySide6.QtGui import QImage, QPainter

PaintColumns = Callable[[QPainter, int, int], None]
"""Paints columns first..last; the painter's x is the distance from `first`."""


class ScrollingImage:
    """Ring buffer of pixel columns by number.

    Args:
        paint: paints columns that are not there yet; it must fill them.

    """

    def __init__(self, paint: PaintColumns) -> None:
        self._paint = paint
        self._image = QImage()
        self._low = self._high = 0  # columns that are there
        self._stale: tuple[int, int] | None = None

    def reset(self, size: QSize) -> None:
        """Forget all columns; size: of the widest picture, in pixels."""
        if size != self._image.size():
            self._image = QImage(size, QImage.Format.Format_RGB32)
        self._low = self._high = 0
        self._stale = None

    def invalidate(self, first: int, last: int | None = None) -> None:
        """Have columns first..last (None: all that follow) painted again."""
        if last is None:
            self._high = max(min(self._high, first), self._low)
        elif last > first:
            low, high = self._stale or (first, last)
            self._stale = min(low, first), max(high, last)

    def draw(self, painter: QPainter, place: QPointF, left: int, right: int, ratio: float) -> None:
        """Draw columns left..right at a place.

        Args:
            painter: of the target.
            place: of the upper left corner.
            left: first column.
            right: one past the last column.
            ratio: pixels of the image in one of the painter's.

        """
        size, height = self._image.width(), self._image.height()
        right = min(right, left + size)
        if size == 0 or right <= left:
            return
        self._provide(left, right)
        for begin, end in self._runs(left, right):
            target = QRectF(
                place.x() + (begin - left) / ratio, place.y(), (end - begin) / ratio, height / ratio
            )
            painter.drawImage(target, self._image, QRectF(begin % size, 0, end - begin, height))

    def _provide(self, left: int, right: int) -> None:
        size = self._image.width()
        if right <= self._low or left >= self._high:
            self._low = self._high = left
        if self._stale is not None:
            first, last = max(self._stale[0], self._low), min(self._stale[1], self._high)
            self._stale = None
            self._render(first, last)
        if left < self._low:
            self._high = min(self._high, left + size)
            self._render(left, self._low)
            self._low = left
        if right > self._high:
            self._render(self._high, right)
            self._high = right
            self._low = max(self._low, right - size)

    def _runs(self, first: int, last: int) -> list[tuple[int, int]]:
        """Columns first..last in pieces that lie side by side in the image."""
        size = self._image.width()
        seam = (first // size + 1) * size
        return [(first, last)] if last <= seam else [(first, seam), (seam, last)]

    def _render(self, first: int, last: int) -> None:
        if last <= first:
            return
        size, height = self._image.width(), self._image.height()
        for begin, end in self._runs(first, last):
            painter = QPainter(self._image)
            painter.translate(begin % size, 0)
            painter.setClipRect(QRect(0, 0, end - begin, height))
            self._paint(painter, begin, end)
            painter.end()

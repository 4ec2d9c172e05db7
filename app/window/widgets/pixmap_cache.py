"""Pictures of what seldom changes, painted once and kept. GUI lane.

What is painted 30 or 60 times a second takes time from the inference lane, which wants the same
lock of Python: of what moves only the moving part should be painted anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

from PySide6.QtCore import QPointF, QSizeF, Qt
from PySide6.QtGui import QPainter, QPixmap

MOST: Final = 32


class PixmapCache:
    """The pictures of one widget."""

    def __init__(self) -> None:
        self._pictures: dict[Hashable, QPixmap] = {}

    def picture(
        self, painter: QPainter, size: QSizeF, key: Hashable, paint: Callable[[QPainter], None]
    ) -> QPixmap:
        """What `paint` paints into an area of this size (from 0, 0 on), for this painter's screen.

        key: all that the picture depends on besides.
        """
        ratio = painter.device().devicePixelRatioF()
        whole = (key, size.width(), size.height(), ratio)
        found = self._pictures.get(whole)
        if found is None:
            if len(self._pictures) >= MOST:
                self._pictures.clear()
            found = QPixmap((size * ratio).toSize().expandedTo(QPixmap(1, 1).size()))
            found.setDevicePixelRatio(ratio)
            found.fill(Qt.GlobalColor.transparent)
            once = QPainter(found)
            once.setRenderHint(QPainter.RenderHint.Antialiasing)
            paint(once)
            once.end()
            self._pictures[whole] = found
        return found

    def draw(
        self, painter: QPainter, size: QSizeF, key: Hashable, paint: Callable[[QPainter], None]
    ) -> None:
        """Draw it at the painter's origin."""
        painter.drawPixmap(QPointF(0.0, 0.0), self.picture(painter, size, key, paint))

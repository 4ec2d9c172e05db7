"""Pictures of what seldom changes, painted once and kept. GUI lane.

What is painted 30 or 60 times a second takes time from the inference lane, which wants the same
lock of Python: of what moves only the moving part should be painted anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

from PySide6.QtCore import QPointF, QSizeF, Qt
from PySide6.QtGui import QPainter, QPixmap

MAX_PIXMAPS: Final = 32


class PixmapCache:
    """The pictures of one widget."""

    def __init__(self) -> None:
        self._pixmaps: dict[Hashable, QPixmap] = {}

    def pixmap(
        self, painter: QPainter, size: QSizeF, key: Hashable, paint: Callable[[QPainter], None]
    ) -> QPixmap:
        """What `paint` paints into an area of this size (from 0, 0 on), for this painter's screen.

        key: all that the picture depends on besides.
        """
        ratio = painter.device().devicePixelRatioF()
        full_key = (key, size.width(), size.height(), ratio)
        pixmap = self._pixmaps.get(full_key)
        if pixmap is None:
            if len(self._pixmaps) >= MAX_PIXMAPS:
                self._pixmaps.clear()
            pixmap = QPixmap((size * ratio).toSize().expandedTo(QPixmap(1, 1).size()))
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter_ = QPainter(pixmap)
            painter_.setRenderHint(QPainter.RenderHint.Antialiasing)
            paint(painter_)
            painter_.end()
            self._pixmaps[full_key] = pixmap
        return pixmap

    def draw(
        self, painter: QPainter, size: QSizeF, key: Hashable, paint: Callable[[QPainter], None]
    ) -> None:
        """Draw it at the painter's origin."""
        painter.drawPixmap(QPointF(0.0, 0.0), self.pixmap(painter, size, key, paint))

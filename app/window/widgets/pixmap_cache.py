"""Cache of pixmaps for the static parts of a widget.

Painting holds the GIL and so delays the inference thread: in widgets that repaint 30 or 60 times a
second only the moving part should be painted again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

from PySide6.QtCore import QPointF, QSizeF, Qt
from PySide6.QtGui import QPainter, QPixmap

MAX_PIXMAPS: Final = 32


class PixmapCache:
    """Pixmaps of one widget, by key, size and device pixel ratio."""

    def __init__(self) -> None:
        self._pixmaps: dict[Hashable, QPixmap] = {}

    def pixmap(
        self, painter: QPainter, size: QSizeF, key: Hashable, paint: Callable[[QPainter], None]
    ) -> QPixmap:
        """Pixmap of what `paint` draws into `size`; `key` names all else that it depends on."""
        ratio = painter.device().devicePixelRatioF()
        full_key = (key, size.width(), size.height(), ratio)
        pixmap = self._pixmaps.get(full_key)
        if pixmap is None:
            if len(self._pixmaps) >= MAX_PIXMAPS:
                self._pixmaps.clear()
            pixmap = QPixmap((size * ratio).toSize().expandedTo(QPixmap(1, 1).size()))
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            target = QPainter(pixmap)
            target.setRenderHint(QPainter.RenderHint.Antialiasing)
            paint(target)
            target.end()
            self._pixmaps[full_key] = pixmap
        return pixmap

    def draw(
        self, painter: QPainter, size: QSizeF, key: Hashable, paint: Callable[[QPainter], None]
    ) -> None:
        """Draw the cached pixmap at the painter's origin."""
        painter.drawPixmap(QPointF(0.0, 0.0), self.pixmap(painter, size, key, paint))

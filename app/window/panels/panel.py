"""Base of the panels: a plate with a border, and a group of widgets that hides when empty."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSizeF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QBoxLayout, QWidget

from app.window.widgets.pixmap_cache import PixmapCache
from app.window.widgets.plate import paint_plate


class Panel(QWidget):
    """Plate with a border that holds widgets."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pixmaps = PixmapCache()

    def paintEvent(self, event: QPaintEvent) -> None:
        # Cached: the background is repainted under every widget, the meters 30 times a second.
        size = QSizeF(self.size())
        self._pixmaps.draw(
            QPainter(self), size, None, lambda p: paint_plate(p, QRectF(self.rect()))
        )


class Group(QWidget):
    """Widgets laid out in a row or column, hidden by the panel when all of them are."""

    def __init__(
        self, members: Sequence[QWidget], parent: QWidget, *, stretches: Sequence[int] = ()
    ) -> None:
        super().__init__(parent)
        self.members = tuple(members)
        self._box = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(5)
        for widget, stretch in zip(self.members, stretches or [1] * len(self.members), strict=True):
            self._box.addWidget(widget, stretch)

    def set_direction(self, *, horizontal: bool) -> None:
        """Lay the members out in a row or in a column."""
        directions = QBoxLayout.Direction
        self._box.setDirection(directions.LeftToRight if horizontal else directions.TopToBottom)

    @property
    def has_visible_member(self) -> bool:
        """Whether any member is visible."""
        return any(not widget.isHidden() for widget in self.members)

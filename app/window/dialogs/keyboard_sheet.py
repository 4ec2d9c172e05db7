"""Keyboard sheet: every shortcut on one page over the window."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.window.shortcuts import KEY_GROUPS, SHORTCUTS
from app.window.style import colours, theme

MAX_WIDTH: Final = 1120.0
MAX_HEIGHT: Final = 620.0
GROUPS: Final = ("Play", "Mix", "Scenes", "Edit", "Window")
COLUMNS: Final = (("Play", "Edit"), ("Mix",), ("Scenes", "Window"))


def sheet_rows() -> dict[str, list[tuple[str, str]]]:
    """Keys and descriptions by group, in the order of the sheet."""
    rows: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
    for shortcut in SHORTCUTS:
        if shortcut.description:
            rows[shortcut.group].append((shortcut.keys, shortcut.description))
    for keys, words, group in KEY_GROUPS:
        rows[group].append((keys, words))
    return rows


class KeyboardSheet(QWidget):
    """Overlay with all shortcuts; any key or click closes it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._host = parent
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.hide()

    def open_sheet(self) -> None:
        self.setGeometry(self._host.rect())
        self.show()
        self.raise_()
        self.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self.hide()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        painter.fillRect(self.rect(), theme.colour(colours.BACKGROUND, 0.86))
        # Scaled with the window's text, as far as there is room.
        room = QSizeF(self.width() - 60.0, self.height() - 60.0)
        scale = min(
            theme.scaled(1.0), max(1.0, min(room.width() / MAX_WIDTH, room.height() / MAX_HEIGHT))
        )
        painter.scale(scale, scale)
        view_width, view_height = self.width() / scale, self.height() / scale
        width, height = min(MAX_WIDTH, room.width() / scale), min(MAX_HEIGHT, room.height() / scale)
        box = QRectF((view_width - width) / 2, (view_height - height) / 2, width, height)
        painter.setBrush(QColor(colours.PANEL))
        painter.setPen(QPen(QColor(colours.EDGE), 1))
        painter.drawRoundedRect(box, 14, 14)
        painter.setFont(theme.bold(22))
        painter.setPen(QColor(colours.TEXT))
        painter.drawText(QRectF(box.left() + 32, box.top() + 20, 400, 34), "Everything by keyboard")
        rows = sheet_rows()
        column = (width - 64) / len(COLUMNS)
        for index, groups in enumerate(COLUMNS):
            x = box.left() + 32 + index * column
            y = box.top() + 74
            for group in groups:
                y = self._paint_group(painter, group, rows[group], x, y, column - 24) + 14

    def _paint_group(
        self,
        painter: QPainter,
        group: str,
        rows: list[tuple[str, str]],
        x: float,
        y: float,
        width: float,
    ) -> float:
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.bold(13))
        painter.setPen(QColor(colours.ACCENT))
        painter.drawText(QRectF(x, y, width, 22), middle, group)
        y += 28
        for keys, words in rows:
            painter.setFont(theme.bold(13))
            cap = painter.fontMetrics().horizontalAdvance(keys) + 16
            painter.setBrush(QColor(colours.RAISED))
            painter.setPen(QPen(QColor(colours.LINE), 1))
            painter.drawRoundedRect(QRectF(x, y + 1, cap, 24), 5, 5)
            painter.setPen(QColor(colours.TEXT))
            painter.drawText(QRectF(x, y + 1, cap, 24), Qt.AlignmentFlag.AlignCenter, keys)
            left = max(cap + 10, 116.0)
            theme.fit_font(painter, words, theme.font(13.5), width - left)
            painter.setPen(QColor(colours.DIM))
            painter.drawText(QRectF(x + left, y, width - left, 26), middle, words)
            y += 30
        return y

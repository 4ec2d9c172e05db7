"""Context menu of a prompt strip."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QWidget, QWidgetAction

from app.session.session import Session
from app.window.style import colours

SIDE: Final = 26
ACROSS: Final = 8


class Palette(QWidget):
    """The strip colours as dots."""

    picked = Signal(int)

    def __init__(self, chosen: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chosen = chosen
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Colour")
        self.setToolTip("The colour of this prompt, on its strip and on the map")

    def sizeHint(self) -> QSize:
        return QSize(ACROSS * SIDE + 16, -(-len(colours.STRIPS) // ACROSS) * SIDE + 8)

    def box(self, index: int) -> QRectF:
        return QRectF(8 + index % ACROSS * SIDE, 4 + index // ACROSS * SIDE, SIDE, SIDE)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for index in range(len(colours.STRIPS)):
            if self.box(index).contains(event.position()):
                self.picked.emit(index)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for index, hex_color in enumerate(colours.STRIPS):
            centre = self.box(index).center()
            painter.setBrush(QColor(hex_color))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawEllipse(centre, 8, 8)
            if index == self.chosen:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(QColor(colours.TEXT), 1.6))
                painter.drawEllipse(centre, 11, 11)


def strip_menu(
    session: Session,
    n: int,
    edit: Callable[[int], None],
    choose_sound: Callable[[int], None],
    parent: QWidget,
) -> QMenu:
    """Context menu of strip n (from 1); the caller pops it up."""
    count = len(session.prompts)
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.addAction("Write a prompt …").triggered.connect(partial(_without_checked, edit, n))
    menu.addAction("Prompt with a sound …").triggered.connect(
        partial(_without_checked, choose_sound, n)
    )
    menu.addSeparator()
    palette = Palette(session.prompts[n - 1].colour, menu)
    palette.picked.connect(partial(session.prompts.set_colour, n))
    palette.picked.connect(menu.close)
    holder = QWidgetAction(menu)
    holder.setDefaultWidget(palette)
    menu.addAction(holder)
    menu.addSeparator()
    for words, to in (("Move to the left\tCtrl+←", n - 1), ("Move to the right\tCtrl+→", n + 1)):
        action = menu.addAction(words)
        action.setEnabled(1 <= to <= count)
        action.triggered.connect(partial(_without_checked, session.prompts.move, n, to))
    remove = menu.addAction("Remove\tDel")
    remove.setEnabled(count > 1)
    remove.triggered.connect(partial(_without_checked, session.prompts.remove, n))
    return menu


def _without_checked(act: object, *arguments: object) -> None:
    """Call `act` without the "checked" that a triggered action adds."""
    assert callable(act)
    act(*[a for a in arguments if not isinstance(a, bool)])

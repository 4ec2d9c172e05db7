"""Style of the forms and lists in the controllers window."""

from __future__ import annotations

from typing import Final, TypeVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QBoxLayout, QLabel, QSizePolicy, QWidget

from app.window.style import colours, theme

Box = TypeVar("Box", bound=QBoxLayout)
UNDO: Final = QKeySequence("Ctrl+Z").toString(QKeySequence.SequenceFormat.NativeText)
"""The undo shortcut as this system writes it."""


def sheet() -> str:
    """Style sheet of the widgets that the instrument's own does not cover."""
    c = colours
    return f"""
    QTreeView, QTableView, QListWidget {{ background: {c.BACKGROUND};
        border: 1px solid {c.EDGE}; border-radius: 8px; outline: 0; padding: 4px;
        alternate-background-color: {c.BACKGROUND}; gridline-color: {c.RAISED}; }}
    QTreeView {{ selection-background-color: {c.EDGE}; selection-color: {c.ACCENT}; }}
    QTreeView::item {{ padding: 0 4px; border: 0; }}
    QTreeView::branch:selected {{ background: {c.EDGE}; }}
    QTreeView::item:selected, QTableView::item:selected {{ background: {c.EDGE};
        color: {c.ACCENT}; }}
    QHeaderView::section {{ background: {c.BACKGROUND}; color: {c.FAINT}; border: 0;
        padding: 5px 6px; }}
    QScrollArea, QWidget#list {{ background: transparent; border: 0; }}
    QHeaderView {{ background: {c.BACKGROUND}; border: 0; }}
    QListWidget#rail {{ background: {c.BACKGROUND}; border: 0; border-radius: 0; padding: 8px;
        font-size: 15px; }}
    QListWidget#rail::item {{ padding: 10px 12px; border-radius: 7px; color: {c.DIM}; }}
    QListWidget#rail::item:hover {{ color: {c.TEXT}; }}
    QListWidget#rail::item:selected {{ background: {c.EDGE}; color: {c.ACCENT}; }}
    """


class Elided(QLabel):
    """Label of one line, elided where necessary, with the whole text as tooltip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        words, metrics = self.text(), self.fontMetrics()
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, self.width())
        self.setToolTip(words if shown != words else "")
        painter.setPen(self.palette().windowText().color())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, shown)


def lay_out(layout: Box, spacing: int) -> Box:
    """A layout without margins."""
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    return layout


def heading(words: str, parent: QWidget | None = None) -> QLabel:
    """Title of a page."""
    label = QLabel(words, parent)
    label.setFont(theme.bold(20))
    return label


def quiet(words: str = "", parent: QWidget | None = None) -> QLabel:
    """Explanation in smaller, dimmed type."""
    label = QLabel(words, parent)
    label.setFont(theme.font(13))
    label.setStyleSheet(f"color: {colours.DIM}")
    label.setWordWrap(True)
    return label

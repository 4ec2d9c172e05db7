"""Drop hint: what letting go of a dragged file would do, over the widget below it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from app.window.style import colours, theme


class DropHint(QLabel):
    """Label over its parent while a file is dragged over it."""

    def __init__(self, parent: QWidget, words: str) -> None:
        super().__init__(words, parent)
        self._below = parent
        self.margins = (48, 8, -14, -24)
        """Of the parent that are left free, in pixels."""
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setStyleSheet(
            f"color: {colours.TEXT}; background: rgba(13, 15, 18, 190);"
            f"border: 2px solid {colours.ACCENT}; border-radius: 10px;"
        )
        self.hide()

    def show_over(self, size: float = 16.0) -> None:
        """Show it above the parent's other children; size: of the letters, before scaling."""
        self.setFont(theme.bold(theme.scaled(size)))
        self.setGeometry(self._below.rect().adjusted(*self.margins))
        self.show()
        self.raise_()

"""Bar that offers a ready-made map when its controller is connected."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from app.window.style import colours, theme


class OfferBar(QWidget):
    """Bar that asks about one offer at a time. `answered` has port and yes or no.

    floating: over its parent, not in a layout.
    """

    answered = Signal(str, bool)

    def __init__(self, parent: QWidget, *, floating: bool = True) -> None:
        super().__init__(parent)
        self._floating = floating
        self._below = parent
        self.port = ""
        self._top = 56
        self.words = QLabel(self)
        self.words.setFont(theme.bold(15))
        self.yes = QPushButton("Yes", self)
        self.yes.setDefault(True)
        self.yes.setToolTip("Use this map now and whenever the controller is connected.")
        self.later = QPushButton("Not now", self)
        self.later.setToolTip("It stays in the menu of Controllers and is not offered again.")
        self.yes.clicked.connect(lambda: self.answered.emit(self.port, True))
        self.later.clicked.connect(lambda: self.answered.emit(self.port, False))
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 8, 10, 8)
        row.setSpacing(10)
        row.addWidget(self.words)
        row.addSpacing(10)
        if not floating:
            row.addStretch(1)
        for button in (self.yes, self.later):
            # No focus: the enter key must not answer by accident.
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            row.addWidget(button)
        self.hide()

    def show_offers(self, offers: dict[str, str]) -> None:
        """Ask about the first offer. offers: port -> name of the map."""
        if not offers:
            self.port = ""
            self.hide()
            return
        self.port, name = next(iter(offers.items()))
        more = f"  ({len(offers) - 1} more)" if len(offers) > 1 else ""
        self.words.setText(f"{name} is connected. Use its map?{more}")
        self.place()
        self.show()
        self.raise_()

    def place(self, top: int | None = None) -> None:
        """Move to the centre, `top` pixels down, over the spectrogram."""
        self._top = self._top if top is None else top
        if not self._floating:
            return
        self.adjustSize()
        self.move((self._below.width() - self.width()) // 2, self._top)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(QColor(colours.RAISED))
        painter.setPen(QPen(theme.colour(colours.ACCENT, 0.7), 1))
        painter.drawRoundedRect(box, 12, 12)

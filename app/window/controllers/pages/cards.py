"""Cards and indicators of the controllers' window: choices, activity, beats."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from app.window.style import colours, theme

BEATS: Final = 4


def paint_card(painter: QPainter, box: QRectF, edge: str, lit: float = 0.0) -> None:
    """Paint a raised card; `lit` 0..1 tints it with the accent colour."""
    plate = QLinearGradient(box.topLeft(), box.bottomLeft())
    plate.setColorAt(0.0, QColor(colours.mix_hex("#1c2127", colours.ACCENT, 0.14 * lit)))
    plate.setColorAt(1.0, QColor(colours.mix_hex("#15191d", colours.ACCENT, 0.08 * lit)))
    painter.setBrush(plate)
    painter.setPen(QPen(QColor(edge), 1.0 + 0.5 * lit))
    painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 10, 10)


class Card(QWidget):
    """Card that groups widgets."""

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_card(painter, QRectF(self.rect()), colours.EDGE)


class ChoiceCard(QAbstractButton):
    """Card for one of several choices, with an explanation. Use in a QButtonGroup."""

    def __init__(self, title: str, words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title, self.words = title, words
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(title)
        self.setAccessibleDescription(words)

    def sizeHint(self) -> QSize:
        return QSize(280, 104)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        on, hot = self.isChecked(), self.underMouse() or self.hasFocus()
        edge = colours.ACCENT if on else colours.LINE if hot else colours.EDGE
        paint_card(painter, QRectF(self.rect()), edge, 1.0 if on else 0.0)
        inner = QRectF(self.rect()).adjusted(18, 14, -18, -12)
        painter.setFont(theme.bold(17))
        painter.setPen(QColor(colours.ACCENT if on else colours.TEXT))
        painter.drawText(inner, Qt.AlignmentFlag.AlignTop, self.title)
        painter.setFont(theme.font(13))
        painter.setPen(QColor(colours.TEXT if on else colours.DIM))
        painter.drawText(
            inner.adjusted(0, 28, 0, 0), int(Qt.TextFlag.TextWordWrap), self.words
        )  # fmt: skip


class ActivityIndicator(QWidget):
    """Indicator of messages: lit for a moment; an outline where no port is open."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lit, self.live = False, True
        self.setFixedSize(18, 18)

    def show_state(self, lit: bool, live: bool) -> None:
        if (lit, live) != (self.lit, self.live):
            self.lit, self.live = lit, live
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        centre = QPointF(self.width() / 2.0, self.height() / 2.0)
        painter.setPen(Qt.PenStyle.NoPen)
        if self.lit:
            painter.setBrush(theme.colour(colours.ACCENT, 0.28))
            painter.drawEllipse(centre, 8.5, 8.5)
        if not self.live:
            painter.setPen(QPen(QColor(colours.LINE), 1.4))
        painter.setBrush(
            QColor(colours.ACCENT if self.lit else colours.LINE if self.live else colours.PANEL)
        )
        painter.drawEllipse(centre, 4.6, 4.6)


class BeatIndicators(QWidget):
    """Indicator of the beat in a bar; `show_beat(None)` while the clock is stopped."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.beat: int | None = None
        self.setFixedSize(BEATS * 34, 34)

    def show_beat(self, beat: int | None) -> None:
        """beat: counted from 0."""
        if beat != self.beat:
            self.beat = beat
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        for n in range(BEATS):
            centre = QPointF(17.0 + 34.0 * n, self.height() / 2.0)
            on = n == self.beat
            if on:
                painter.setBrush(theme.colour(colours.ACCENT, 0.25))
                painter.drawEllipse(centre, 15.0, 15.0)
            painter.setBrush(QColor(colours.ACCENT if on else colours.EDGE))
            painter.drawEllipse(centre, 9.0, 9.0)

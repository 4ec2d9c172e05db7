"""What keyboards play: latch, octave, all notes off. GUI lane.

Shown for engines that play held notes; the keys themselves are a keyboard's.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.buttons import KeyButton, paint_key
from app.window.widgets.parameter_widget import ParameterWidget

ARROW: Final = 0.24
"""Share of a stepper's width that its arrows take on either side."""


class Stepper(ParameterWidget):
    """A value of a few whole steps: the left end goes down, the right end up, a double click in
    the middle goes back. `words` stand before the value."""

    def __init__(
        self, registry: Registry, name: str, words: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(registry, name, parent)
        self.words = words
        self._side = 0  # the arrow that is pressed
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMinimumSize(56, 26)

    def sizeHint(self) -> QSize:
        return QSize(110, 34)

    def tip(self) -> str:
        return (
            f"<b>{self.parameter.label}</b><br>{self.parameter.help}<br>"
            "<span style='color:#9aa3af'>Click the arrows, wheel or arrow keys; double-click the "
            "middle for none.</span>"
        )

    def side_at(self, x: float) -> int:
        """-1, 0 or 1: which part of the stepper is at x."""
        edge = self.width() * ARROW
        return -1 if x < edge else 1 if x > self.width() - edge else 0

    @property
    def face(self) -> str:
        """As it is written: 'Octave +1'."""
        return f"{self.words} {self.figure}"

    @property
    def figure(self) -> str:
        value = round(self.registry.number(self.parameter_name))
        return f"{value:+d}" if value else "0"

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._side = self.side_at(event.position().x())
            if self._side:
                self.registry.nudge(self.parameter_name, self._side)
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._side = 0
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.side_at(event.position().x()):
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        moved = round(self.registry.number(self.parameter_name)) != 0
        paint_key(
            painter,
            box,
            hexa=colours.ACCENT,
            lit=0.35 if moved else 0.0,
            hovered=self.hovered and self.isEnabled(),
            focused=self.hasFocus(),
        )
        ink = colours.ACCENT if moved else colours.DIM
        for side in (-1, 1):
            centre = box.center().x() + side * (box.width() / 2 - 12.0)
            self._paint_arrow(painter, QPointF(centre, box.center().y()), side)
        middle = box.adjusted(20, 0, -20, 0)
        size = min(max(box.height() * 0.38, 11), theme.scaled(18))
        painter.setFont(theme.font(10.5))
        narrow = painter.fontMetrics().horizontalAdvance(self.face) > middle.width()
        words = self.figure if narrow else self.face
        theme.fit(painter, words, theme.font(size), middle.width())
        painter.setPen(QColor(ink if self.isEnabled() else colours.LINE))
        painter.drawText(middle, Qt.AlignmentFlag.AlignCenter, words)

    def _paint_arrow(self, painter: QPainter, tip: QPointF, side: int) -> None:
        hot = self.hovered or self._side == side
        pen = QPen(QColor(colours.ACCENT if self._side == side else
                          colours.TEXT if hot else colours.FAINT), 1.8)  # fmt: skip
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        back = QPointF(-3.5 * side, 0.0)
        point = tip + QPointF(2.0 * side, 0.0)
        painter.drawPolyline([point + back + QPointF(0, -4), point, point + back + QPointF(0, 4)])


class OffKey(KeyButton):
    """All notes off; lit as long as any note is held."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(
            registry, "keys.off", parent, icon="notes_off", words="Notes off", beside=True
        )
        self.held = False

    @property
    def on(self) -> bool:
        return self.held


class PlayedKeys(QWidget):
    """A column of three."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.octave = Stepper(registry, "keys.octave", "Octave", self)
        self.latch = KeyButton(
            registry, "keys.latch", self, icon="latch", words="Latch", beside=True
        )
        self.off = OffKey(registry, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        self.setMinimumWidth(70)
        for widget in (self.octave, self.latch, self.off):
            column.addWidget(widget)

    def show_notes(self, notes: tuple[int, ...]) -> None:
        """The notes that are held now, as MIDI numbers."""
        if self.off.held != bool(notes):
            self.off.held = bool(notes)
            self.off.update()

"""Settings of keyboard input: octave, latch, all notes off; for engines that play held notes."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.buttons import KeyButton, paint_key
from app.window.widgets.parameter_widget import ParameterWidget

ARROW_SHARE: Final = 0.24
"""Width of either arrow as a share of the stepper's."""


class Stepper(ParameterWidget):
    """Stepper for an integer value: arrows at both ends, a double click in the middle resets."""

    def __init__(
        self, registry: Registry, name: str, prefix: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(registry, name, parent)
        self.prefix = prefix
        self._pressed_arrow = 0  # the arrow that is pressed
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMinimumSize(56, 26)

    def sizeHint(self) -> QSize:
        return QSize(110, 34)

    def tooltip_text(self) -> str:
        return (
            f"<b>{self.parameter.label}</b><br>{self.parameter.help}<br>"
            "<span style='color:#9aa3af'>Click the arrows, wheel or arrow keys; double-click the "
            "middle for none.</span>"
        )

    def arrow_at(self, x: float) -> int:
        """Arrow at x: -1 left, 1 right, 0 none."""
        edge = self.width() * ARROW_SHARE
        return -1 if x < edge else 1 if x > self.width() - edge else 0

    @property
    def label(self) -> str:
        """Text with the prefix: 'Octave +1'."""
        return f"{self.prefix} {self.value_text}"

    @property
    def value_text(self) -> str:
        value = round(self.registry.number(self.parameter_name))
        return f"{value:+d}" if value else "0"

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_arrow = self.arrow_at(event.position().x())
            if self._pressed_arrow:
                self.registry.nudge(self.parameter_name, self._pressed_arrow)
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed_arrow = 0
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.arrow_at(event.position().x()):
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        box = QRectF(self.rect())
        moved = round(self.registry.number(self.parameter_name)) != 0
        paint_key(
            painter,
            box,
            hex_color=colours.ACCENT,
            glow=0.35 if moved else 0.0,
            hovered=self.hovered and self.isEnabled(),
            focused=self.hasFocus(),
        )
        ink = colours.ACCENT if moved else colours.DIM
        for direction in (-1, 1):
            centre = box.center().x() + direction * (box.width() / 2 - 12.0)
            self._paint_arrow(painter, QPointF(centre, box.center().y()), direction)
        middle = box.adjusted(20, 0, -20, 0)
        size = min(max(box.height() * 0.38, 11), theme.scaled(18))
        painter.setFont(theme.font(10.5))
        narrow = painter.fontMetrics().horizontalAdvance(self.label) > middle.width()
        text = self.value_text if narrow else self.label
        theme.fit_font(painter, text, theme.font(size), middle.width())
        painter.setPen(QColor(ink if self.isEnabled() else colours.LINE))
        painter.drawText(middle, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_arrow(self, painter: QPainter, tip: QPointF, direction: int) -> None:
        highlighted = self.hovered or self._pressed_arrow == direction
        pen = QPen(QColor(colours.ACCENT if self._pressed_arrow == direction else
                          colours.TEXT if highlighted else colours.FAINT), 1.8)  # fmt: skip
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        base = QPointF(-3.5 * direction, 0.0)
        point = tip + QPointF(2.0 * direction, 0.0)
        painter.drawPolyline([point + base + QPointF(0, -4), point, point + base + QPointF(0, 4)])


class NotesOffButton(KeyButton):
    """All notes off button; lit while any note is held."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(
            registry, "keys.off", parent, icon="notes_off", label="Notes off", horizontal=True
        )
        self.notes_held = False

    @property
    def on(self) -> bool:
        return self.notes_held


class PlayedKeys(QWidget):
    """Column with octave, latch and all notes off."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.octave = Stepper(registry, "keys.octave", "Octave", self)
        self.latch = KeyButton(
            registry, "keys.latch", self, icon="latch", label="Latch", horizontal=True
        )
        self.off = NotesOffButton(registry, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        self.setMinimumWidth(70)
        for widget in (self.octave, self.latch, self.off):
            column.addWidget(widget)

    def show_notes(self, notes: tuple[int, ...]) -> None:
        """Show whether notes (MIDI numbers) are held."""
        if self.off.notes_held != bool(notes):
            self.off.notes_held = bool(notes)
            self.off.update()

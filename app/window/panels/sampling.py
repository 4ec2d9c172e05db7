"""Sampling page: temperature, top-k and the presets of Magenta's front ends, in a popup."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.parameters.magenta_parameters import PRESET_TRIGGERS
from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.buttons import KeyButton
from app.window.widgets.knob import Knob


class SamplingPopup(QFrame):
    """Page of the sampling's finer controls; closes where one clicks elsewhere."""

    KNOBS = ("temperature", "top_k")

    def __init__(self, registry: Registry, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.knobs = {
            name: Knob(registry, name, self, caption=registry[name].label) for name in self.KNOBS
        }
        self.presets = {
            name: KeyButton(registry, name, self, label=preset.label)
            for name, preset in PRESET_TRIGGERS.items()
        }
        knobs = QHBoxLayout()
        for knob in self.knobs.values():
            knob.setMinimumSize(92, 104)
            knobs.addWidget(knob)
        title = QLabel("As it begins in", self)
        title.setFont(theme.font(theme.scaled(12.0)))
        title.setStyleSheet(f"color: {colours.DIM}; background: transparent;")
        grid = QGridLayout()
        grid.setSpacing(5)
        for number, key in enumerate(self.presets.values()):
            key.setFixedHeight(30)
            key.setMinimumWidth(92)
            grid.addWidget(key, number // 2, number % 2)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(12, 10, 12, 12)
        rows.setSpacing(8)
        rows.addLayout(knobs)
        rows.addWidget(title)
        rows.addLayout(grid)

    def open_above(self, panel: QWidget, button: QWidget) -> None:
        """Show the page over a panel, which stays in sight, and in line with its button."""
        self.adjustSize()
        left = button.mapToGlobal(QPoint(button.width() // 2 - self.width() // 2, 0)).x()
        top = panel.mapToGlobal(QPoint(0, -self.height() - 6)).y()
        area = panel.screen().availableGeometry()
        left = min(max(left, area.left()), area.right() - self.width())
        self.move(left, max(top, area.top()))
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(colours.BACKGROUND))
        painter.setPen(QPen(QColor(colours.EDGE), 1))
        painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

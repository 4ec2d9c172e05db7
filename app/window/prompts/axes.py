"""Sliders of the style space's axes: they move the mix of all prompts, and stand below them."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QLineF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QLinearGradient, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.parameters.registry import Change, Registry
from app.window.style import colours, theme
from app.window.widgets.parameter_widget import TrackWidget
from app.window.widgets.volume_fader import TRACK_COLOUR
from models.engine.control_values import AXES

CAP: Final = 15.0
"""Width of the cap in pixels."""
HEIGHT: Final = 28
LOW: Final = 18
GAP: Final = 10.0


class AxisSlider(TrackWidget):
    """Slider from the middle to either side, between the names of its ends."""

    def __init__(self, registry: Registry, name: str, parent: QWidget | None = None) -> None:
        super().__init__(registry, name, parent)
        low, _, high = self.parameter.label.partition(" – ")
        self.ends = (low.lower(), high)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setMinimumSize(150, 20)

    def sizeHint(self) -> QSize:
        return QSize(360, HEIGHT)

    def _words(self) -> float:
        """Width of the room for the name of an end; both are as wide, so that the middle is."""
        metrics = QFontMetricsF(theme.bold(theme.scaled(12)))
        return max(metrics.horizontalAdvance(end) for end in self.ends) + GAP

    def _groove(self) -> QRectF:
        words, height = self._words(), theme.scaled(5.0)
        left = words + CAP / 2
        return QRectF(left, (self.height() - height) / 2, self.width() - 2 * left, height)

    def track_length(self) -> float:
        return max(self._groove().width(), 1.0)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        groove, words = self._groove(), self._words()
        painter.setFont(theme.bold(theme.scaled(12)))
        for end, side, place in zip(
            self.ends,
            (Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignLeft),
            (0.0, self.width() - words + GAP),
            strict=True,
        ):
            box = QRectF(place, 0.0, words - GAP, self.height())
            painter.setPen(QColor(colours.TEXT if self.isEnabled() else colours.FAINT))
            painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, end)
        painter.setPen(QPen(QColor(colours.EDGE), 1))
        painter.setBrush(QColor(TRACK_COLOUR))
        painter.drawRoundedRect(groove, 2.5, 2.5)
        middle, x = groove.center().x(), groove.left() + groove.width() * self.unit_position
        painter.fillRect(
            QRectF(min(middle, x), groove.top() + 1, abs(x - middle), groove.height() - 2),
            QColor(colours.ACCENT),
        )
        painter.setPen(QPen(QColor(colours.LINE), 1))
        painter.drawLine(QLineF(middle, groove.top() - 5, middle, groove.top() - 1))
        self._paint_cap(painter, x)
        if self._drag is not None:
            self._paint_value(painter, groove)

    def _paint_cap(self, painter: QPainter, x: float) -> None:
        height = min(self.height() - 4.0, theme.scaled(20.0))
        cap = QRectF(x - CAP / 2, (self.height() - height) / 2, CAP, height)
        body = QLinearGradient(cap.topLeft(), cap.bottomLeft())
        body.setColorAt(0.0, QColor("#4a5260"))
        body.setColorAt(1.0, QColor("#272d36"))
        edge = colours.TEXT if self.hasFocus() or self.hovered else "#0a0b0d"
        painter.setPen(QPen(QColor(edge), 1))
        painter.setBrush(body)
        painter.drawRoundedRect(cap, 3.5, 3.5)
        painter.setPen(QPen(QColor(colours.ACCENT), 2))
        painter.drawLine(QLineF(x, cap.top() + 4, x, cap.bottom() - 4))

    def _paint_value(self, painter: QPainter, groove: QRectF) -> None:
        painter.setFont(theme.bold(theme.scaled(11)))
        width = painter.fontMetrics().horizontalAdvance(self.text) + 10.0
        left = groove.left() if self.unit_position > 0.5 else groove.right() - width
        box = QRectF(left, (self.height() - theme.scaled(17)) / 2, width, theme.scaled(17))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(colours.BACKGROUND, 0.85))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(QColor(colours.TEXT))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.text)


class AxesRow(QWidget):
    """Row of the sliders; hidden while the engine has no axes."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._registry = registry
        self.sliders = {name: AxisSlider(registry, name, self) for name in AXES}
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(24)
        for slider in self.sliders.values():
            row.addWidget(slider, 1)
        self.destroyed.connect(registry.subscribe(self._on_change))
        self.set_scale(1.0)
        self._show_available()

    def set_scale(self, scale: float, tight: bool = False) -> None:
        """Scale the row's height; tight: in a low window."""
        self.setFixedHeight(round((LOW if tight else HEIGHT) * scale))

    def _on_change(self, change: Change) -> None:
        if change.name in self.sliders and change.source == "availability":
            self._show_available()

    def _show_available(self) -> None:
        self.setVisible(all(self._registry.available(name) for name in self.sliders))

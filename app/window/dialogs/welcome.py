"""Welcome row of the first start: three steps to try, ticked off as they are done.

It stands above the spectrogram, is no dialog, and never comes back once it has gone.
"""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.parameters.registry import Change, Registry
from app.window.style import colours, theme
from app.window.widgets.buttons import PlainButton

STEPS: Final = (
    ("play", "Press play", "The music starts and goes on for as long as you like."),
    ("prompt", "Turn a knob, change the words", "Click a prompt's name and say what you want."),
    ("past", "Click where it was good", "Left of the line: the music goes on from there."),
)
LINGER_SECONDS: Final = 4.0
"""Seconds for which the row stays after the last step."""
AUTOMATIC: Final = frozenset({"load", "scene", "morph", "undo", "availability", "orbit"})


class WelcomeStep(QWidget):
    """One thing to try. Clicking the first one plays."""

    clicked = Signal()

    def __init__(self, number: int, title: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.number, self.title, self.text = number, title, text
        self.done = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{number}. {title}")
        self.setToolTip(f"<b>{title}</b><br>{text}")

    def sizeHint(self) -> QSize:
        return QSize(260, round(theme.scaled(52)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.clicked.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = theme.scaled(30)
        middle = QPointF(side / 2 + 4, self.height() / 2)
        painter.setPen(QPen(QColor(colours.ACCENT), 1.6))
        painter.setBrush(QColor(colours.ACCENT if self.done else colours.PANEL))
        painter.drawEllipse(middle, side / 2, side / 2)
        box = QRectF(middle.x() - side / 2, middle.y() - side / 2, side, side)
        if self.done:
            pen = QPen(QColor(colours.BACKGROUND), 2.4)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            spots = [(-0.22, 0.02), (-0.05, 0.2), (0.24, -0.18)]
            painter.drawPolyline([middle + QPointF(x * side, y * side) for x, y in spots])
        else:
            painter.setFont(theme.bold(theme.scaled(15)))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(self.number))
        left = box.right() + 10
        room = self.width() - left - 4
        painter.setPen(QColor(colours.DIM if self.done else colours.TEXT))
        theme.fit_font(painter, self.title, theme.bold(theme.scaled(15)), room)
        half = self.height() / 2
        upper = QRectF(left, 2, room, half)
        painter.drawText(upper, Qt.AlignmentFlag.AlignVCenter, self.title)
        painter.setPen(QColor(colours.FAINT if self.done else colours.DIM))
        theme.fit_font(painter, self.text, theme.font(theme.scaled(12.5)), room)
        lower = QRectF(left, half - 2, room, half)
        painter.drawText(lower, Qt.AlignmentFlag.AlignVCenter, self.text)


class Welcome(QWidget):
    """Row of the steps. `begin` shows it once the window is built; call `tick` now and then."""

    message = Signal(str, str)
    """Level and sentence."""
    dismissed = Signal()
    """It has gone for good."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.active = False
        """Whether it is to be seen, off stage."""
        self._leaves_at: float | None = None
        self.steps = {
            key: WelcomeStep(number, title, text, self)
            for number, (key, title, text) in enumerate(STEPS, 1)
        }
        self.close_button = PlainButton(
            icon="close", tooltip="Put this away for good", on_click=self.dismiss, parent=self
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 4, 0, 4)
        row.setSpacing(14)
        for step in self.steps.values():
            row.addWidget(step, 1)
        row.addWidget(self.close_button)
        self.hide()

    def begin(self, registry: Registry) -> None:
        """Show the row, and follow what the performer tries."""
        self.active = True
        self.steps["play"].clicked.connect(lambda: registry.set("transport.play", True))
        registry.subscribe(self._on_change)
        self.show()

    def _on_change(self, change: Change) -> None:
        if change.name == "transport.play" and change.value:
            self.done("play")
        elif change.name.endswith(".weight") and change.source not in AUTOMATIC:
            self.done("prompt")

    def done(self, key: str) -> None:
        """Tick off a step: "play", "prompt" or "past"."""
        step = self.steps[key]
        if self.active and not step.done:
            step.done = True
            step.update()
            if all(each.done for each in self.steps.values()):
                self._leaves_at = time.monotonic() + LINGER_SECONDS
                self.message.emit("info", "That is the heart of it. Press ? for every key.")

    def tick(self) -> None:
        """Dismiss the row some seconds after its last step."""
        if self._leaves_at is not None and time.monotonic() >= self._leaves_at:
            self.dismiss()

    def dismiss(self) -> None:
        """Hide the row for good."""
        self.active, self._leaves_at = False, None
        self.hide()
        self.dismissed.emit()

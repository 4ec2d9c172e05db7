"""The first start: three things to try, ticked off as they are done. GUI lane.

A row above the spectrogram, no dialog; it goes away by itself and does not come back.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.parameters.registry import Change
from app.window.style import colours, theme
from app.window.widgets.buttons import PlainButton

if TYPE_CHECKING:
    from app.window.main_window import MainWindow

STEPS: Final = (
    ("play", "Press play", "The music starts and goes on for as long as you like."),
    ("prompt", "Turn a knob, change the words", "Click a prompt's name and say what you want."),
    ("past", "Click where it was good", "Left of the line: the music goes on from there."),
)
STAYS: Final = 4.0
"""Seconds that the row stays after the last step."""
MACHINES: Final = frozenset({"load", "scene", "morph", "undo", "availability", "orbit"})


class WelcomeStep(QWidget):
    """One thing to try. Clicking the first one plays."""

    clicked = Signal()

    def __init__(self, number: int, title: str, words: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.number, self.title, self.words = number, title, words
        self.done = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{number}. {title}")
        self.setToolTip(f"<b>{title}</b><br>{words}")

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
        theme.fit(painter, self.title, theme.bold(theme.scaled(15)), room)
        half = self.height() / 2
        upper = QRectF(left, 2, room, half)
        painter.drawText(upper, Qt.AlignmentFlag.AlignVCenter, self.title)
        painter.setPen(QColor(colours.FAINT if self.done else colours.DIM))
        theme.fit(painter, self.words, theme.font(theme.scaled(12.5)), room)
        lower = QRectF(left, half - 2, room, half)
        painter.drawText(lower, Qt.AlignmentFlag.AlignVCenter, self.words)


class Welcome(QWidget):
    """The row. `begin` once the window is built; `tick` now and then."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window_ = window
        self._leaves_at: float | None = None
        self.steps = {
            key: WelcomeStep(number, title, words, self)
            for number, (key, title, words) in enumerate(STEPS, 1)
        }
        self.close_button = PlainButton(
            icon="close", tip="Put this away for good", on_click=self.leave, parent=self
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 4, 0, 4)
        row.setSpacing(14)
        for step in self.steps.values():
            row.addWidget(step, 1)
        row.addWidget(self.close_button)
        self.hide()

    @property
    def wanted(self) -> bool:
        return not self.window_.preferences.welcomed

    def begin(self) -> None:
        """Show the row where the performer has not seen it yet."""
        if not self.wanted:
            return
        window = self.window_
        self.steps["play"].clicked.connect(lambda: window.registry.set("transport.play", True))
        window.registry.subscribe(self._on_change)
        window.editor.confirmed.connect(lambda n, text: self.done("prompt"))
        window.spectrogram.go_to.connect(lambda position: self.done("past"))
        self.show()

    def _on_change(self, change: Change) -> None:
        if change.name == "transport.play" and change.value:
            self.done("play")
        elif change.name.endswith(".weight") and change.source not in MACHINES:
            self.done("prompt")

    def done(self, key: str) -> None:
        """The performer has tried it."""
        step = self.steps[key]
        if self.wanted and not step.done:
            step.done = True
            step.update()
            if all(each.done for each in self.steps.values()):
                self._leaves_at = time.monotonic() + STAYS
                self.window_.say("info", "That is the heart of it. Press ? for every key.")

    def tick(self) -> None:
        if self._leaves_at is not None and time.monotonic() >= self._leaves_at:
            self.leave()

    def leave(self) -> None:
        """Away, and not again."""
        self._leaves_at = None
        self.hide()
        window = self.window_
        window.apply_preferences(replace(window.preferences, welcomed=True))

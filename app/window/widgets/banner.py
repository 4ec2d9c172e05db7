"""Non-modal question banner: a sentence with answer buttons over the window."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from app.window.style import colours, theme

Answer = tuple[str, Callable[[], object]]
TOP_MARGIN: Final = 52
LOW: Final = 3
"""Heights of the banner that the picture below it must have; else it lies over the top bar."""


class Banner(QWidget):
    """Banner over `parent` that shows one question at a time; further ones are queued.

    below: what the banner lies over; where that is low, it lies over the top bar instead.
    """

    def __init__(self, parent: QWidget, below: QWidget | None = None) -> None:
        super().__init__(parent)
        self._host, self._below = parent, below
        self._queue: deque[tuple[str, Sequence[Answer]]] = deque()
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        self.buttons: list[QPushButton] = []
        self._row = QHBoxLayout(self)
        self._row.setSpacing(8)
        self._row.addWidget(self.text, 1)
        self.setAccessibleName("Question")
        parent.installEventFilter(self)
        self.hide()

    def ask(self, sentence: str, answers: Sequence[Answer]) -> None:
        """Queue a question. The first answer is highlighted; any answer closes the question."""
        self._queue.append((sentence, answers))
        if self.isHidden():
            self._next()

    def withdraw(self, sentence: str) -> None:
        """Remove a question, shown or queued."""
        self._queue = deque(each for each in self._queue if each[0] != sentence)
        if self.isVisible() and self.text.text() == sentence:
            self._next()

    def _next(self) -> None:
        for button in self.buttons:
            self._row.removeWidget(button)
            button.deleteLater()
        self.buttons = []
        if not self._queue:
            self.hide()
            return
        sentence, answers = self._queue.popleft()
        self.text.setText(sentence)
        for label, callback in answers:
            button = QPushButton(label, self)
            # The banner must not take the keyboard focus: the shortcuts stay usable.
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setDefault(not self.buttons)
            button.setToolTip(f"{label}: {sentence}")
            button.clicked.connect(lambda _=False, callback=callback: self._run_answer(callback))
            self._row.addWidget(button)
            self.buttons.append(button)
        self.show()
        self.raise_()
        self._place()

    def _run_answer(self, callback: Callable[[], object]) -> None:
        self._next()
        callback()

    def _place(self) -> None:
        metrics = self.text.fontMetrics()
        answers = sum(button.sizeHint().width() + 8 for button in self.buttons)
        width = metrics.horizontalAdvance(self.text.text()) + answers + 50
        width = min(width, self._host.width() - 24)
        self._row.setContentsMargins(18, 10, 12, 10)
        height, top = self.heightForWidth(width), TOP_MARGIN
        if self._below is not None and self._below.height() < LOW * height:
            self._row.setContentsMargins(18, 3, 12, 3)
            height, top = self.heightForWidth(width), 2
        self.setGeometry((self._host.width() - width) // 2, top, width, height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        painter.setBrush(QColor(colours.RAISED))
        painter.setPen(QPen(QColor(colours.ACCENT), 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 10, 10)

"""A question that waits in the window while the music plays on: never a dialog. GUI lane."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from app.window.style import colours

Answer = tuple[str, Callable[[], object]]
TOP: Final = 52


class Banner(QWidget):
    """`ask` shows a sentence and its answers over `parent`, one question after the other."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._below = parent
        self._waiting: deque[tuple[str, Sequence[Answer]]] = deque()
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        self.buttons: list[QPushButton] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(18, 10, 12, 10)
        self._row.setSpacing(8)
        self._row.addWidget(self.words, 1)
        self.setAccessibleName("Question")
        parent.installEventFilter(self)
        self.hide()

    def ask(self, sentence: str, answers: Sequence[Answer]) -> None:
        """The first answer is the one that stands out. Each puts the question away."""
        self._waiting.append((sentence, answers))
        if self.isHidden():
            self._next()

    def withdraw(self, sentence: str) -> None:
        """Put a question away that is none any more; one that waits is not asked."""
        self._waiting = deque(each for each in self._waiting if each[0] != sentence)
        if self.isVisible() and self.words.text() == sentence:
            self._next()

    def _next(self) -> None:
        for button in self.buttons:
            self._row.removeWidget(button)
            button.deleteLater()
        self.buttons = []
        if not self._waiting:
            self.hide()
            return
        sentence, answers = self._waiting.popleft()
        self.words.setText(sentence)
        for words, act in answers:
            button = QPushButton(words, self)
            # The keys stay the instrument's: a question takes no focus.
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setDefault(not self.buttons)
            button.setToolTip(f"{words}: {sentence}")
            button.clicked.connect(lambda _=False, act=act: self._answered(act))
            self._row.addWidget(button)
            self.buttons.append(button)
        self.show()
        self.raise_()
        self._place()

    def _answered(self, act: Callable[[], object]) -> None:
        self._next()
        act()

    def _place(self) -> None:
        metrics = self.words.fontMetrics()
        answers = sum(button.sizeHint().width() + 8 for button in self.buttons)
        width = metrics.horizontalAdvance(self.words.text()) + answers + 50
        width = min(width, self._below.width() - 24)
        height = self.heightForWidth(width)
        self.setGeometry((self._below.width() - width) // 2, TOP, width, height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(QColor(colours.RAISED))
        painter.setPen(QPen(QColor(colours.ACCENT), 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 10, 10)

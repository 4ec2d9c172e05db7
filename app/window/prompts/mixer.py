"""Prompt mixer: the prompt strips in one row, or in two for more than eight."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPoint, QPointF, QRect, Qt, Signal
from PySide6.QtGui import QColor, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.parameters.instrument_parameters import PROMPTS
from app.session.session import Session
from app.window.prompts.strip import PromptStrip
from app.window.style import colours, theme
from app.window.widgets.buttons import PlainButton
from app.window.widgets.repaint_throttle import RepaintThrottle

GAP: Final = 8
ADD_WIDTH: Final = 40
MAX_IN_ROW: Final = 8
MAX_STRIP_WIDTH: Final = 262


class PromptMixer(QWidget):
    """Strips of the session's prompts; the window edits texts and sounds on request."""

    edit_requested = Signal(int)
    add_requested = Signal()
    menu_requested = Signal(int, QPoint)
    sound_dropped = Signal(int, str)
    words_dropped = Signal(int, str)
    error = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.throttle = RepaintThrottle(self)
        self.strips = [
            PromptStrip(session.registry, n, self, throttle=self.throttle)
            for n in range(1, PROMPTS + 1)
        ]
        self._insert_at: int | None = None
        self._locked = False
        for strip in self.strips:
            strip.edit_requested.connect(self.edit_requested)
            strip.remove_requested.connect(self._remove)
            strip.drag_moved.connect(self._on_drag_moved)
            strip.drag_ended.connect(self._on_drag_ended)
            strip.shift_requested.connect(self._shift_prompt)
            strip.menu_requested.connect(self.menu_requested)
            strip.sound_dropped.connect(self.sound_dropped)
            strip.words_dropped.connect(self.words_dropped)
        self.add_button = PlainButton(
            icon="add",
            tooltip="Add a prompt: up to sixteen can be mixed (Ctrl+Return)",
            on_click=self.add_requested.emit,
            parent=self,
        )
        self.refresh()

    @property
    def count(self) -> int:
        return len(self.session.prompts)

    def refresh(self) -> None:
        """Show the session's prompts after a change."""
        for strip, prompt in zip(self.strips, self.session.prompts, strict=False):
            strip.set_prompt(prompt)
        self._arrange()

    def set_shares(self, shares: list[float]) -> None:
        for strip, share in zip(self.strips, shares, strict=False):
            strip.set_share(share)

    def set_locked(self, locked: bool) -> None:
        """Lock texts and order of the prompts (stage mode); the knobs stay active."""
        self._locked = locked
        for strip in self.strips:
            strip.set_locked(locked)
        self._insert_at = None
        self._arrange()

    def _arrange(self) -> None:
        for strip in self.strips:
            strip.setVisible(strip.n <= self.count)
        for strip, box in zip(self.strips, self._boxes(), strict=False):
            strip.setGeometry(box)
        self.add_button.setVisible(self.count < PROMPTS and not self._locked)
        last = self._boxes()[-1] if self.count else QRect(0, 0, 0, self.height())
        self.add_button.setGeometry(
            last.right() + GAP, last.top(), ADD_WIDTH - GAP, max(last.height(), 30)
        )

    @property
    def rows(self) -> int:
        """Number of rows of strips."""
        return 1 if self.count <= MAX_IN_ROW else 2

    def _boxes(self) -> list[QRect]:
        rows = self.rows
        columns = -(-self.count // rows)
        extra = ADD_WIDTH if self.count < PROMPTS and not self._locked else 0
        w = min(
            (self.width() - extra - GAP * (columns - 1)) / max(columns, 1),
            theme.scaled(MAX_STRIP_WIDTH),
        )
        h = (self.height() - GAP * (rows - 1)) / rows
        return [
            QRect(int(column * (w + GAP)), int(row * (h + GAP)), int(w), int(h))
            for row, column in (divmod(index, columns) for index in range(self.count))
        ]

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()

    # -- reorder -------------------------------------------------------------------------------
    def number_at(self, point: QPoint) -> int:
        """Number (from 1) of the strip nearest to a point of this widget."""
        boxes = self._boxes()
        best = min(range(len(boxes)), key=lambda i: (boxes[i].center() - point).manhattanLength())
        return best + 1

    def _on_drag_moved(self, n: int, position: QPointF) -> None:
        self._insert_at = self.number_at(self.mapFromGlobal(position.toPoint()))
        self.update()

    def _on_drag_ended(self, n: int, position: QPointF) -> None:
        self._insert_at = None
        self.update()
        self.session.prompts.move(n, self.number_at(self.mapFromGlobal(position.toPoint())))

    def _shift_prompt(self, n: int, offset: int) -> None:
        """Move a prompt by keyboard, and the focus with it."""
        target = n + offset
        if 1 <= target <= self.count:
            self.session.prompts.move(n, target)
            self.strips[target - 1].setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _remove(self, n: int) -> None:
        try:
            self.session.prompts.remove(n)
        except ValueError as error:
            self.error.emit(str(error))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        if self.add_button.isVisible():
            pen = QPen(QColor(colours.EDGE), 1.2, Qt.PenStyle.DashLine)
            painter.setPen(pen)
            painter.drawRoundedRect(self.add_button.geometry().adjusted(1, 1, -1, -1), 10, 10)
        if self._insert_at is None:
            return
        box = self._boxes()[self._insert_at - 1]
        painter.setPen(QPen(QColor(colours.ACCENT), 3, Qt.PenStyle.SolidLine))
        painter.drawRoundedRect(box.adjusted(-3, -1, 3, 1), 12, 12)

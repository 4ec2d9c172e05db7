"""The key: an octave to pick the tonic from, and the mode. GUI lane."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QWidget

from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.parameter_widget import ParameterWidget
from models.music.score import MODE_NAMES, NOTE_NAMES

WHITE: Final = (0, 2, 4, 5, 7, 9, 11)
BLACK: Final = {1: 0, 3: 1, 6: 3, 8: 4, 10: 5}
"""Pitch class of a black key -> the white key that it follows."""


def split_key(key: str) -> tuple[int, str]:
    """'F# dorian' -> (6, 'dorian')."""
    note, _, mode = key.partition(" ")
    return NOTE_NAMES.index(note), mode


class KeySelector(ParameterWidget):
    """Works on "key". Clicking the lit key goes back to auto; the mode is a menu."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(registry, "key", parent)
        self.held: frozenset[int] = frozenset()
        self.setMinimumSize(124, 84)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        return QSize(188, 104)

    def _words(self) -> float:
        return min(max(self.height() * 0.115, 10.5), theme.scaled(17.0))

    def _octave(self) -> QRectF:
        words = self._words()
        return QRectF(1, words * 1.7, self.width() - 2, self.height() - words * 3.7)

    def _mode_box(self) -> QRectF:
        words = self._words()
        return QRectF(0, self.height() - words * 1.75, self.width(), words * 1.75)

    def key_boxes(self) -> dict[int, QRectF]:
        """Where each pitch class is; black keys last, since they lie on top."""
        octave = self._octave()
        w = octave.width() / 7
        boxes = {
            pitch: QRectF(octave.left() + n * w, octave.top(), w - 1.5, octave.height())
            for n, pitch in enumerate(WHITE)
        }
        for pitch, after in BLACK.items():
            left = octave.left() + (after + 1) * w - w * 0.31 - 0.75
            boxes[pitch] = QRectF(left, octave.top(), w * 0.62, octave.height() * 0.60)
        return boxes

    def _current(self) -> tuple[int, str]:
        value = self.registry.get("key")
        return split_key(str(value)) if value is not None else (-1, "")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._mode_box().contains(event.position()):
            self._pick_mode()
            return
        hit = [pitch for pitch, box in self.key_boxes().items() if box.contains(event.position())]
        if not hit:
            return
        tonic, mode = self._current()
        if hit[-1] == tonic:
            self.registry.set("key", None)
        else:
            self.registry.set("key", f"{NOTE_NAMES[hit[-1]]} {mode or 'minor'}")

    def show_held(self, notes: tuple[int, ...]) -> None:
        """A light on the keys that a hand holds, in whatever octave."""
        held = frozenset(note % 12 for note in notes)
        if held != self.held:
            self.held = held
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def _pick_mode(self) -> None:
        tonic, current = self._current()
        if tonic < 0:  # auto: the mode on what the model plays
            note = self.model_choice.partition(" ")[0]
            tonic = NOTE_NAMES.index(note) if note in NOTE_NAMES else 0
        menu = QMenu(self)
        auto = menu.addAction("auto")
        auto.triggered.connect(lambda: self.registry.set("key", None))
        menu.addSeparator()
        for name in MODE_NAMES:
            words = name.replace("_", " ")
            action = menu.addAction(words)
            action.setCheckable(True)
            action.setChecked(words == current)
            key = f"{NOTE_NAMES[tonic]} {words}"
            action.triggered.connect(lambda _=False, key=key: self.registry.set("key", key))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.mapToGlobal(self._mode_box().bottomLeft().toPoint()))

    def _paint_model_choice(self, painter: QPainter) -> None:
        """A light on the key that the model has chosen."""
        note = self.model_choice.partition(" ")[0]
        if note not in NOTE_NAMES:
            return
        box = self.key_boxes()[NOTE_NAMES.index(note)]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.ACCENT))
        painter.drawEllipse(QPointF(box.center().x(), box.bottom() - 9), 3.5, 3.5)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        words = self._words()
        enabled = self.isEnabled()
        painter.setFont(theme.caption(words))
        painter.setPen(QColor(colours.DIM if enabled else colours.FAINT))
        painter.drawText(
            QRectF(0, 0, self.width(), words * 1.4), Qt.AlignmentFlag.AlignHCenter, "Key"
        )
        tonic, _ = self._current()
        for pitch, box in self.key_boxes().items():
            black = pitch in BLACK
            key = QLinearGradient(box.topLeft(), box.bottomLeft())
            top, bottom = ("#12151a", "#20252c") if black else ("#39404b", "#4a525f")
            if pitch == tonic and enabled:
                top, bottom = colours.mix_hex(colours.ACCENT, "#000000", 0.25), colours.ACCENT
            key.setColorAt(0.0, QColor(top))
            key.setColorAt(1.0, QColor(bottom))
            painter.setBrush(key)
            painter.setPen(QPen(QColor("#0b0d10"), 1.0))
            painter.drawRoundedRect(box, 2.5, 2.5)
        if self.is_auto and enabled and self.model_choice:
            self._paint_model_choice(painter)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.TEXT))
        for pitch in self.held:
            box = self.key_boxes()[pitch]
            painter.drawEllipse(QPointF(box.center().x(), box.bottom() - 20), 3.5, 3.5)
        shown = f"{self.text}  ▾"
        theme.fit(painter, shown, theme.bold(words * 1.12), self.width() - 2.0)
        ink = colours.DIM if self.is_auto else colours.TEXT
        painter.setPen(QColor(ink if enabled else colours.FAINT))
        painter.drawText(self._mode_box(), Qt.AlignmentFlag.AlignCenter, shown)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colours.TEXT), 1))
            painter.drawRoundedRect(self._octave().adjusted(-0.5, -1, 0, 1), 4, 4)

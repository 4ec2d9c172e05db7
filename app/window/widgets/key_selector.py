"""Key selector: an octave to pick the tonic from, and a menu of modes."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QWidget

from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.parameter_widget import ParameterWidget
from models.music.score import MODE_NAMES, NOTE_NAMES

WHITE_KEYS: Final = (0, 2, 4, 5, 7, 9, 11)
BLACK_KEYS: Final = {1: 0, 3: 1, 6: 3, 8: 4, 10: 5}
"""Pitch class of a black key -> index of the white key on its left."""


def split_key(key: str) -> tuple[int, str]:
    """Tonic and mode of a key: 'F# dorian' -> (6, 'dorian')."""
    note, _, mode = key.partition(" ")
    return NOTE_NAMES.index(note), mode


class KeySelector(ParameterWidget):
    """Widget for the parameter "key"; clicking the chosen tonic resets it to auto."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(registry, "key", parent)
        self.held_pitch_classes: frozenset[int] = frozenset()
        self.setMinimumSize(124, 84)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        return QSize(188, 104)

    def _text_size(self) -> float:
        return min(max(self.height() * 0.115, 10.5), theme.scaled(17.0))

    def _keyboard_box(self) -> QRectF:
        text_size = self._text_size()
        return QRectF(1, text_size * 1.7, self.width() - 2, self.height() - text_size * 3.7)

    def _mode_box(self) -> QRectF:
        text_size = self._text_size()
        return QRectF(0, self.height() - text_size * 1.75, self.width(), text_size * 1.75)

    def key_boxes(self) -> dict[int, QRectF]:
        """Box of each pitch class; black keys last, because they lie on top."""
        keyboard = self._keyboard_box()
        w = keyboard.width() / 7
        boxes = {
            pitch: QRectF(keyboard.left() + n * w, keyboard.top(), w - 1.5, keyboard.height())
            for n, pitch in enumerate(WHITE_KEYS)
        }
        for pitch, white in BLACK_KEYS.items():
            left = keyboard.left() + (white + 1) * w - w * 0.31 - 0.75
            boxes[pitch] = QRectF(left, keyboard.top(), w * 0.62, keyboard.height() * 0.60)
        return boxes

    def _current_key(self) -> tuple[int, str]:
        value = self.registry.get("key")
        return split_key(str(value)) if value is not None else (-1, "")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._mode_box().contains(event.position()):
            self._open_mode_menu()
            return
        hits = [pitch for pitch, box in self.key_boxes().items() if box.contains(event.position())]
        if not hits:
            return
        tonic, mode = self._current_key()
        if hits[-1] == tonic:
            self.registry.set("key", None)
        else:
            self.registry.set("key", f"{NOTE_NAMES[hits[-1]]} {mode or 'minor'}")

    def show_held_notes(self, notes: tuple[int, ...]) -> None:
        """Mark the pitch classes of held notes (MIDI numbers)."""
        held_pitch_classes = frozenset(note % 12 for note in notes)
        if held_pitch_classes != self.held_pitch_classes:
            self.held_pitch_classes = held_pitch_classes
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def _open_mode_menu(self) -> None:
        tonic, current = self._current_key()
        if tonic < 0:  # auto: keep the tonic that the model plays
            note = self.model_choice.partition(" ")[0]
            tonic = NOTE_NAMES.index(note) if note in NOTE_NAMES else 0
        menu = QMenu(self)
        auto = menu.addAction("auto")
        auto.triggered.connect(lambda: self.registry.set("key", None))
        menu.addSeparator()
        for name in MODE_NAMES:
            text_size = name.replace("_", " ")
            action = menu.addAction(text_size)
            action.setCheckable(True)
            action.setChecked(text_size == current)
            key = f"{NOTE_NAMES[tonic]} {text_size}"
            action.triggered.connect(lambda _=False, key=key: self.registry.set("key", key))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.mapToGlobal(self._mode_box().bottomLeft().toPoint()))

    def _paint_model_choice(self, painter: QPainter) -> None:
        """Mark the tonic that the model has chosen."""
        note = self.model_choice.partition(" ")[0]
        if note not in NOTE_NAMES:
            return
        box = self.key_boxes()[NOTE_NAMES.index(note)]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.ACCENT))
        painter.drawEllipse(QPointF(box.center().x(), box.bottom() - 9), 3.5, 3.5)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        text_size = self._text_size()
        enabled = self.isEnabled()
        painter.setFont(theme.caption(text_size))
        painter.setPen(QColor(colours.DIM if enabled else colours.FAINT))
        painter.drawText(
            QRectF(0, 0, self.width(), text_size * 1.4), Qt.AlignmentFlag.AlignHCenter, "Key"
        )
        tonic, _ = self._current_key()
        for pitch, box in self.key_boxes().items():
            black = pitch in BLACK_KEYS
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
        for pitch in self.held_pitch_classes:
            box = self.key_boxes()[pitch]
            painter.drawEllipse(QPointF(box.center().x(), box.bottom() - 20), 3.5, 3.5)
        shown = f"{self.text}  ▾"
        theme.fit_font(painter, shown, theme.bold(text_size * 1.12), self.width() - 2.0)
        ink = colours.DIM if self.is_auto else colours.TEXT
        painter.setPen(QColor(ink if enabled else colours.FAINT))
        painter.drawText(self._mode_box(), Qt.AlignmentFlag.AlignCenter, shown)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colours.TEXT), 1))
            painter.drawRoundedRect(self._keyboard_box().adjusted(-0.5, -1, 0, 1), 4, 4)

"""Prompt strip: number, weight knob with halo, text or waveform, mute and solo."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from app.parameters.registry import Registry
from app.session.document import SessionPrompt
from app.window.prompts.outline import paint_outline
from app.window.style import colours, theme
from app.window.widgets.buttons import KeyButton, PlainButton
from app.window.widgets.dropped import dropped_sound, dropped_words
from app.window.widgets.fit_text import paint_fit_text
from app.window.widgets.knob import Knob, halo_radius, paint_halo
from app.window.widgets.repaint_throttle import RepaintThrottle
from models.engine.sounds import PREFIX, is_sound

STATES: Final = ("ready", "waiting", "failed", "empty")


class PromptStrip(QWidget):
    """Strip of prompt `n` (from 1)."""

    edit_requested = Signal(int)
    remove_requested = Signal(int)
    drag_moved = Signal(int, QPointF)  # number, global position
    drag_ended = Signal(int, QPointF)
    shift_requested = Signal(int, int)  # number, places to move by
    menu_requested = Signal(int, QPoint)  # number, global position
    sound_dropped = Signal(int, str)
    words_dropped = Signal(int, str)

    def __init__(
        self,
        registry: Registry,
        n: int,
        parent: QWidget | None = None,
        *,
        throttle: RepaintThrottle | None = None,
    ) -> None:
        """throttle: queue for repaints that MIDI or a morph cause; None repaints at once."""
        super().__init__(parent)
        self.n = n
        self.prompt = SessionPrompt()
        self.state = "empty"
        self.problem = ""
        self.share = 0.0
        self.peaks: Sequence[float] = ()
        self.locked = False
        self._drag_from: QPointF | None = None
        self._dragging = False
        self._drop_target = False
        self.knob = Knob(registry, f"prompt.{n}.weight", self)
        self.knob.setMinimumSize(30, 30)  # must not overlap the text of a low strip
        self.amount = Knob(registry, f"prompt.{n}.amount", self)
        self.amount.setMinimumSize(26, 26)
        self.amount.hide()  # of learned sounds only
        self.mute = KeyButton(
            registry, f"prompt.{n}.mute", self, label="M", hex_color=colours.DANGER
        )
        self.solo = KeyButton(
            registry, f"prompt.{n}.solo", self, label="S", hex_color=colours.ACCENT
        )
        self.close_button = PlainButton(
            icon="close", tooltip="Remove this prompt", on_click=self._remove, parent=self
        )
        self.close_button.hide()
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setMouseTracking(True)
        self.setMinimumSize(64, 118)
        self._throttle = throttle
        self._painted_with = (0.0, "", "", "")  # share, tints and ink of the last paint
        self.knob.change_handler = self._on_weight_change
        for part in ("mute", "solo"):
            registry.subscribe(lambda _: self.update(), f"prompt.{n}.{part}")
        self._registry = registry

    # -- content -------------------------------------------------------------------------------
    def set_prompt(self, prompt: SessionPrompt) -> None:
        self.prompt = prompt
        hex_color = colours.STRIPS[prompt.colour % len(colours.STRIPS)]
        self.knob.set_colour(hex_color)
        self.amount.set_colour(hex_color)
        self.amount.setVisible(is_sound(prompt.text))
        self.setAccessibleName(f"Prompt {self.n}: {prompt.text or 'empty'}")
        self._update_tooltip()
        self.update()

    def set_state(self, state: str, problem: str = "") -> None:
        """Show the state of the prompt's style, one of STATES, and why it failed."""
        if (state, problem) != (self.state, self.problem):
            self.state, self.problem = state, problem
            self._update_tooltip()
            self.update()

    def set_share(self, share: float) -> None:
        text, self.share = self.knob.centre_text, share
        self.knob.set_halo(share, f"{share * 100:.0f}" if share >= 0.005 else "")
        # Compared with what was painted: the steps of a slow fader are below the threshold.
        if abs(share - self._painted_with[0]) > 1e-3 or text != self.knob.centre_text:
            self._request_repaint()

    def _on_weight_change(self, source: str) -> None:
        """Repaint after a change of the weight, at once for the mouse."""
        if source == "window":
            self.refresh()
        else:
            self._request_repaint()

    def _request_repaint(self) -> None:
        if self._throttle is None:
            self.refresh()
        elif self.isVisible():
            self._throttle.request(self)

    def refresh(self) -> None:
        """Repaint the part that shows weight and share, or all where tint or ink change."""
        share, *_ = self._painted_with
        if self._appearance()[1:] != self._painted_with[1:]:
            self.update()
            return
        centre, radius = self.knob.ring()
        down = self.knob.y() + centre.y() + halo_radius(radius, max(share, self.share)) + 2.0
        self.update(0, 0, self.width(), max(math.ceil(down), self.knob.geometry().bottom() + 1))

    def _appearance(self) -> tuple[float, str, str, str]:
        """Share, tints of the panel at top and bottom, and colour of the text."""
        # Quantised below what is visible, so that a moved fader seldom repaints everything.
        tint = 0.02 + 0.05 * round(self.share * 16.0) / 16.0
        muted = bool(self._registry.get(f"prompt.{self.n}.mute"))
        ink = colours.TEXT if self.share > 0.0 else (colours.FAINT if muted else colours.DIM)
        if self.state == "failed":
            ink = colours.DANGER
        if not self.prompt.text.strip():
            ink = colours.FAINT
        return (
            self.share,
            colours.mix_hex("#1a1e24", self.hex_color, tint),
            colours.mix_hex("#121519", self.hex_color, tint * 0.5),
            ink,
        )

    def set_peaks(self, peaks: Sequence[float]) -> None:
        """Show the waveform outline of a sound (peaks 0..1)."""
        self.peaks = peaks
        self.update()

    def set_locked(self, locked: bool) -> None:
        """Lock everything but knob, mute and solo (stage mode)."""
        self.locked = locked
        self._drag_from, self._dragging, self._drop_target = None, False, False
        if locked:
            self.close_button.hide()
        self.update()

    def _update_tooltip(self) -> None:
        lines = {
            "ready": "",
            "waiting": "<br><i>The engine is still listening to this prompt.</i>",
            "failed": f"<br><b>{self.problem}</b>",
            "empty": "",
        }[self.state]
        shown = self.prompt.text or "Empty prompt"
        place = f"<br>{self.prompt.audio}" if self.prompt.audio else ""
        self.setToolTip(
            f"<b>{shown}</b>{place}{lines}<br><span style='color:#9aa3af'>Click the words to "
            "change them. Drag the top to another place. Drop a sound file to prompt with it. "
            "Right-click for more."
            "</span>"
        )

    @property
    def hex_color(self) -> str:
        return colours.STRIPS[self.prompt.colour % len(colours.STRIPS)]

    # -- layout --------------------------------------------------------------------------------
    def resizeEvent(self, event: QResizeEvent) -> None:
        w, h = self.width(), self.height()
        button_height = round(min(max(h * 0.115, 24), theme.scaled(46)))
        pad = 9 if w > 90 else 6
        y = h - button_height - pad
        half = (w - 2 * pad - 6) // 2
        self.mute.setGeometry(pad, y, half, button_height)
        self.solo.setGeometry(w - pad - half, y, half, button_height)
        top = self._header_height()
        self.knob.setGeometry(3, top, w - 6, round(self._words_box().top()) - top)
        self.close_button.setGeometry(w - 28, 6, 22, 22)
        box = self._words_box()
        side = round(self._amount_side(box))
        self.amount.setGeometry(round(box.right()) - side, round(box.bottom()) - side, side, side)

    @staticmethod
    def _amount_side(box: QRectF) -> float:
        """Side of the amount knob within the box of the words."""
        return min(box.height(), max(26.0, 0.4 * box.width()), theme.scaled(56))

    def _header_height(self) -> int:
        return round(theme.scaled(30)) if self.height() > 220 else 24

    def _words_box(self) -> QRectF:
        h = float(self.height())
        button_height = min(max(h * 0.115, 24), theme.scaled(46)) + 9
        top = self._header_height()
        # The knob takes a square where there is room, the text the rest.
        knob = min(self.width() * 1.0, h * 0.50)
        free = h - button_height - top - knob - 8
        tall = min(max(free, 38.0), theme.scaled(132.0))
        return QRectF(
            8, h - button_height - 6 - max(free, tall) / 2 - tall / 2, self.width() - 16, tall
        )

    # -- painting ------------------------------------------------------------------------------
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        panel = QLinearGradient(box.topLeft(), box.bottomLeft())
        self._painted_with = _, top, bottom, ink = self._appearance()
        panel.setColorAt(0.0, QColor(top))
        panel.setColorAt(1.0, QColor(bottom))
        painter.setBrush(panel)
        edge = colours.EDGE
        if self._drop_target or self._dragging:
            edge = colours.ACCENT
        elif self.hasFocus():
            edge = colours.TEXT
        painter.setPen(QPen(QColor(edge), 1.0))
        painter.drawRoundedRect(box, 10, 10)
        self._paint_halo(painter, box)
        # The strip's colour along the top, brighter with the prompt's share.
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(self.hex_color, 0.35 + 0.65 * min(1.0, self.share * 2.0)))
        painter.drawRoundedRect(QRectF(10, 1, self.width() - 20, 2.6), 1.3, 1.3)
        if event.rect().top() < self._header_height():
            self._paint_header(painter)
        words = self._words_box()
        if event.rect().bottom() >= words.top() - 2.0:
            self._paint_name(painter, words, ink)

    def _paint_halo(self, painter: QPainter, box: QRectF) -> None:
        """Paint the halo, larger and brighter with the prompt's share of the mix."""
        if self.share <= 0.0:
            return
        clip = QPainterPath()
        clip.addRoundedRect(box, 10, 10)
        painter.save()
        painter.setClipPath(clip)
        centre, radius = self.knob.ring()
        paint_halo(painter, QPointF(self.knob.pos()) + centre, radius, self.hex_color, self.share)
        painter.restore()

    def _paint_header(self, painter: QPainter) -> None:
        top = self._header_height()
        painter.setFont(theme.bold(theme.scaled(13) if self.height() > 220 else 11.5))
        painter.setPen(QColor(self.hex_color))
        painter.drawText(QRectF(11, 6, 30, top - 6), Qt.AlignmentFlag.AlignVCenter, str(self.n))
        words, ink = {
            "waiting": ("listening …", colours.DIM),
            "failed": ("not usable", colours.DANGER),
        }.get(self.state, ("", colours.DIM))
        number = self.weight_text()
        painter.setFont(theme.font(theme.scaled(12) if self.height() > 220 else 11))
        painter.setPen(QColor(ink if words else colours.DIM))
        right = 30 if self.close_button.isVisible() else 11
        area = QRectF(26, 6, self.width() - 26 - right, top - 6)
        painter.drawText(
            area,
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
            words if words and self.width() > 88 else number,
        )

    def weight_text(self) -> str:
        """Weight as shown in the header."""
        name = f"prompt.{self.n}.weight"
        return self._registry[name].text(self._registry.get(name))

    def _paint_name(self, painter: QPainter, box: QRectF, ink: str) -> None:
        if self.prompt.audio is not None:
            wave = QRectF(box.left(), box.top(), box.width(), min(box.height() * 0.36, 30))
            paint_outline(painter, wave, self.peaks, self.hex_color)
            box = box.adjusted(0, wave.height() + 3, 0, 0)
        words = self.prompt.text.strip() or "click to write a prompt"
        if is_sound(words):
            words = words[len(PREFIX) :].strip()
            box = box.adjusted(0, 0, -self._amount_side(box) - 2, 0)
        painter.setPen(QColor(ink))
        largest = min(max(self.width() * 0.165, 13.0), theme.scaled(30.0))
        paint_fit_text(painter, box, words, largest=largest, smallest=theme.scaled(11.0))

    # -- input ---------------------------------------------------------------------------------
    def _remove(self) -> None:
        self.remove_requested.emit(self.n)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        offsets = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        offset = offsets.get(Qt.Key(event.key()))
        if offset is not None and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            if not self.locked:
                self.shift_requested.emit(self.n, offset)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2):
            self.edit_requested.emit(self.n)
        elif event.key() == Qt.Key.Key_Delete and not self.locked:
            self._remove()
        else:
            event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_requested.emit(self.n, event.globalPos())

    def enterEvent(self, event: object) -> None:
        self.close_button.setVisible(not self.locked)
        self.update()

    def leaveEvent(self, event: object) -> None:
        self.close_button.hide()
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self.locked:
            return
        if event.position().y() <= self._header_height():
            self._drag_from = event.globalPosition()
        elif self._words_box().contains(event.position()):
            self.edit_requested.emit(self.n)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag_from is None:
            self._update_cursor(event.position())
            return
        offset = event.globalPosition() - self._drag_from
        if self._dragging or offset.manhattanLength() > 8:
            self._dragging = True
            self.drag_moved.emit(self.n, event.globalPosition())
            self.update()

    def _update_cursor(self, position: QPointF) -> None:
        """Set the mouse cursor for what a press would do."""
        shape = Qt.CursorShape.ArrowCursor
        if not self.locked and position.y() <= self._header_height():
            shape = Qt.CursorShape.OpenHandCursor
        elif not self.locked and self._words_box().contains(position):
            shape = Qt.CursorShape.IBeamCursor
        self.setCursor(shape)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._dragging:
            self.drag_ended.emit(self.n, event.globalPosition())
        self._drag_from, self._dragging = None, False
        self.update()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if not self.locked and (dropped_sound(event) is not None or dropped_words(event)):
            self._drop_target = True
            event.acceptProposedAction()
            self.update()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._drop_target = False
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        self._drop_target = False
        path = dropped_sound(event)
        if path is not None:
            event.acceptProposedAction()
            self.sound_dropped.emit(self.n, path)
        elif dropped_words(event):
            event.acceptProposedAction()
            self.words_dropped.emit(self.n, dropped_words(event))
        self.update()

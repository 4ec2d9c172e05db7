"""Input strip: what comes in, its meter, and what it does (the sends)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.parameters.registry import Registry
from app.window.panels.panel import Panel
from app.window.style import colours, theme
from app.window.widgets.buttons import KeyButton, PlainButton, Segments
from app.window.widgets.knob import Knob
from app.window.widgets.volume_fader import TRACK_COLOUR, meter_position
from models.music.score import NOTE_NAMES

IN_TUNE: Final = 4
"""Cents within which a note is in tune."""
NARROW: Final = 1250
"""Width in points below which one of both hearings is shown, Follow's first."""
BASE_WIDTH: Final = 800.0
"""Width of what is always shown; sends' options share the rest."""
CLIP_FRAMES: Final = 45
"""Updates of the meter for which the clip light stays on."""


def tuner_text(midi: float) -> str:
    """A pitch as the tuner shows it: 'A4 +12' cents, 'A4 0' where it is within four."""
    note = round(midi)
    cents = round(100 * (midi - note))
    off = "0" if abs(cents) <= IN_TUNE else f"{cents:+d}"
    return f"{NOTE_NAMES[note % 12]}{note // 12 - 1} {off}"


class InputMeter(QWidget):
    """Level meter, left to right, with a clip light at its end."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.peak = self.hold = (0.0, 0.0)
        self.clipping = 0
        self._clips = 0
        self._pitch = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(110, 40)
        self.setToolTip(
            "Level of the input after its gain; the light shows that it clips. Above it the pitch "
            "of what you play, with the cents by which it is off."
        )
        self.setAccessibleName("Input level")

    def sizeHint(self) -> QSize:
        return QSize(180, 60)

    def set_levels(self, peak: tuple[float, float], hold: tuple[float, float], clips: int) -> None:
        """Show levels (linear); clips counts the clipped blocks so far."""
        if clips > self._clips or max(hold) >= 1.0:
            self.clipping = CLIP_FRAMES
        elif self.clipping:
            self.clipping -= 1
        elif (peak, hold) == (self.peak, self.hold):
            return
        self._clips = clips
        self.peak, self.hold = peak, hold
        self.update()

    def set_pitch(self, midi: float) -> None:
        """Show the pitch that is heard, a MIDI number with fractions; nan for none."""
        text = "" if math.isnan(midi) else tuner_text(midi)
        if text != self._pitch:
            self._pitch = text
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        painter.setFont(theme.caption(theme.scaled(11)))
        painter.setPen(theme.colour(colours.DIM))
        box = QRectF(self.rect())
        painter.drawText(box.adjusted(0, 2, 0, 0), Qt.AlignmentFlag.AlignLeft, "INPUT")
        in_tune = self._pitch.endswith(" 0")
        painter.setPen(QColor(colours.ACCENT if in_tune else colours.TEXT))
        painter.drawText(box.adjusted(0, 2, -22, 0), Qt.AlignmentFlag.AlignRight, self._pitch)
        bar_height, step = theme.scaled(10), theme.scaled(14)
        light = QRectF(box.right() - 14, box.center().y() - 4, 12, step + bar_height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.DANGER if self.clipping else TRACK_COLOUR))
        painter.drawRoundedRect(light, 3, 3)
        for channel in (0, 1):
            bar = QRectF(0, light.top() + step * channel, box.width() - 22, bar_height)
            painter.setBrush(QColor(TRACK_COLOUR))
            painter.drawRoundedRect(bar, 3, 3)
            self._paint_level(painter, bar, self.peak[channel], self.hold[channel])

    def _paint_level(self, painter: QPainter, bar: QRectF, peak: float, hold: float) -> None:
        filled = QRectF(bar)
        filled.setWidth(bar.width() * meter_position(peak))
        painter.setBrush(QColor(colours.ACCENT))
        painter.drawRoundedRect(filled, 3, 3)
        if hold > 0.0:
            x = bar.left() + (bar.width() - 2) * meter_position(hold)
            painter.fillRect(QRectF(x, bar.top(), 2, bar.height()), QColor(colours.TEXT))


class FollowOptions(QWidget):
    """What is followed, and the part that is left to the player."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        keys = [
            KeyButton(registry, f"follow.{name}", self, label=label, horizontal=True)
            for name, label in (("lock", "Tempo"), ("chords", "Chords"), ("answer", "Answer"))
        ]
        names = [("", name.capitalize()) for name in registry["follow.part"].choices]
        self.part = Segments(registry, "follow.part", names, self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for column, key in enumerate(keys):
            grid.addWidget(key, 0, column)
        grid.addWidget(self.part, 1, 0, 1, len(keys))
        self.rows = (*keys, self.part)


class MemoryOptions(QWidget):
    """How Memory remembers, and the loop's length."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        names = [("", name.capitalize()) for name in registry["send.memory.mode"].choices]
        self.mode = Segments(registry, "send.memory.mode", names, self)
        self.bars = Knob(registry, "send.memory.bars", self, caption="Loop")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.mode, 20)
        row.addWidget(self.bars, 10)


class InputStrip(Panel):
    """Strip of the input; hidden while there is none."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.registry = registry
        self.meter = InputMeter(self)
        self.mute = KeyButton(
            registry, "input.mute", self, label="Mute", hex_color=colours.DANGER, horizontal=True
        )
        self.freeze = KeyButton(registry, "input.freeze", self, label="Freeze", horizontal=True)
        self.record = KeyButton(
            registry, "sketch.record", self, label="Sing", hex_color=colours.DANGER, horizontal=True
        )
        self.sketch = PlainButton(
            label="Sketch", tooltip="What you sang or tapped, as a drawing (S)", parent=self
        )
        self.gain = Knob(registry, "input.gain", self, caption="Gain")
        self.gate = Knob(registry, "input.gate", self, caption="Gate")
        self.monitor = Knob(registry, "input.monitor", self, caption="Monitor")
        self.style_send = Knob(registry, "send.style", self, caption="Style")
        self.follow_send = Knob(registry, "send.follow", self, caption="Follow")
        self.memory_send = Knob(registry, "send.memory", self, caption="Memory")
        self.memory_options = MemoryOptions(registry, self)
        self.echo_send = Knob(registry, "send.echo", self, caption="Echo")
        self.echo_options = [
            Knob(registry, f"send.echo.{name}", self, caption=caption)
            for name, caption in (("time", "Time"), ("feedback", "Back"), ("dream", "Dream"))
        ]
        self.follow_options = FollowOptions(registry, self)
        self._hears = self._understood = ""
        self._wanted: list[str] = []
        self.terms = QLabel(self)
        self.terms.setToolTip(
            "What the style model hears in your last ten seconds, and what Follow understands"
        )
        self.terms.setWordWrap(True)
        self.terms.setMinimumWidth(120)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 14, 6)
        row.setSpacing(10)
        row.addWidget(self.meter, 30)
        for pair in ((self.mute, self.freeze), (self.record, self.sketch)):
            keys = QVBoxLayout()
            keys.setSpacing(4)
            for key in pair:
                keys.addWidget(key)
            row.addLayout(keys, 8)
        for knob in (self.gain, self.gate, self.monitor, self.style_send, self.memory_send):
            row.addWidget(knob, 10)
        row.addWidget(self.memory_options, 20)
        row.addWidget(self.follow_send, 10)
        row.addWidget(self.follow_options, 20)
        for knob in (self.echo_send, *self.echo_options):
            row.addWidget(knob, 10)
        row.addWidget(self.terms, 30)
        self.set_scale(1.0)
        self.show_terms(())
        self.show_follow(False)
        self.show_memory(False, looper=False)
        self.show_echo(False)
        self.hide()

    def set_scale(self, scale: float) -> None:
        """Set the scale; 1 is the default."""
        self.setFixedHeight(round(82 * scale))
        for key in (self.mute, self.freeze, self.record, self.sketch):
            key.setMaximumHeight(round(34 * scale))
        for widget in (*self.follow_options.rows, self.memory_options.mode):
            widget.setMaximumHeight(round(30 * scale))
        self.terms.setFont(theme.font(13 * scale))

    def show_available(self) -> None:
        """Show the sends that the engine has, and no others."""
        sends = {
            "send.style": self.style_send,
            "send.memory": self.memory_send,
            "send.follow": self.follow_send,
            "send.echo": self.echo_send,
        }
        for name, knob in sends.items():
            knob.setVisible(self.registry.available(name))
        for key in (self.record, self.sketch):
            key.setVisible(self.registry.available("sketch.record"))
        for option in self.follow_options.rows:
            option.setVisible(self.registry.available(option.parameter_name))
        self._show_options()
        self.terms.setVisible(any(map(self.registry.available, sends)))

    def show_follow(self, on: bool) -> None:
        """Show the options of Follow while it is on."""
        self._want("follow", on)
        if not on:
            self.show_understood("")

    def show_echo(self, on: bool) -> None:
        """Show the options of Echo while it is on."""
        self._want("echo", on)

    def show_echo_dry(self, dry: bool) -> None:
        """Show that the echo is a plain delay, as its renderer is late; or that it dreams again."""
        if dry:
            self.echo_send.set_caption("Echo, dry", colours.ACCENT)
        else:
            self.echo_send.set_caption("Echo")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_options()

    def _want(self, send: str, on: bool) -> None:
        """Note whether a send's options are of use; those opened last come first."""
        if on != (send in self._wanted):
            self._wanted = [other for other in self._wanted if other != send]
            if on:
                self._wanted.insert(0, send)
        self._show_options()

    def _show_options(self) -> None:
        """Show the options of the sends that are open, as far as there is room for them."""
        options: dict[str, tuple[float, Sequence[QWidget]]] = {
            "memory": (210, (self.memory_options,)),
            "follow": (230, (self.follow_options,)),
            "echo": (190, self.echo_options),
        }
        room = self.width() / theme.scaled(1.0) - BASE_WIDTH
        shown = set[str]()
        for send in self._wanted:
            if send == "memory" and not self.registry.available("send.memory.mode"):
                continue
            room -= options[send][0]
            if room >= 0 or not shown:
                shown.add(send)
        for send, (_, widgets) in options.items():
            for widget in widgets:
                widget.setVisible(send in shown)

    def show_memory(self, on: bool, looper: bool) -> None:
        """Show the options of Memory while it is on."""
        self._want("memory", on)
        self.memory_options.bars.setVisible(looper)

    def show_terms(self, terms: tuple[str, ...]) -> None:
        """Show what the style model hears, nearest first."""
        text = " · ".join(term.replace("_", " ") for term in terms)
        self._hears = f"hears: {text}" if text else ""
        self._show_text()

    def show_understood(self, words: str) -> None:
        """Show what Follow understood."""
        if words != self._understood:
            self._understood = words
            self._show_text()

    def _show_text(self) -> None:
        lines = [line for line in (self._hears, self._understood) if line]
        if self.width() < NARROW:
            lines = lines[-1:]  # there is no room for both
        self.terms.setText("\n".join(lines) or "play something in")

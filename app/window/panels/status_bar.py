"""Status bar: engine and audio figures on the right, messages on the left."""

from __future__ import annotations

import platform
import time
from collections import deque
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.audio.dropouts import DropoutLog
from app.audio.settings import AudioStatus
from app.inference.status import WorkerStatus
from app.window.style import colours, theme

MESSAGE_SECONDS: Final = {"info": 5.0, "warning": 10.0, "error": 20.0}
FIGURES: Final = frozenset({"speed", "knob to sound", "line", "plan", "underruns", "xruns"})
"""Fields that may change all the time; the others, and an alarm, are shown at once."""
TEXT_LEFT: Final = 30.0
"""Left edge of the message, in pixels."""


class StatusBar(QWidget):
    """Engine, speed, delay, plan, underruns and xruns; and the current message."""

    incident = Signal(str, str)  # level and sentence

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._dropouts = DropoutLog()
        self.setFixedHeight(28)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        # name, value, alarming
        self.fields: list[tuple[str, str, bool]] = [("", "engine is loading …", False)]
        self._newest = self.fields
        self._layout: tuple[list[tuple[float, str, str, bool]], str] | None = None
        self._layout_for: object = None
        self._message: tuple[str, str, float] | None = None
        self._queue: deque[tuple[str, str]] = deque(maxlen=5)
        self.setToolTip(
            "<b>Status</b><br>Engine and where it runs; how many seconds of music it makes in one "
            "second; the measured delay from a turned knob to the changed sound; how much music is "
            "planned ahead; for an engine elsewhere the journey there and back; underruns, where "
            "the music ran dry; xruns, where the audio device was served too late (there "
            "should be none of either).<br>"
            "<span style='color:#9aa3af'>Click a sentence to put it away.</span>"
        )

    def sizeHint(self) -> QSize:
        return QSize(600, 28)

    def show_message(self, level: str, sentence: str) -> None:
        """Show a message for some seconds; one of lower severity is queued."""
        text = sentence[:1].upper() + sentence[1:]
        if self._message is not None and _severity(level) < _severity(self._message[0]):
            self._queue.append((level, text))
            return
        self._message = (level, text, time.monotonic() + MESSAGE_SECONDS.get(level, 10.0))
        self._changed()

    def _next(self) -> None:
        self._message = None
        if self._queue:
            self.show_message(*self._queue.popleft())
        self._changed()

    @property
    def message(self) -> str:
        return self._message[1] if self._message is not None else ""

    def show_status(self, status: WorkerStatus) -> None:
        """Show the figures of the worker and of the audio output."""
        audio = status.audio
        delay = status.knob_to_sound_ms
        slow = 0.0 < status.real_time_factor < 1.2
        fields = [
            ("", _engine_text(status), status.state in ("failed", "stopped")),
            ("speed", f"{status.real_time_factor:.1f}×" if status.real_time_factor else "–", slow),
            ("knob to sound", f"{delay:.0f} ms" if delay is not None else "–", False),
            *([("line", _line_text(status), status.line_ms is None)] if status.remote else []),
            ("plan", f"{status.plan_seconds:.1f} s", status.state == "playing"
             and status.plan_seconds < 0.3),
            ("underruns", str(audio.underruns), audio.underruns > 0),
            ("xruns", str(audio.xruns), audio.xruns > 0),
            ("", _device_text(audio), not audio.running or audio.is_null),
        ]  # fmt: skip
        dropouts = self._dropouts.update(audio, time.monotonic(), status.remote)
        if dropouts:
            self.incident.emit("warning", dropouts)
        self._newest = fields
        if _steady(fields) != _steady(self.fields):
            self._show_newest()

    def _show_newest(self) -> None:
        if self._newest != self.fields:
            self.fields = self._newest
            self._changed()

    def _changed(self) -> None:
        self._layout = None
        self.update()

    def report(self) -> str:
        """Platform, versions and current figures, as the head of an incident log."""
        shown = [f"{name} {value}".strip() for name, value, _ in self.fields]
        return f"Segue on {platform.platform()}, Python {platform.python_version()}\n" + ", ".join(
            shown
        )

    def tick(self) -> None:
        """Show the newest figures, and remove an expired message. Called a few times a second:
        nobody reads a figure that changes more often.
        """
        self._show_newest()
        if self._message is not None and time.monotonic() > self._message[2]:
            self._next()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._next()

    def layout_fields(self) -> tuple[list[tuple[float, str, str, bool]], str]:
        """Figures with their left edges, and the message elided to the remaining width.

        Figures that are not alarming are left out where a warning or error needs their room.
        """
        values, names = QFontMetricsF(_value_font()), QFontMetricsF(_name_font())
        sentences = QFontMetricsF(_sentence_font())
        widths = {
            field: values.horizontalAdvance(field[1])
            + (names.horizontalAdvance(field[0]) + 6.0 if field[0] else 0.0)
            for field in self.fields
        }
        visible = list(self.fields)
        if self._message is not None and self._message[0] != "info":
            room = self.width() - TEXT_LEFT - sentences.horizontalAdvance(self._message[1]) - 28.0
            visible = [field for field in visible if field[2]]
            for field in reversed(self.fields):
                if sum(widths[each] + 22.0 for each in [*visible, field]) <= room and not field[2]:
                    visible.append(field)
        right, shown = self.width() - 12.0, []
        for field in reversed(self.fields):
            if field in visible:
                shown.append((right - widths[field], *field))
                right -= widths[field] + 22.0
        if self._message is None:
            return shown, ""
        room = max(right + 12.0 - TEXT_LEFT, 120.0)
        mode = Qt.TextElideMode.ElideRight
        return shown, sentences.elidedText(self._message[1], mode, room)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        painter.fillRect(self.rect(), QColor(colours.BACKGROUND))
        middle = Qt.AlignmentFlag.AlignVCenter
        size = (self.width(), theme.scaled(1.0))
        if self._layout is None or self._layout_for != size:
            self._layout, self._layout_for = self.layout_fields(), size
        shown, text = self._layout
        for left, name, value, alarm in shown:
            if name:
                painter.setFont(_name_font())
                width = painter.fontMetrics().horizontalAdvance(name)
                painter.setPen(QColor(colours.FAINT))
                painter.drawText(QRectF(left, 0, width + 2, self.height()), middle, name)
                left += width + 6
            painter.setFont(_value_font())
            painter.setPen(QColor(colours.DANGER if alarm else colours.TEXT))
            painter.drawText(QRectF(left, 0, self.width(), self.height()), middle, value)
        if self._message is None:
            return
        level, _, _ = self._message
        hex_color = {"info": colours.DIM, "warning": colours.ACCENT}.get(level, colours.DANGER)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(hex_color))
        painter.drawEllipse(QRectF(14, self.height() / 2 - 3.5, 7, 7))
        painter.setFont(_sentence_font())
        painter.setPen(QColor(colours.TEXT if level != "info" else colours.DIM))
        painter.drawText(QRectF(TEXT_LEFT, 0, self.width(), self.height()), middle, text)


def _steady(fields: list[tuple[str, str, bool]]) -> list[tuple[str, str, bool]]:
    return [(name, "" if name in FIGURES else value, alarm) for name, value, alarm in fields]


def _value_font() -> QFont:
    return theme.font(theme.scaled(12.5))


def _name_font() -> QFont:
    return theme.font(theme.scaled(12))


def _sentence_font() -> QFont:
    return theme.font(theme.scaled(13))


def _severity(level: str) -> int:
    return {"info": 0, "warning": 1}.get(level, 2)


def _line_text(status: WorkerStatus) -> str:
    return "down" if status.line_ms is None else f"{status.line_ms:.0f} ms"


def _engine_text(status: WorkerStatus) -> str:
    if status.state == "loading":
        return "engine is loading …"
    if status.state == "failed":
        return "no engine"
    return f"{status.engine} on {status.device}" if status.device else status.engine


def _device_text(audio: AudioStatus) -> str:
    if not audio.running:
        return "no sound device"
    if audio.is_null:
        return "silent: no sound device"
    return f"{audio.device} {audio.sample_rate / 1000:g} kHz"

"""The status line, and the message line above it. GUI lane."""

from __future__ import annotations

import platform
import time
from collections import deque
from typing import Any, Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.window import colours, theme

MESSAGE_SECONDS: Final = {"info": 5.0, "warning": 10.0, "error": 20.0}


class StatusLine(QWidget):
    """Engine, speed, delay, plan, underruns; a sentence on the left when there is one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(28)
        # name, value, alarming
        self.fields: list[tuple[str, str, bool]] = [("", "engine is loading …", False)]
        self._message: tuple[str, str, float] | None = None
        self._waiting: deque[tuple[str, str]] = deque(maxlen=5)
        self.setToolTip(
            "<b>Status</b><br>Engine and where it runs; how many seconds of music it makes in one "
            "second; the measured delay from a turned knob to the changed sound; how much music is "
            "planned ahead; gaps in the sound (there should be none).<br>"
            "<span style='color:#9aa3af'>Click a sentence to put it away.</span>"
        )

    def sizeHint(self) -> QSize:
        return QSize(600, 28)

    def say(self, level: str, sentence: str) -> None:
        """Show a sentence for a while. A lesser one waits until a graver one was read."""
        text = sentence[:1].upper() + sentence[1:]
        if self._message is not None and _rank(level) < _rank(self._message[0]):
            self._waiting.append((level, text))
            return
        self._message = (level, text, time.monotonic() + MESSAGE_SECONDS.get(level, 10.0))
        self.update()

    def _next(self) -> None:
        self._message = None
        if self._waiting:
            self.say(*self._waiting.popleft())
        self.update()

    @property
    def message(self) -> str:
        return self._message[1] if self._message is not None else ""

    def show_status(self, status: Any) -> None:
        """`status` is a WorkerStatus."""
        audio = status.audio
        delay = status.knob_to_sound_ms
        slow = 0.0 < status.real_time_factor < 1.2
        fields = [
            ("", _engine_words(status), status.state in ("failed", "stopped")),
            ("speed", f"{status.real_time_factor:.1f}×" if status.real_time_factor else "–", slow),
            ("knob to sound", f"{delay:.0f} ms" if delay is not None else "–", False),
            ("plan", f"{status.plan_seconds:.1f} s", status.state == "playing"
             and status.plan_seconds < 0.3),
            ("underruns", str(audio.underruns), audio.underruns > 0),
            ("", _device_words(audio), not audio.running or audio.is_null),
        ]  # fmt: skip
        if fields != self.fields:
            self.fields = fields
            self.update()

    def report(self) -> str:
        """What an incident log says of the machine and of what ran on it."""
        shown = [f"{name} {value}".strip() for name, value, _ in self.fields]
        return f"Segue on {platform.platform()}, Python {platform.python_version()}\n" + ", ".join(
            shown
        )

    def tick(self) -> None:
        """Put away a sentence whose time is over."""
        if self._message is not None and time.monotonic() > self._message[2]:
            self._next()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._next()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        right = float(self.width() - 12)
        middle = Qt.AlignmentFlag.AlignVCenter
        for name, value, alarming in reversed(self.fields):
            painter.setFont(theme.font(theme.scaled(12.5)))
            width = painter.fontMetrics().horizontalAdvance(value)
            painter.setPen(QColor(colours.DANGER if alarming else colours.TEXT))
            painter.drawText(QRectF(right - width, 0, width + 2, self.height()), middle, value)
            right -= width
            if name:
                painter.setFont(theme.font(theme.scaled(12)))
                width = painter.fontMetrics().horizontalAdvance(name)
                painter.setPen(QColor(colours.FAINT))
                area = QRectF(right - width - 6, 0, width + 2, self.height())
                painter.drawText(area, middle, name)
                right -= width + 6
            right -= 22
        if self._message is None:
            return
        level, sentence, _ = self._message
        hexa = {"info": colours.DIM, "warning": colours.ACCENT}.get(level, colours.DANGER)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(hexa))
        painter.drawEllipse(QRectF(14, self.height() / 2 - 3.5, 7, 7))
        painter.setFont(theme.font(theme.scaled(13)))
        painter.setPen(QColor(colours.TEXT if level != "info" else colours.DIM))
        room = max(right - 40, 120)
        words = painter.fontMetrics().elidedText(sentence, Qt.TextElideMode.ElideRight, int(room))
        painter.drawText(QRectF(30, 0, room + 4, self.height()), middle, words)


def _rank(level: str) -> int:
    return {"info": 0, "warning": 1}.get(level, 2)


def _engine_words(status: Any) -> str:
    if status.state == "loading":
        return "engine is loading …"
    if status.state == "failed":
        return "no engine"
    return f"{status.engine} on {status.device}" if status.device else status.engine


def _device_words(audio: Any) -> str:
    if not audio.running:
        return "no sound device"
    if audio.is_null:
        return "silent: no sound device"
    return f"{audio.device} {audio.sample_rate / 1000:g} kHz"

"""Monitor page: MIDI and OSC messages, received and sent.

It polls ten times a second and paints only the lines that fit.
"""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPaintEvent, QPen, QShowEvent, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QScrollBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.control.bridge import ControlBridge
from app.window.controllers import form_style as forms
from app.window.controllers.pages.monitor_log import TYPES, Line, MonitorLog, line_of
from app.window.style import colours, theme

POLL_MS: Final = 100
ROW: Final = 22
COLOURS: Final = dict(
    zip(TYPES, (colours.STRIPS[2], colours.STRIPS[0], colours.STRIPS[3], colours.STRIPS[6],
                colours.DIM, colours.STRIPS[4]), strict=True)
)  # fmt: skip


class MonitorLines(QWidget):
    """List of lines that follows the end until it is scrolled back."""

    def __init__(self, log: MonitorLog, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._log = log
        self.began = time.monotonic()
        self._face, self._bold = theme.font(13), theme.bold(13)
        self.bar = QScrollBar(Qt.Orientation.Vertical, self)
        self.bar.valueChanged.connect(lambda _: self.update())
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(8 * ROW)

    @property
    def rows(self) -> int:
        return max((self.height() - 12) // ROW, 1)

    def refresh(self) -> None:
        """Show the lines of the log as it is now."""
        at_end = self.bar.value() >= self.bar.maximum()
        last = max(len(self._log.visible_entries()) - self.rows, 0)
        self.bar.setPageStep(self.rows)
        self.bar.setRange(0, last)
        if at_end:
            self.bar.setValue(last)
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.bar.setValue(self.bar.value() - round(event.angleDelta().y() / 40))

    def resizeEvent(self, event: object) -> None:
        self.bar.setGeometry(self.width() - 13, 3, 10, self.height() - 6)
        self.refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(QColor(colours.BACKGROUND))
        painter.setPen(QPen(QColor(colours.EDGE), 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        lines = self._log.visible_entries()
        if not lines:
            painter.setPen(QColor(colours.FAINT))
            painter.setFont(theme.font(15))
            painter.drawText(
                self.rect(), Qt.AlignmentFlag.AlignCenter, "Nothing yet. Move something."
            )
            return
        first = self.bar.value()
        for n, entry in enumerate(lines[first : first + self.rows]):
            self._paint_line(painter, line_of(entry), 6.0 + n * ROW)

    def _paint_line(self, painter: QPainter, line: Line, y: float) -> None:
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(self._face)
        painter.setPen(QColor(colours.FAINT))
        painter.drawText(
            QRectF(12, y, 74, ROW), middle | Qt.AlignmentFlag.AlignRight,
            f"{line.when - self.began:.3f}",
        )  # fmt: skip
        painter.setPen(QColor(colours.ACCENT if line.out else colours.FAINT))
        painter.drawText(QRectF(98, y, 20, ROW), middle, "→" if line.out else "←")
        painter.setPen(QColor(colours.DIM))
        room = min(240.0, self.width() * 0.24)
        port = painter.fontMetrics().elidedText(
            line.port, Qt.TextElideMode.ElideRight, int(room) - 10
        )
        painter.drawText(QRectF(122, y, room, ROW), middle, port)
        left, right = 126.0 + room, self.width() - 24.0
        painter.setFont(self._bold)
        metrics, elide = painter.fontMetrics(), Qt.TextElideMode.ElideRight
        words = metrics.elidedText(line.text, elide, int((right - left) * 0.52))
        painter.setPen(QColor(colours.FAINT if line.dropped else COLOURS[line.type]))
        painter.drawText(QRectF(left, y, right - left, ROW), middle, words)
        if not line.detail:
            return
        left += max(metrics.horizontalAdvance(words) + 20.0, (right - left) * 0.36)
        painter.setFont(self._face)
        more = painter.fontMetrics().elidedText(line.detail, elide, int(right - left))
        painter.setPen(QColor(colours.DANGER if line.dropped else colours.FAINT))
        painter.drawText(QRectF(left, y, right - left, ROW), middle, more)


class MonitorPage(QWidget):
    """Monitor with filters by device and type, pause and clear."""

    def __init__(self, bridge: ControlBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bridge, self.hub = bridge, bridge.hub
        self.log = MonitorLog()
        self.lines = MonitorLines(self.log, self)
        self.port = QComboBox(self)
        self.port.addItem("all devices", "")
        self.port.setMinimumWidth(220)
        self.type = QComboBox(self)
        self.type.addItem("everything", "")
        for kind in TYPES:
            self.type.addItem(kind, kind)
        for combo in (self.port, self.type):
            combo.activated.connect(self._filter)
        self.pause = QPushButton("Pause", self)
        self.pause.setCheckable(True)
        self.pause.toggled.connect(self._pause)
        clear = QPushButton("Clear", self)
        clear.clicked.connect(self._clear)
        self.count = forms.quiet(parent=self)
        tools = QHBoxLayout()
        for widget in (self.port, self.type):
            tools.addWidget(widget)
        tools.addWidget(self.count, 1)
        tools.addWidget(self.pause)
        tools.addWidget(clear)
        column = forms.lay_out(QVBoxLayout(self), 12)
        column.addWidget(forms.heading("Monitor", self))
        column.addLayout(tools)
        column.addWidget(self.lines, 1)
        self._rates: list[tuple[float, int]] = []
        self._ports: list[str] = []
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.poll)

    def showEvent(self, event: QShowEvent) -> None:
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()

    def poll(self) -> None:
        """Take new entries from hub and OSC server."""
        server = self.bridge.osc
        packets = ((), ()) if server is None else (server.inbox.log, server.sent)
        new = self.log.take(self.hub.monitor, *packets)
        if new:
            self.lines.refresh()
            ports = self.log.ports()
            if ports != self._ports:
                self._ports = ports
                self._fill_ports()
        self._show_rate(new)

    def _show_rate(self, new: int) -> None:
        now = time.monotonic()
        self._rates = [each for each in self._rates if now - each[0] < 1.0]
        if new:
            self._rates.append((now, new))
        rate = sum(n for _, n in self._rates)
        words = f"{rate} a second" if rate else ""
        if self.log.missed:
            words += f"{' · ' if words else ''}some were not recorded"
        if words != self.count.text():
            self.count.setText(words)

    def _fill_ports(self) -> None:
        chosen = self.port.currentData()
        self.port.clear()
        self.port.addItem("all devices", "")
        for port in self._ports:
            self.port.addItem(port, port)
        self.port.setCurrentIndex(max(self.port.findData(chosen), 0))

    def _filter(self) -> None:
        self.log.set_filter(self.port.currentData(), self.type.currentData())
        self.lines.refresh()

    def _pause(self, on: bool) -> None:
        self.log.paused = on
        self.pause.setText("Go on" if on else "Pause")

    def _clear(self) -> None:
        self.log.clear()
        self.lines.refresh()

"""Controllers window: pages for maps, ports, clock, notes, OSC and the monitor.

A window of its own beside the instrument; its settings act at once.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.control.bridge import ControlBridge
from app.window.controllers import form_style as forms
from app.window.controllers.pages.clock_page import ClockPage
from app.window.controllers.pages.maps_page import MapsPage
from app.window.controllers.pages.monitor_page import MonitorPage
from app.window.controllers.pages.osc_page import OscPage
from app.window.controllers.pages.ports_page import PortsPage
from app.window.controllers.pages.score_page import ScorePage
from app.window.shortcuts import shortcut_of
from app.window.style import colours, theme

PAGES: Final = ("Maps", "Ports", "Clock", "Notes", "OSC", "Monitor")


DEFAULT_SIZE: Final = (1220, 800)
MIN_SIZE: Final = (1100, 640)
TITLE: Final = 40
"""Height of a title bar in pixels."""


def opening_size(width: int, height: int) -> tuple[int, int]:
    """Size at which the window opens on a desktop with this much room, in pixels."""
    room = (width, height - TITLE)
    wide, high = (
        max(least, min(size, free))
        for least, size, free in zip(MIN_SIZE, DEFAULT_SIZE, room, strict=True)
    )
    return wide, high


class ControllersWindow(QWidget):
    """Controllers window. `message` has level and sentence, which are shown here too."""

    message = Signal(str, str)
    learn_requested = Signal()

    def __init__(self, bridge: ControlBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self._registry = bridge.hub.registry
        self.setWindowTitle("Controllers")
        self.setObjectName("controllers")
        self.setStyleSheet(f"QWidget#controllers {{ background: {colours.PANEL}; }}{forms.sheet()}")
        room = self.screen().availableSize()
        self.resize(*opening_size(room.width(), room.height()))
        self.setMinimumSize(*MIN_SIZE)
        self.maps = MapsPage(bridge, self)
        self.ports = PortsPage(bridge, self)
        self.clock = ClockPage(bridge, self)
        self.score = ScorePage(bridge, self)
        self.osc = OscPage(bridge, self)
        self.monitor = MonitorPage(bridge, self)
        self.pages = QStackedWidget(self)
        self.rail = QListWidget(self)
        self.rail.setObjectName("rail")
        self.rail.setFixedWidth(148)
        self.rail.setFont(theme.font(15))
        for page in (self.maps, self.ports, self.clock, self.score, self.osc, self.monitor):
            self.pages.addWidget(page)
        for page in (self.maps, self.ports, self.clock, self.score, self.osc):
            page.message.connect(self.show_message)
        for name in PAGES:
            self.rail.addItem(QListWidgetItem(name))
        self.rail.currentRowChanged.connect(self.pages.setCurrentIndex)
        self.rail.setCurrentRow(0)
        self.maps.learn_requested.connect(self.learn_requested)
        self.sentence = QLabel(self)
        self.sentence.setWordWrap(True)
        self.sentence.setFont(theme.font(14))
        self.sentence.hide()
        column = QVBoxLayout()
        column.setContentsMargins(18, 18, 18, 14)
        column.addWidget(self.pages, 1)
        column.addWidget(self.sentence)
        row = forms.lay_out(QHBoxLayout(self), 0)
        row.addWidget(self.rail)
        row.addLayout(column, 1)

    def open_page(self, name: str = "") -> None:
        """Show the window, at a page; '' for the last one."""
        if name in PAGES:
            self.rail.setCurrentRow(PAGES.index(name))
        self.sentence.hide()
        self.show()
        self.raise_()
        self.activateWindow()
        self.rail.setFocus()  # not a field, which a key would change unnoticed

    def show_message(self, level: str, sentence: str) -> None:
        """Show a message at the bottom of the window and in the instrument's status line."""
        ink = {"info": colours.DIM, "warning": colours.ACCENT}.get(level, colours.DANGER)
        self.sentence.setStyleSheet(f"color: {ink}")
        self.sentence.setText(sentence)
        self.sentence.show()
        self.message.emit(level, sentence)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        shortcut = shortcut_of(event)
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        elif shortcut is not None and shortcut.action in ("edit.undo", "edit.redo"):
            self._registry.trigger(shortcut.action, "keyboard")
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.sentence.hide()
        super().closeEvent(event)

"""Top bar: wordmark, session menu, undo, view switch, and buttons of the dialogs."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.buttons import PlainButton, Segments


class Wordmark(QWidget):
    """Logo and name."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.set_scale(1.0)
        self.setToolTip("Segue: go on to the next part without a pause")

    def set_scale(self, scale: float) -> None:
        """Set the scale; 1 is the default."""
        self._scale = scale
        self.setFixedSize(round(112 * scale), round(36 * scale))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        painter.scale(self._scale, self._scale)
        theme.draw_icon(painter, "segue", colours.ACCENT, QRectF(4, 5, 26, 26))
        font = theme.bold(20)
        painter.setFont(font)
        painter.setPen(QColor(colours.TEXT))
        painter.drawText(QRectF(38, 0, 80, 35), Qt.AlignmentFlag.AlignVCenter, "segue")


class TopBar(QWidget):
    """Top bar; the window connects its buttons."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = PlainButton(icon="session", tooltip="Open, save, recent files")
        self.undo = PlainButton(icon="undo", tooltip="Undo (Ctrl+Z)")
        self.redo = PlainButton(icon="redo", tooltip="Redo (Ctrl+Shift+Z)")
        self.view = Segments(registry, "view", [("mixer", "Mixer"), ("map", "Map")], self)
        self.learn = PlainButton(
            icon="learn",
            label="Learn",
            tooltip="Learn: click what you want to play, then move a knob of your controller (L)",
        )
        self.learn.setCheckable(True)
        self.controllers = PlainButton(
            icon="controllers",
            tooltip="Controllers: maps, MIDI ports, clock, OSC, monitor (Ctrl+L)",
        )
        self.log = PlainButton(icon="log", tooltip="Incident log: what went wrong, and when")
        self.settings = PlainButton(icon="settings", tooltip="Sound device and settings (Ctrl+,)")
        self.keys = PlainButton(icon="keyboard", tooltip="Everything by keyboard (?)")
        self.stage = PlainButton(
            icon="stage",
            label="Stage",
            tooltip="Stage mode: full screen, larger, locked against accidents (F11)",
        )
        left = QHBoxLayout()
        left.setSpacing(4)
        self.wordmark = Wordmark(self)
        for widget in (self.wordmark, self.session, self.undo, self.redo):
            left.addWidget(widget)
        left.addStretch(1)
        right = QHBoxLayout()
        right.setSpacing(4)
        right.addStretch(1)
        shown = (self.learn, self.controllers, self.log, self.settings, self.keys, self.stage)
        for widget in shown:
            right.addWidget(widget)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 4, 10, 4)
        row.addLayout(left, 1)
        row.addWidget(self.view)
        row.addLayout(right, 1)
        self.set_scale(1.0)

    def set_scale(self, scale: float) -> None:
        """Set the scale; 1 is the default."""
        self.setFixedHeight(round(44 * scale))
        self.view.setFixedSize(round(196 * scale), round(32 * scale))
        self.wordmark.set_scale(scale)

    def show_session(self, name: str, unsaved: bool) -> None:
        words = f"{name}{' •' if unsaved else ''}"
        if words != self.session.label:
            self.session.label = words
            self.session.updateGeometry()
            self.session.update()

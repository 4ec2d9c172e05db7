"""Scenes panel: the pads and how a scene is recalled."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.parameters.registry import Registry
from app.session.session import Session
from app.window.panels.panel import Panel
from app.window.panels.scene_pads import ScenePadGrid
from app.window.style import colours, theme
from app.window.widgets.buttons import KeyButton, PlainButton, Segments
from app.window.widgets.knob import Knob


class ScenesPanel(Panel):
    """The pads, and how a scene comes."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        registry = session.registry
        self._locked = self._tight = False
        self.mode = Segments(
            registry, "scene.mode", [("", "Now"), ("", "Next bar"), ("", "Morph")], self
        )
        self.time = Knob(registry, "scene.morph_time", self, caption=None)
        self.time_words = Readout(registry, "scene.morph_time", self)
        self.grid = ScenePadGrid(session, self)
        self.save = PlainButton(
            icon="save",
            words="Save",
            tip="Save: then touch the pad that shall keep what is now (or shift-click a pad)",
            parent=self,
        )
        self.save.setCheckable(True)
        self.save.toggled.connect(self.grid.set_saving)
        self.moment = KeyButton(registry, "scene.with_moment", self, icon="moment")
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self.mode, 1)
        top.addWidget(self.time)
        top.addWidget(self.time_words)
        bottom = QHBoxLayout()
        bottom.setSpacing(6)
        bottom.addWidget(self.save)
        bottom.addStretch(1)
        bottom.addWidget(self.moment)
        self.bottom = bottom
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 8)
        column.setSpacing(8)
        column.addLayout(top)
        column.addWidget(self.grid, 1)
        column.addLayout(bottom)
        registry.subscribe(lambda change: self._saved(change.name))
        self.set_scale(1.0)

    def set_scale(self, scale: float) -> None:
        """How large the small things are; the pads take what is left."""
        side = round(34 * scale)
        self.time.setMinimumSize(side, side)
        self.time.setFixedSize(side, side)
        self.moment.setFixedSize(side, side - 2)
        self.mode.setFixedHeight(round(32 * scale))
        self.time_words.setFixedWidth(round(46 * scale))

    def _saved(self, name: str) -> None:
        if name.startswith("scene.") and name.endswith(".save"):
            self.save.setChecked(False)

    def set_locked(self, locked: bool) -> None:
        self._locked = locked
        self.grid.set_locked(locked)
        self._show_saving()

    def set_tight(self, tight: bool) -> None:
        """Whether the pads need all the room: they are saved by Shift and a click then."""
        self._tight = tight
        self._show_saving()

    def _show_saving(self) -> None:
        for widget in (self.save, self.moment):
            widget.setVisible(not self._locked and not self._tight)


class Readout(QWidget):
    """A parameter's value in words."""

    def __init__(self, registry: Registry, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.registry, self.name = registry, name
        self.setFixedWidth(46)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.destroyed.connect(registry.subscribe(lambda _: self.update(), name))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(theme.font(theme.scaled(12.5)))
        painter.setPen(QColor(colours.TEXT))
        words = self.registry[self.name].text(self.registry.get(self.name))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, words)

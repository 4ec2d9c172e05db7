"""Scenes panel: the pads and how a scene is recalled."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.parameters.registry import Registry
from app.scene_launcher import SceneLauncher
from app.session.session import Session
from app.window.panels.panel import Panel
from app.window.panels.scene_pads import ScenePadGrid
from app.window.style import colours, theme
from app.window.widgets.buttons import KeyButton, PlainButton, Segments
from app.window.widgets.knob import Knob


class ScenesPanel(Panel):
    """Panel with the scene pads and the recall mode."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        registry = session.registry
        self._registry = registry
        self._locked = self._compact = False
        self.mode = Segments(
            registry, "scene.mode", [("", "Now"), ("", "Next bar"), ("", "Morph")], self
        )
        self.time = Knob(registry, "scene.morph_time", self, caption=None)
        self.time_readout = Readout(registry, "scene.morph_time", self)
        self.grid = ScenePadGrid(session, self)
        self.save = PlainButton(
            icon="save",
            label="Save",
            tooltip="Save: then click the pad to save to (or shift-click a pad)",
            parent=self,
        )
        self.save.setCheckable(True)
        self.save.toggled.connect(self.grid.set_saving)
        self.moment = KeyButton(registry, "scene.with_moment", self, icon="moment")
        top_row = QHBoxLayout()
        top_row.setSpacing(6)
        top_row.addWidget(self.mode, 1)
        top_row.addWidget(self.time)
        top_row.addWidget(self.time_readout)
        bottom_row = QHBoxLayout()
        bottom_row.setSpacing(6)
        bottom_row.addWidget(self.save)
        bottom_row.addStretch(1)
        bottom_row.addWidget(self.moment)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 8)
        column.setSpacing(8)
        column.addLayout(top_row)
        column.addWidget(self.grid, 1)
        column.addLayout(bottom_row)
        registry.subscribe(lambda change: self._on_saved(change.name))
        registry.subscribe(lambda change: self._update_save_buttons(), "scene.with_moment")
        self.set_scale(1.0)

    def show_launcher(self, launcher: SceneLauncher) -> None:
        """Show which scenes are active or on their way."""
        waiting = launcher.waiting[0] if launcher.waiting is not None else None
        morphing = launcher.morph[0] if launcher.morph is not None else None
        self.grid.show_state(launcher.active, waiting, morphing, launcher.morph_progress)

    def set_scale(self, scale: float) -> None:
        """Scale the fixed-size widgets; the pads take the remaining room."""
        side = round(34 * scale)
        self.time.setMinimumSize(side, side)
        self.time.setFixedSize(side, side)
        self.moment.setFixedSize(side, side - 2)
        self.mode.setFixedHeight(round(32 * scale))
        self.time_readout.setFixedWidth(round(46 * scale))

    def _on_saved(self, name: str) -> None:
        if name.startswith("scene.") and name.endswith(".save"):
            self.save.setChecked(False)

    def set_locked(self, locked: bool) -> None:
        self._locked = locked
        self.grid.set_locked(locked)
        self._update_save_buttons()

    def set_compact(self, compact: bool) -> None:
        """Hide the save buttons where the pads need the room (Shift and a click still saves)."""
        self._compact = compact
        self._update_save_buttons()

    def _update_save_buttons(self) -> None:
        shown = not self._locked and not self._compact
        self.save.setVisible(shown)
        self.moment.setVisible(shown and self._registry.available("scene.with_moment"))


class Readout(QWidget):
    """Label that shows a parameter's value."""

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
        text = self.registry[self.name].text(self.registry.get(self.name))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, text)

"""Prompt map with its controls."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.session.prompts.plane import spread
from app.session.session import Session
from app.window.panels.panel import Panel
from app.window.prompts.map.view import PromptMapView
from app.window.widgets.buttons import KeyButton, PlainButton
from app.window.widgets.knob import Knob


class MapPanel(QWidget):
    """Map on the left; orbit, speed, reach and spread on the right."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        registry = session.registry
        self.map = PromptMapView(session, self)
        side = Panel(self)
        self.orbit = KeyButton(registry, "map.orbit", side, icon="orbit", label="Orbit")
        self.speed = Knob(registry, "map.speed", side, caption="Speed")
        self.reach = Knob(registry, "map.reach", side, caption="Reach")
        self.spread = PlainButton(
            icon="spread",
            label="Spread",
            tooltip="Set the prompts on a circle",
            on_click=self._spread,
            parent=side,
        )
        column = QVBoxLayout(side)
        column.setContentsMargins(8, 10, 8, 8)
        column.setSpacing(8)
        column.addWidget(self.orbit)
        column.addWidget(self.speed, 1)
        column.addWidget(self.reach, 1)
        column.addStretch(1)
        column.addWidget(self.spread)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.map, 1)
        row.addWidget(side)
        self.side = side
        self.set_scale(1.0)

    def set_scale(self, scale: float) -> None:
        """Scale the side panel."""
        self.side.setFixedWidth(round(96 * scale))
        self.orbit.setFixedHeight(round(66 * scale))
        for knob in (self.speed, self.reach):
            knob.setMaximumHeight(round(118 * scale))

    def _spread(self) -> None:
        with self.session.registry.batch():
            for n, (x, y) in enumerate(spread(len(self.session.prompts)), 1):
                self.session.registry.set(f"prompt.{n}.x", x)
                self.session.registry.set(f"prompt.{n}.y", y)
        self.map.refresh()

    def set_locked(self, locked: bool) -> None:
        self.map.locked = locked
        self.spread.setVisible(not locked)

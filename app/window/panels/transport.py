"""Transport panel: play, clear, hold, panic."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.parameters.registry import Registry
from app.window.panels.panel import Panel
from app.window.style import colours
from app.window.widgets.buttons import KeyButton


class TransportPanel(Panel):
    """Panel with play, clear, hold and panic."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.play = KeyButton(
            registry, "transport.play", self,
            icon="play", icon_on="pause", label="Play", label_on="Pause",
        )  # fmt: skip
        self.hold = KeyButton(registry, "transport.hold", self, icon="hold", label="Hold")
        self.clear = KeyButton(registry, "transport.clear", self, icon="clear", label="Clear")
        self.panic = KeyButton(
            registry, "transport.panic", self, icon="panic", label="Panic", hex_color=colours.DANGER
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 10, 10, 10)
        row.setSpacing(6)
        row.addWidget(self.play, 14)
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addWidget(self.hold)
        column.addWidget(self.clear)
        row.addLayout(column, 14)
        row.addWidget(self.panic, 9)
        for button in (self.hold, self.clear):
            button.horizontal = True
        self.destroyed.connect(
            registry.subscribe(
                lambda change: self.hold.setVisible(registry.available(change.name)),
                "transport.hold",
            )
        )

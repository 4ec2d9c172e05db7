"""Output panel: the master fader and its meters."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.parameters.registry import Registry
from app.window.panels.panel import Panel
from app.window.widgets.volume_fader import VolumeFader


class OutputPanel(Panel):
    """Panel with the master fader and its meters."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.master = VolumeFader(registry, self)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 6, 6, 4)
        row.addWidget(self.master)

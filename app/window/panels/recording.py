"""Recording panel: record, and save the capture."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.parameters.registry import Registry
from app.window.panels.panel import Panel
from app.window.style import colours
from app.window.style.time_text import duration_text
from app.window.widgets.buttons import KeyButton


class RecordingPanel(Panel):
    """Record, and save what was played."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.record = KeyButton(
            registry, "record", self, icon="record", words="Record", hexa=colours.DANGER,
            beside=True,
        )  # fmt: skip
        self.capture = KeyButton(
            registry, "capture.save", self, icon="capture", words="Save last 30 min", beside=True
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 8, 10, 8)
        row.setSpacing(6)
        row.addWidget(self.record, 10)
        row.addWidget(self.capture, 14)
        self.setFixedHeight(54)

    def show_recording(self, seconds: float | None) -> None:
        """Seconds on the file, or None while not recording."""
        words = "Record" if seconds is None else duration_text(seconds)
        if words != self.record.words:
            self.record.words = words
            self.record.update()

    def show_capture(self, kept: float, selected: float | None) -> None:
        """What a press on Save would save, in seconds."""
        if selected is not None:
            words = f"Save {duration_text(selected)}"
        else:
            words = f"Save last {duration_text(kept)}" if kept >= 1.0 else "Nothing to save yet"
        if words != self.capture.words:
            self.capture.words = words
            self.capture.update()

"""Recording panel: record, and save the capture."""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.parameters.registry import Registry
from app.window.panels.panel import Panel
from app.window.style import colours
from app.window.style.time_text import duration_text
from app.window.widgets.buttons import KeyButton
from app.window.widgets.progress_button import ProgressButton
from app.window.widgets.take_handle import TakeHandle

TIP: Final = "The saved take's stems are rendered while the music goes on; click to leave them out"


class RecordingPanel(Panel):
    """Panel with the record and the save capture buttons, and the last take to drag."""

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.record = KeyButton(
            registry, "record", self, icon="record", label="Record", hex_color=colours.DANGER,
            horizontal=True,
        )  # fmt: skip
        self.capture = KeyButton(
            registry,
            "capture.save",
            self,
            icon="capture",
            label="Save last 30 min",
            horizontal=True,
        )
        self.stems = ProgressButton("Stems", TIP, self)
        self.take = TakeHandle(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 8, 10, 8)
        row.setSpacing(6)
        row.addWidget(self.record, 10)
        row.addWidget(self.capture, 14)
        row.addWidget(self.stems)
        row.addWidget(self.take)
        self.setFixedHeight(54)

    def show_recording(self, seconds: float | None) -> None:
        """Show the recorded seconds; None while not recording."""
        label = "Record" if seconds is None else duration_text(seconds)
        if label != self.record.label:
            self.record.label = label
            self.record.update()

    def show_capture(self, captured: float, selected: float | None) -> None:
        """Show how many seconds would be saved: the selection, or else the capture."""
        if selected is not None:
            label = f"Save {duration_text(selected)}"
        else:
            label = (
                f"Save last {duration_text(captured)}" if captured >= 1.0 else "Nothing to save yet"
            )
        if label != self.capture.label:
            self.capture.label = label
            self.capture.update()

"""Settings of the outputs: which part goes to channels of its own, beside the mix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PySide6.QtWidgets import QComboBox, QFormLayout, QGridLayout, QLabel, QWidget

from app.audio.outputs.routes import FIRST
from models.music.score import PARTS

MIN_CHANNELS: Final = 10
"""Channels that are offered where the device has fewer, as it may be plugged in later."""
TIP: Final = (
    "Each part on a pair of channels of its own, for a mixing console or a DAW, without"
    " the master's limiter and volume. The mix stays on 1 and 2."
)


class OutputsForm(QWidget):
    """Table part -> pair of channels, a row of the settings dialog."""

    def __init__(self, table: Mapping[str, int], parent: QWidget) -> None:
        super().__init__(parent)
        self._initial = dict(table)
        self.pairs: dict[str, QComboBox] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        for column, part in enumerate(PARTS):
            label = QLabel(part.capitalize(), self)
            box = QComboBox(self)
            box.setToolTip(TIP)
            box.setAccessibleName(f"Outputs of {part}")
            label.setBuddy(box)
            self.pairs[part] = box
            grid.addWidget(label, 0, column)
            grid.addWidget(box, 1, column)
            grid.setColumnStretch(column, 1)
        self.show_channels(0)

    def add_to(self, form: QFormLayout) -> None:
        """Add the row to a dialog's form."""
        form.addRow(QLabel("Parts go to", self.parentWidget()), self)

    def show_channels(self, channels: int) -> None:
        """Offer the pairs of a device; those that are chosen stay even if it lacks them."""
        for part, box in self.pairs.items():
            chosen = box.currentData() if box.count() else self._initial.get(part, 0)
            box.clear()
            box.addItem("mix", 0)
            firsts = set(range(FIRST, max(channels, MIN_CHANNELS), 2)) | ({chosen} - {0, None})
            for first in sorted(firsts):
                box.addItem(f"{first}-{first + 1}", first)
            box.setCurrentIndex(box.findData(chosen))

    def chosen(self) -> dict[str, int]:
        """The left channel of each part that has channels of its own."""
        return {part: box.currentData() for part, box in self.pairs.items() if box.currentData()}

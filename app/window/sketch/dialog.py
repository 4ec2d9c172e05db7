"""Sketch window: the drawing, what plays it, and how."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.parameters.registry import Registry
from app.session import sketch_edits as edits
from app.window.sketch.view import SketchView
from app.window.style import colours
from app.window.widgets.buttons import KeyButton
from models.music.hearing.sketch import SKETCH_PARTS, Sketch


class SketchDialog(QDialog):
    """Window in which a sketch is sung, drawn, changed and deleted; the music goes on behind it."""

    changed = Signal(object)
    """The sketch that is shown, after an edit."""
    deleted = Signal(str)
    """The part whose sketch goes."""
    part_chosen = Signal(str)

    def __init__(self, registry: Registry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Sketch")
        self.resize(780, 420)
        self.view = SketchView(self)
        self.record = KeyButton(
            registry, "sketch.record", self, label="Sing or tap", label_on="Done",
            hex_color=colours.DANGER, horizontal=True,
        )  # fmt: skip
        self.part = QComboBox(self)
        for part in SKETCH_PARTS:
            self.part.addItem(part.capitalize(), part)
        self.part.setToolTip("The part that plays it")
        self.bars = QComboBox(self)
        for bars in edits.LENGTHS:
            self.bars.addItem(f"{bars} bar{'s' if bars > 1 else ''}", bars)
        self.bars.setToolTip("Its length")
        self.loop = QCheckBox("Loop", self)
        self.loop.setToolTip("Round and round, or once from the next bar")
        self.in_key = QCheckBox("In key", self)
        self.in_key.setToolTip("Its pitches come into the key of the music")
        self.grid = QPushButton("On the beat", self)
        self.grid.setToolTip("Puts everything on the nearest sixteenth, where it is played")
        self.again = QPushButton("Again", self)
        self.again.setToolTip("Plays it from the next bar on")
        self.delete = QPushButton("Delete", self)
        self.delete.setToolTip("The part plays its own again")
        for button in (self.grid, self.again, self.delete):
            button.setAutoDefault(False)  # Return is no command here
        row = QHBoxLayout()
        for widget in (self.record, self.part, self.bars, self.loop, self.in_key, self.grid):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.again)
        row.addWidget(self.delete)
        self.words = QLabel("", self)
        column = QVBoxLayout(self)
        column.addLayout(row)
        column.addWidget(self.view, 1)
        column.addWidget(self.words)
        self.view.changed.connect(self._edit)
        self.part.activated.connect(lambda: self.part_chosen.emit(self.part.currentData()))
        self.bars.activated.connect(self._resize)
        self.loop.clicked.connect(lambda on: self._edit(replace(self.sketch, loop=on)))
        self.in_key.clicked.connect(lambda on: self._edit(replace(self.sketch, in_key=on)))
        self.grid.clicked.connect(lambda: self._edit(edits.quantised(self.sketch)))
        self.again.clicked.connect(self._play_again)
        self.delete.clicked.connect(lambda: self.deleted.emit(self.sketch.part))
        self.show_sketch(self.view.sketch)

    @property
    def sketch(self) -> Sketch:
        """The sketch that is shown."""
        return self.view.sketch

    def show_sketch(self, sketch: Sketch, beats_per_bar: int = 4) -> None:
        """Show a sketch and its settings."""
        self.view.show_sketch(sketch, beats_per_bar)
        self.part.setCurrentIndex(SKETCH_PARTS.index(sketch.part))
        self.bars.setCurrentIndex(self.bars.findData(round(sketch.beats / beats_per_bar)))
        self.loop.setChecked(sketch.loop)
        self.in_key.setChecked(sketch.in_key)
        self.in_key.setEnabled(sketch.part != "drums")
        something = bool(sketch.notes or sketch.hits)
        for button in (self.grid, self.again, self.delete):
            button.setEnabled(something)

    def say(self, sentence: str) -> None:
        """Show a sentence below the drawing."""
        self.words.setText(sentence)

    def _edit(self, sketch: Sketch) -> None:
        self.show_sketch(sketch, self.view.beats_per_bar)
        self.changed.emit(sketch)

    def _resize(self) -> None:
        beats = float(self.bars.currentData() * self.view.beats_per_bar)
        self._edit(edits.of_length(self.sketch, beats))

    def _play_again(self) -> None:
        self._edit(replace(self.sketch, number=self.sketch.number + 1))

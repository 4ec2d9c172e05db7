"""Drawing of a sketch: beats from left to right, pitches or drums from the bottom."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.session import sketch_edits as edits
from app.window.style import colours, theme
from models.music.hearing.sketch import Sketch
from models.music.score import NOTE_NAMES

LEFT: Final = 46.0
BOTTOM: Final = 22.0
ROWS: Final = 25  # semitones that are shown at the least
BLACK: Final = (1, 3, 6, 8, 10)


class SketchView(QWidget):
    """A sketch that can be drawn, moved and deleted.

    Left button: draws on empty ground, moves what is there. Right button or Delete: takes it away.
    """

    changed = Signal(object)
    """The sketch after an edit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sketch = edits.blank("lead", 2)
        self.beats_per_bar = 4
        self.chosen: int | None = None
        self._path: list[tuple[float, float]] = []
        self._grabbed: tuple[float, float, Sketch] | None = None  # beat, row, sketch before
        self._middle = 66
        self.setMinimumSize(360, 200)
        self.setMouseTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName("Sketch")
        self.setToolTip(
            "Draw with the left button, move what is there, take it away with the right button."
        )

    def sizeHint(self) -> QSize:
        return QSize(720, 320)

    def show_sketch(self, sketch: Sketch, beats_per_bar: int = 4) -> None:
        """Show another sketch, or another state of it."""
        if sketch.part != self.sketch.part or len(sketch.notes) != len(self.sketch.notes):
            self.chosen = None
        self.sketch, self.beats_per_bar = sketch, beats_per_bar
        pitches = [note.pitch for note in sketch.notes]
        if pitches and self._grabbed is None and not self._path:
            self._middle = round((min(pitches) + max(pitches)) / 2)
        elif not pitches:
            self._middle = 43 if sketch.part == "bass" else 66
        self.update()

    # -- places ----------------------------------------------------------------------------------
    @property
    def _drums(self) -> bool:
        return self.sketch.part == "drums"

    def _rows(self) -> tuple[float, float]:
        """Lowest row and number of rows: pitches, or drums."""
        if self._drums:
            return 0.0, float(len(edits.KIT))
        pitches = [note.pitch for note in self.sketch.notes] or [float(self._middle)]
        rows = max(ROWS, int(max(pitches) - min(pitches)) + 5)
        return self._middle - rows // 2, float(rows)

    def _ground(self) -> QRectF:
        return QRectF(LEFT, 4, self.width() - LEFT - 6, self.height() - BOTTOM - 4)

    def _x(self, beat: float) -> float:
        ground = self._ground()
        return ground.left() + ground.width() * beat / self.sketch.beats

    def _y(self, row: float) -> float:
        """Middle of a row."""
        ground = self._ground()
        low, count = self._rows()
        return ground.bottom() - ground.height() * (row - low + 0.5) / count

    def place_of(self, point: QPointF) -> tuple[float, float]:
        """(beat, row) of a point; the row with fractions."""
        ground = self._ground()
        low, count = self._rows()
        beat = (point.x() - ground.left()) / ground.width() * self.sketch.beats
        row = low + (ground.bottom() - point.y()) / ground.height() * count - 0.5
        return min(max(beat, 0.0), self.sketch.beats - 1e-6), min(max(row, low), low + count - 1)

    def _boxes(self) -> list[QRectF]:
        """Where each note or hit is drawn."""
        height = max(8.0, self._ground().height() / self._rows()[1] - 2)
        if self._drums:
            size = min(height, 22.0)
            return [
                QRectF(self._x(hit.beat), self._y(edits.KIT.index(hit.drum)) - size / 2, size, size)
                if hit.drum in edits.KIT
                else QRectF(self._x(hit.beat), self._y(1) - 4, 8, 8)
                for hit in self.sketch.hits
            ]
        return [
            QRectF(
                self._x(note.beat),
                self._y(note.pitch) - height / 2,
                max(6.0, self._x(note.beat + note.length) - self._x(note.beat) - 1),
                height,
            )
            for note in self.sketch.notes
        ]

    def found_at(self, point: QPointF) -> int | None:
        """Number of the note or hit at a point."""
        for index, box in enumerate(self._boxes()):
            if box.adjusted(-2, -4, 2, 4).contains(point):
                return index
        return None

    # -- hands -----------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        point, found = event.position(), self.found_at(event.position())
        self.chosen = found
        if event.button() == Qt.MouseButton.RightButton:
            if found is not None:
                self._edit(edits.without(self.sketch, found))
        elif event.button() == Qt.MouseButton.LeftButton:
            beat, row = self.place_of(point)
            if found is not None:
                self._grabbed = beat, row, self.sketch
            elif self._drums:
                self._edit(edits.struck(self.sketch, beat, edits.KIT[round(row)]))
            else:
                self._path = [(beat, row)]
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        beat, row = self.place_of(event.position())
        if self._path:
            self._path.append((beat, row))
            self.update()
        elif self._grabbed is not None and self.chosen is not None:
            start, grabbed_row, before = self._grabbed
            beats = round((beat - start) * edits.GRID) / edits.GRID
            self.sketch = edits.moved(before, self.chosen, beats, round(row - grabbed_row))
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        path, grabbed = self._path, self._grabbed
        self._path, self._grabbed = [], None
        if path:
            self._edit(edits.drawn(self.sketch, path))
        elif grabbed is not None and self.sketch != grabbed[2]:
            self._edit(self.sketch)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        count = len(self.sketch.hits if self._drums else self.sketch.notes)
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self.chosen is not None:
            if self.chosen < count:
                self._edit(edits.without(self.sketch, self.chosen))
        else:
            super().keyPressEvent(event)

    def _edit(self, sketch: Sketch) -> None:
        self.chosen = None
        self.show_sketch(sketch, self.beats_per_bar)
        self.changed.emit(sketch)

    # -- painting --------------------------------------------------------------------------------
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        ground = self._ground()
        painter.fillRect(ground, theme.colour(colours.BACKGROUND))
        painter.setFont(theme.caption())
        self._paint_rows(painter, ground)
        self._paint_beats(painter, ground)
        painter.setPen(Qt.PenStyle.NoPen)
        for index, box in enumerate(self._boxes()):
            painter.setBrush(theme.colour(colours.TEXT if index == self.chosen else colours.ACCENT))
            painter.drawRoundedRect(box, 3, 3)
        if len(self._path) > 1:
            line = QPainterPath(QPointF(self._x(self._path[0][0]), self._y(self._path[0][1])))
            for beat, row in self._path[1:]:
                line.lineTo(self._x(beat), self._y(row))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(theme.colour(colours.ACCENT))
            painter.drawPath(line)
        if not self.sketch.notes and not self.sketch.hits and not self._path:
            painter.setPen(theme.colour(colours.DIM))
            painter.setFont(theme.font(14))
            painter.drawText(ground, Qt.AlignmentFlag.AlignCenter, "Sing, tap, or draw here")

    def _paint_rows(self, painter: QPainter, ground: QRectF) -> None:
        low, count = self._rows()
        height = ground.height() / count
        names = edits.KIT if self._drums else ()
        for row in range(round(count)):
            middle = self._y(low + row)
            note = round(low + row)
            if not self._drums and note % 12 in BLACK:
                band = QRectF(ground.left(), middle - height / 2, ground.width(), height)
                painter.fillRect(band, theme.colour(colours.PANEL))
            text = names[row] if names else ""
            if not names and note % 12 == 0:
                text = f"{NOTE_NAMES[0]}{note // 12 - 1}"
            if text:
                painter.setPen(theme.colour(colours.DIM))
                box = QRectF(0, middle - 10, LEFT - 6, 20)
                painter.drawText(
                    box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text
                )

    def _paint_beats(self, painter: QPainter, ground: QRectF) -> None:
        for beat in range(round(self.sketch.beats) + 1):
            bar = beat % self.beats_per_bar == 0
            painter.setPen(theme.colour(colours.LINE if bar else colours.EDGE))
            x = self._x(beat)
            painter.drawLine(QPointF(x, ground.top()), QPointF(x, ground.bottom()))
            if bar and beat < self.sketch.beats:
                painter.setPen(theme.colour(colours.DIM))
                painter.drawText(
                    QPointF(x + 3, ground.bottom() + 15), str(beat // self.beats_per_bar + 1)
                )

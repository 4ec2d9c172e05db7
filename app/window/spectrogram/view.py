"""Spectrogram widget: click to go back in the music, drag to select, wheel to zoom."""

from __future__ import annotations

import time
from typing import Final

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QWheelEvent,
)
from PySide6.QtWidgets import QGraphicsView, QWidget

from app.window.spectrogram.axes import FramedPlot
from app.window.spectrogram.beats import beat_positions
from app.window.spectrogram.panning import PAN_FRACTION, Panning
from app.window.spectrogram.pending import PendingBlocks
from app.window.spectrogram.plot import PlotMark, SpectrogramPlot
from app.window.spectrogram.plot_item import SpectrogramPlotItem
from app.window.spectrogram.spectra import HOP, Spectra
from app.window.style import colours
from app.window.widgets.drop_hint import DropHint
from app.window.widgets.dropped import dropped_sound
from models.engine.interface import ScoreInfo
from models.music.score import SAMPLE_RATE

ZOOM_SECONDS: Final = (6.0, 12.0, 20.0, 40.0, 90.0, 180.0, 420.0, 900.0, 1800.0)
CLICK_PIXELS: Final = 5


class SpectrogramView(pg.GraphicsView):  # type: ignore[misc]
    """Widget of the spectrogram; `frame` is called with the playhead for every frame drawn."""

    seek_requested = Signal(object)  # plan position: int
    selection_changed = Signal(object)  # (start, stop) in plan positions, or None
    sound_dropped = Signal(str)
    panned = Signal(bool)  # whether the view is away from the playhead

    def __init__(self, parent: QWidget | None = None, *, seconds: float = 1860.0) -> None:
        super().__init__(parent, background=None)
        self.spectra = Spectra(seconds)
        self.plot = SpectrogramPlot(self.spectra)
        self.framed = FramedPlot()
        self.pending = PendingBlocks()
        self.locked = False
        self.seekable = True  # whether the engine can go back to a click in the past
        self._press: QPointF | None = None
        self._press_position = 0
        self._zoom = 2
        self._drawn_state: object = None
        self.panning = Panning()
        self._pan_from: float | None = None
        self.framed.box.addItem(SpectrogramPlotItem(self.plot), ignoreBounds=True)
        self.framed.box.sigResized.connect(self._place)
        self.setCentralItem(self.framed)
        self._paint_little()
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Spectrogram")
        self.drop_hint = DropHint(self, "The music goes on from the end of this file")
        self.set_accepts_sound(False)
        self._apply_zoom()

    # -- data ----------------------------------------------------------------------------------
    def add_block(
        self, position: int, samples: NDArray[np.float32], score: ScoreInfo | None = None
    ) -> None:
        """Add a planned block (frames, channels), replacing the plan from its position on."""
        self.pending.add(position, samples)
        if self.pending.full:
            self._analyse()
        if score is not None:
            beats, bars = beat_positions(score, position, len(samples), SAMPLE_RATE)
            self.plot.set_beats(position, beats, bars)

    def show_rewrite(self, position: int) -> None:
        """Highlight that the plan is being rewritten from a position on."""
        self.plot.flash_from = position
        self.plot.flash_at = time.monotonic()

    def add_mark(self, position: int, kind: str, text: str) -> None:
        """Add a mark, and drop those after it: the plan that they belonged to was rewritten."""
        self.plot.add_mark(PlotMark(position, kind, text))

    def frame(self, playhead: float) -> None:
        """Analyse queued blocks, and repaint if a pixel has changed. `playhead`: frames."""
        if self.pending.due():
            self._analyse()
        self.plot.playhead = playhead
        self.plot.origin = self.panning.origin(playhead)
        self.plot.clock = time.monotonic()
        state = self.plot.state
        if state != self._drawn_state:
            self._drawn_state = state
            self.repaint_plot()

    def repaint_plot(self) -> None:
        """Paint the plot again, but not its axes."""
        self.viewport().update(self.plot.area.toRect())

    def _paint_little(self) -> None:
        """Leave out what a view does for scenes that change in many places."""
        flags = QGraphicsView.OptimizationFlag
        self.setFrameShape(self.Shape.NoFrame)
        self.setCacheMode(self.CacheModeFlag(0))
        self.setOptimizationFlags(flags.DontSavePainterState | flags.DontAdjustForAntialiasing)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.MinimalViewportUpdate)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def drawBackground(self, painter: QPainter, rect: QRectF) -> None:
        if not self.plot.area.contains(rect):  # the plot covers all of its own
            painter.fillRect(rect, QColor(colours.BACKGROUND))

    def _analyse(self) -> None:
        """Analyse the oldest queued blocks, as many as lie behind one another."""
        position, samples = self.pending.take()
        self.plot.update_columns(*self.spectra.write(position, samples))

    # -- zoom and pan --------------------------------------------------------------------------
    def wheelEvent(self, event: QWheelEvent) -> None:
        horizontal, vertical = event.angleDelta().x(), event.angleDelta().y()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            horizontal, vertical = horizontal or vertical, 0
        if horizontal:
            self.pan(-horizontal / 120.0 * PAN_FRACTION * self.plot.past)
        elif vertical:
            self.zoom(-1 if vertical > 0 else 1)
        event.accept()

    def zoom(self, steps: int) -> None:
        """Zoom in (-1) or out (+1)."""
        self._zoom = min(max(self._zoom + steps, 0), len(ZOOM_SECONDS) - 1)
        self._apply_zoom()

    def pan(self, seconds: float) -> None:
        """Pan by seconds (negative: into the past)."""
        first = float(self.spectra.start * HOP)
        self.panning.pan(seconds, self.plot.playhead, first, self.plot.past)
        self._on_panned()

    def show_now(self) -> None:
        """Follow the playhead again."""
        self.panning.reset()
        self._on_panned()

    def _on_panned(self) -> None:
        self.plot.origin = self.panning.origin(self.plot.playhead)
        self._apply_zoom()
        self.panned.emit(self.panning.is_panned)

    def _apply_zoom(self) -> None:
        past = ZOOM_SECONDS[self._zoom]
        future = max(past * 0.2, 3.0)
        self.plot.set_span(past, future)
        self.framed.set_times(self.panning.ticks(past, future), past, future)
        self.repaint_plot()

    def set_scale(self, scale: float) -> None:
        """Set the text scale; 1 is the default."""
        self.plot.scale = scale
        self.framed.set_scale(scale)
        self.repaint_plot()

    def _place(self) -> None:
        """Follow the view box; the plot's corner lies on one of the screen's pixels."""
        ratio = self.devicePixelRatioF()
        area = self.framed.box.sceneBoundingRect()
        area.setLeft(round(area.left() * ratio) / ratio)
        self.plot.set_area(area, ratio)
        self.viewport().update()

    # -- files ---------------------------------------------------------------------------------
    def set_accepts_sound(self, accepts: bool) -> None:
        """Set whether an audio file can be dropped, to continue from its end."""
        self.accepts_sound = accepts
        drop = "Drop an audio file: the music goes on from its end. " if accepts else ""
        self.setToolTip(
            "<b>Spectrogram</b><br>Left of the line what was heard, right of it what is planned. "
            "Click in the past: the music goes on from there. Drag to select what to save. "
            f"{drop}<br><span style='color:#9aa3af'>Wheel: seconds to half an hour. Shift and "
            "wheel, or the right button: look back. Home: now. Esc: no selection.</span>"
        )

    def _accepted_sound(self, event: QDropEvent) -> str | None:
        return dropped_sound(event) if self.accepts_sound and not self.locked else None

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._accepted_sound(event) is None:
            event.ignore()
        else:
            event.acceptProposedAction()
            self.drop_hint.show_over()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if self._accepted_sound(event) is None:
            event.ignore()
        else:
            event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.drop_hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.drop_hint.hide()
        path = self._accepted_sound(event)
        if path is not None:
            event.acceptProposedAction()
            self.sound_dropped.emit(path)

    # -- input ---------------------------------------------------------------------------------
    def _seconds_at(self, point: QPointF) -> float:
        return self.plot.seconds_at(point.x())

    def point_at(self, seconds: float) -> QPoint:
        """Place in the widget of a time in seconds relative to the playhead."""
        area = self.plot.area
        return QPointF(self.plot.x_at(seconds), area.top() + area.height() * 0.4).toPoint()

    def _position_at(self, point: QPointF) -> int:
        seconds = min(self._seconds_at(point), 0.0)
        first = self.spectra.start * HOP
        return max(round(self.plot.playhead + seconds * SAMPLE_RATE), first, 0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and not self.locked:
            self._press = event.position()
            self._press_position = self._position_at(event.position())
        elif event.button() in (Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton):
            self._pan_from = self._seconds_at(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        seconds = self._seconds_at(event.position())
        if self._pan_from is not None:
            # The dragged point stays under the mouse.
            self.pan(self._pan_from - seconds)
            return
        in_past = seconds < 0.0 and not self.locked and self.seekable
        self.plot.hover = seconds if in_past and self._press is None else None
        self.setCursor(Qt.CursorShape.PointingHandCursor if in_past else Qt.CursorShape.ArrowCursor)
        if self._press is None:
            return
        if abs(event.position().x() - self._press.x()) > CLICK_PIXELS or self.plot.selection:
            position = self._position_at(event.position())
            low, high = sorted((self._press_position, position))
            self.plot.selection = (low, high)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pan_from = None
        if self._press is None:
            return
        moved = abs(event.position().x() - self._press.x()) > CLICK_PIXELS
        press, self._press = self._press, None
        if moved:
            self.selection_changed.emit(self.plot.selection)
        elif self.plot.selection is not None:
            self.clear_selection()
        elif self._seconds_at(press) < 0.0 and self.seekable:
            self.show_now()
            self.seek_requested.emit(self._press_position)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self.plot.hover = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.plot.selection is not None:
            self.clear_selection()
        elif event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Minus):
            self.zoom(-1 if event.key() == Qt.Key.Key_Plus else 1)
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            direction = -1.0 if event.key() == Qt.Key.Key_Left else 1.0
            self.pan(direction * PAN_FRACTION * self.plot.past)
        elif event.key() == Qt.Key.Key_Home:
            self.show_now()
        else:
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.framed.set_focused(event.reason() != Qt.FocusReason.MouseFocusReason)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.framed.set_focused(False)

    def clear_selection(self) -> None:
        self.plot.selection = None
        self.selection_changed.emit(None)

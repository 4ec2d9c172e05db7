"""Spectrogram widget: click to go back in the music, drag to select, wheel to zoom."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QGraphicsItem, QWidget

from app.window.prompts.strip import dropped_sound
from app.window.spectrogram.beats import beat_positions
from app.window.spectrogram.panning import PAN_FRACTION, Panning
from app.window.spectrogram.plot_item import WAVE, PlotMark, SpectrogramPlotItem
from app.window.spectrogram.spectra import BANDS, HOP, Spectra, band_of
from app.window.style import colours, theme
from app.window.widgets.drop_hint import DropHint
from models.engine.interface import ScoreInfo
from models.music.score import SAMPLE_RATE

FREQUENCY_TICKS: Final = (
    (60, "60"),
    (125, ""),
    (250, "250"),
    (500, ""),
    (1000, "1k"),
    (2000, ""),
    (4000, "4k"),
    (8000, ""),
    (14000, "14k"),
)
ZOOM_SECONDS: Final = (6.0, 12.0, 20.0, 40.0, 90.0, 180.0, 420.0, 900.0, 1800.0)
ANALYSIS_BUDGET: Final = 0.001
"""Seconds per frame for the analysis of blocks; the rest is analysed in the next frames."""
MAX_PENDING_BLOCKS: Final = 48
"""Blocks to queue at most: there are no frames while the window is minimised."""
CLICK_PIXELS: Final = 5


class SpectrogramView(pg.PlotWidget):  # type: ignore[misc]
    """Plot widget of the spectrogram; `frame` is called with the playhead 60 times a second."""

    seek_requested = Signal(object)  # plan position: int
    selection_changed = Signal(object)  # (start, stop) in plan positions, or None
    sound_dropped = Signal(str)
    panned = Signal(bool)  # whether the view is away from the playhead

    _built = False  # the base class resizes the view while it is built

    def __init__(self, parent: QWidget | None = None, *, seconds: float = 1860.0) -> None:
        super().__init__(parent, background=colours.BACKGROUND, axisItems=_axes())
        self.spectra = Spectra(seconds)
        self.item = SpectrogramPlotItem(self.spectra)
        self.locked = False
        self.seekable = True  # whether the engine can go back to a click in the past
        self._pending_blocks: deque[tuple[int, NDArray[np.float32]]] = deque()
        self._press: QPointF | None = None
        self._press_position = 0
        self._zoom = 2
        self._drawn_state: tuple[object, ...] = ()
        self.panning = Panning()
        self._pan_from: float | None = None
        plot = self.getPlotItem()
        plot.addItem(self.item)
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.getViewBox().setMouseEnabled(False, False)
        plot.getViewBox().setDefaultPadding(0.0)
        plot.layout.setContentsMargins(0, 4, 8, 0)
        plot.getAxis("left").setWidth(42)
        plot.getAxis("bottom").setHeight(20)
        for name in ("left", "bottom"):  # axes do not move
            plot.getAxis(name).setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        self.setFrameShape(self.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName("Spectrogram")
        self.drop_hint = DropHint(self, "The music goes on from the end of this file")
        self.set_accepts_sound(False)
        self._built = True
        self._apply_zoom()

    # -- data ----------------------------------------------------------------------------------
    def add_block(
        self, position: int, samples: NDArray[np.float32], score: ScoreInfo | None = None
    ) -> None:
        """Add a planned block (frames, channels), replacing the plan from its position on."""
        self._pending_blocks.append((position, samples))
        if len(self._pending_blocks) > MAX_PENDING_BLOCKS:
            self._analyse_next()
        if score is not None:
            beats, bars = beat_positions(score, position, len(samples), SAMPLE_RATE)
            self.item.set_beats(position, beats, bars)

    def show_rewrite(self, position: int) -> None:
        """Highlight that the plan is being rewritten from a position on."""
        self.item.flash_from = position
        self.item.flash_at = time.monotonic()

    def add_mark(self, position: int, kind: str, text: str) -> None:
        """Add a mark, and drop those after it: the plan that they belonged to was rewritten."""
        while self.item.marks and self.item.marks[-1].position > position:
            self.item.marks.pop()
        self.item.marks.append(PlotMark(position, kind, text))
        self.item.marks_version += 1

    def frame(self, playhead: float) -> None:
        """Analyse queued blocks, and repaint if anything has changed. `playhead`: frames."""
        start = time.perf_counter()
        had_pending = bool(self._pending_blocks)
        while self._pending_blocks and time.perf_counter() - start < ANALYSIS_BUDGET:
            self._analyse_next()
        self.item.playhead = playhead
        self.item.origin = self.panning.origin(playhead)
        self.item.clock = time.monotonic()
        item = self.item
        versions = (item.marks_version, item.beats_version, item.input_band.version)
        state = (playhead, item.origin, item.hover, item.selection, versions)
        if had_pending or item.flashing or state != self._drawn_state:
            self._drawn_state = state
            item.update()

    def _analyse_next(self) -> None:
        """Analyse the oldest queued block."""
        position, samples = self._pending_blocks.popleft()
        self.item.update_columns(*self.spectra.write(position, samples))

    # -- zoom and pan --------------------------------------------------------------------------
    def wheelEvent(self, event: QWheelEvent) -> None:
        horizontal, vertical = event.angleDelta().x(), event.angleDelta().y()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            horizontal, vertical = horizontal or vertical, 0
        if horizontal:
            self.pan(-horizontal / 120.0 * PAN_FRACTION * self.item.past)
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
        self.panning.pan(seconds, self.item.playhead, first, self.item.past)
        self._on_panned()

    def show_now(self) -> None:
        """Follow the playhead again."""
        self.panning.reset()
        self._on_panned()

    def _on_panned(self) -> None:
        self.item.origin = self.panning.origin(self.item.playhead)
        self._apply_zoom()
        self.panned.emit(self.panning.is_panned)

    def _apply_zoom(self) -> None:
        past = ZOOM_SECONDS[self._zoom]
        future = max(past * 0.2, 3.0)
        self.item.set_span(past, future, self.width())
        box = self.getPlotItem().getViewBox()
        box.setRange(xRange=(-past, future), yRange=(WAVE[0] - 0.02, 1.0), padding=0.0)
        bottom = self.getPlotItem().getAxis("bottom")
        bottom.setTicks([self.panning.ticks(past, future), []])

    def set_scale(self, scale: float) -> None:
        """Set the text scale; 1 is the default."""
        self.item.scale = scale
        left, bottom = (self.getPlotItem().getAxis(name) for name in ("left", "bottom"))
        left.setWidth(round(42 * scale))
        bottom.setHeight(round(20 * scale))
        for axis in (left, bottom):
            axis.setStyle(tickFont=theme.font(10.5 * scale))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._built:
            self._apply_zoom()

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
        return self.item.seconds_at(self.mapToScene(point.toPoint()))

    def _position_at(self, point: QPointF) -> int:
        seconds = min(self._seconds_at(point), 0.0)
        first = self.spectra.start * HOP
        return max(round(self.item.playhead + seconds * SAMPLE_RATE), first, 0)

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
        self.item.hover = seconds if in_past and self._press is None else None
        self.setCursor(Qt.CursorShape.PointingHandCursor if in_past else Qt.CursorShape.ArrowCursor)
        if self._press is None:
            return
        if abs(event.position().x() - self._press.x()) > CLICK_PIXELS or self.item.selection:
            position = self._position_at(event.position())
            low, high = sorted((self._press_position, position))
            self.item.selection = (low, high)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pan_from = None
        if self._press is None:
            return
        moved = abs(event.position().x() - self._press.x()) > CLICK_PIXELS
        press, self._press = self._press, None
        if moved:
            self.selection_changed.emit(self.item.selection)
        elif self.item.selection is not None:
            self.clear_selection()
        elif self._seconds_at(press) < 0.0 and self.seekable:
            self.show_now()
            self.seek_requested.emit(self._press_position)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        self.item.hover = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.item.selection is not None:
            self.clear_selection()
        elif event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Minus):
            self.zoom(-1 if event.key() == Qt.Key.Key_Plus else 1)
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            direction = -1.0 if event.key() == Qt.Key.Key_Left else 1.0
            self.pan(direction * PAN_FRACTION * self.item.past)
        elif event.key() == Qt.Key.Key_Home:
            self.show_now()
        else:
            event.ignore()

    def clear_selection(self) -> None:
        self.item.selection = None
        self.selection_changed.emit(None)


def _axes() -> dict[str, pg.AxisItem]:
    left = pg.AxisItem("left", maxTickLength=-4)
    left.setTicks([[((band_of(hz) + 0.5) / BANDS, text) for hz, text in FREQUENCY_TICKS], []])
    bottom = pg.AxisItem("bottom", maxTickLength=-4)
    for axis in (left, bottom):
        axis.setPen(QPen(QColor(colours.EDGE), 1))
        axis.setTextPen(QColor(colours.DIM))
        axis.setStyle(tickFont=theme.font(10.5), autoExpandTextSpace=False, tickTextOffset=5)
    return {"left": left, "bottom": bottom}

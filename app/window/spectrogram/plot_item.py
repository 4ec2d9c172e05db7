"""Plot item of the spectrogram: spectrum, waveform, beats, marks, selection, playhead.

Columns are converted to colours once, when they are written, into ring-buffer images; a frame is
two blits and a few lines. The x axis is in seconds relative to the origin: axes do not move.
"""

from __future__ import annotations

import bisect
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QStaticText
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from app.window.spectrogram.input_band import InputBand
from app.window.spectrogram.spectra import BANDS, GROUP, HOP, LEVELS, Spectra
from app.window.style import colours, theme
from app.window.style.time_text import offset_text
from models.music.score import SAMPLE_RATE

COLUMNS: Final = 4096
"""Columns of the ring-buffer images; more than a screen is wide."""
WAVE_ROWS: Final = 48
SPECTRUM: Final = (0.0, 1.0)
"""Vertical range of the spectrum in the plot; WAVE is that of the waveform below."""
WAVE: Final = (-0.27, -0.03)
FLASH_SECONDS: Final = 0.45
"""Seconds for which a rewritten plan is highlighted."""


@dataclass(frozen=True)
class PlotMark:
    """Labelled mark at a plan position, of the kind that the worker reports."""

    position: int
    kind: str
    text: str


class SpectrogramPlotItem(pg.GraphicsObject):  # type: ignore[misc]
    """Graphics item that paints `spectra`, `past` seconds before the origin to `future` after."""

    def __init__(self, spectra: Spectra) -> None:
        super().__init__()
        self.spectra = spectra
        self.playhead = 0.0
        self.origin = 0.0  # plan position at zero of the axis; the playhead unless panned
        self.scale = 1.0  # of the text
        self.past, self.future = 20.0, 4.0
        self.selection: tuple[int, int] | None = None
        self.hover: float | None = None  # seconds relative to the playhead
        self.marks: deque[PlotMark] = deque(maxlen=500)
        self.beats: list[int] = []
        self.bars: list[int] = []
        self.beats_version = 0  # incremented with each change
        self.input_band = InputBand()
        self.marks_version = 0  # incremented with each mark
        self._lines: list[list[QLineF]] = []
        self._lines_key: tuple[object, ...] = ()
        self._lines_from = 0.0
        self.flash_at: float = -10.0
        self.flash_from = 0
        self.clock = 0.0
        self.level = 0
        self._spectrum_image = QImage(COLUMNS, BANDS, QImage.Format.Format_RGB32)
        self._wave_image = QImage(COLUMNS, WAVE_ROWS, QImage.Format.Format_RGB32)
        self._spectrum_image.fill(QColor(colours.BACKGROUND))
        self._wave_image.fill(QColor(colours.BACKGROUND))
        self._spectrum_pixels = _pixel_view(self._spectrum_image)
        self._wave_pixels = _pixel_view(self._wave_image)
        table = colours.spectrum_table().astype(np.uint32)
        self._colour_table = 0xFF000000 | (table[:, 0] << 16) | (table[:, 1] << 8) | table[:, 2]
        self._background = np.uint32(QColor(colours.BACKGROUND).rgba())
        self._wave_colour = np.uint32(QColor("#7d8795").rgba())
        self._rendered = (0, 0)  # columns (of this level) in the ring-buffer images
        self._flag_texts: dict[tuple[str, float], tuple[QStaticText, int, float]] = {}

    def boundingRect(self) -> QRectF:
        return QRectF(-self.past, WAVE[0] - 0.02, self.past + self.future, 1.0 - WAVE[0] + 0.02)

    @property
    def flashing(self) -> bool:
        """Whether a rewritten plan is still highlighted."""
        return self.clock - self.flash_at < 2.0 * FLASH_SECONDS  # and one frame more, to remove it

    def set_beats(self, position: int, beats: list[int], bars: list[int]) -> None:
        """Replace the beats and bars from a plan position on."""
        self.beats_version += 1
        for places, cached in ((self.beats, beats), (self.bars, bars)):
            del places[bisect.bisect_left(places, position) :]
            places.extend(cached)
            del places[:-4000]

    # -- columns to colours --------------------------------------------------------------------
    def set_span(self, past: float, future: float, width: int) -> None:
        """Set the visible seconds before and after the origin, over `width` pixels."""
        self.prepareGeometryChange()
        self.past, self.future = past, future
        columns = (past + future) * SAMPLE_RATE / HOP
        level = 0
        while columns / GROUP**level > max(width, 64) and level < LEVELS - 1:
            level += 1
        # One level finer than the pixels, for smooth scrolling, if it fits the images.
        if level > 0 and columns / GROUP ** (level - 1) < COLUMNS * 0.9:
            level -= 1
        if level != self.level:
            self.level = level
            self._rendered = (0, 0)
        self.update()

    def update_columns(self, first: int, last: int) -> None:
        """Render new columns first..last (finest level); those after `last` are invalid."""
        group = GROUP**self.level
        low, high = self._rendered
        if first // group > high:
            return  # out of sight (panned): rendered when it comes into view
        self._render_columns(first // group, -(-last // group))
        end = -(-self.spectra.end // group)
        self._rendered = (max(low, end - COLUMNS), max(min(high, end), -(-last // group)))

    def _render_columns(self, first: int, last: int) -> None:
        first = max(first, last - COLUMNS)
        if last <= first:
            return
        numbers = np.arange(first, last)
        sources = numbers % self.spectra.sizes[self.level]
        places = numbers % COLUMNS
        levels = self.spectra.images[self.level][:, sources]
        self._spectrum_pixels[:, places] = self._colour_table[levels]
        half = self.spectra.waves[self.level][sources].astype(np.float32) / 255.0
        # The bytes hold the square root of the peak, which is also a good loudness scale.
        rows = np.abs(np.arange(WAVE_ROWS) - (WAVE_ROWS - 1) / 2.0) / (WAVE_ROWS / 2.0)
        lit = rows[:, None] <= np.maximum(half, 0.02)[None, :]
        self._wave_pixels[:, places] = np.where(lit, self._wave_colour, self._background)

    def _ensure_columns(self, first: int, last: int) -> None:
        """Render columns first..last of this level where the images lack them."""
        low, high = self._rendered
        if low <= first and last <= high:
            return
        self._render_columns(first, last)
        self._rendered = (first, last)

    # -- painting ------------------------------------------------------------------------------
    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        transform = painter.transform()
        box = transform.mapRect(
            QRectF(-self.past, SPECTRUM[0], self.past + self.future, SPECTRUM[1] - SPECTRUM[0])
        )
        wave = transform.mapRect(
            QRectF(-self.past, WAVE[0], self.past + self.future, WAVE[1] - WAVE[0])
        )
        painter.save()
        painter.resetTransform()
        self._paint_columns(painter, box, wave)
        self._paint_beats(painter, box, wave)
        self._paint_future(painter, box, wave)
        self._paint_marks(painter, box, wave)
        self._paint_selection(painter, box, wave)
        self.input_band.paint(painter, box, lambda position: self._x(position, box), self.scale)
        self._paint_playhead(painter, box, wave)
        painter.restore()

    def _x(self, position: float, box: QRectF) -> float:
        """Screen x of a plan position."""
        seconds = (position - self.origin) / SAMPLE_RATE
        return box.left() + (seconds + self.past) / (self.past + self.future) * box.width()

    def _paint_columns(self, painter: QPainter, box: QRectF, wave: QRectF) -> None:
        frames_per_column = HOP * GROUP**self.level
        left = self.origin - self.past * SAMPLE_RATE
        first = max(int(left // frames_per_column), self.spectra.start // GROUP**self.level, 0)
        last = min(
            int((self.origin + self.future * SAMPLE_RATE) // frames_per_column) + 2,
            -(-self.spectra.end // GROUP**self.level),
        )
        first = max(first, last - COLUMNS)
        if last <= first:
            return
        self._ensure_columns(first, last)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setClipRect(box.united(wave))
        for image, area in ((self._spectrum_image, box), (self._wave_image, wave)):
            begin = first
            while begin < last:
                at = begin % COLUMNS
                count = min(last - begin, COLUMNS - at)
                # A column is centred on its number: it covers half a column on either side.
                x0 = self._x((begin - 0.5) * frames_per_column, box)
                x1 = self._x((begin + count - 0.5) * frames_per_column, box)
                painter.drawImage(
                    QRectF(x0, area.top(), x1 - x0, area.height()),
                    image,
                    QRectF(at, 0, count, image.height()),
                )
                begin += count
        painter.setClipping(False)

    def _paint_future(self, painter: QPainter, box: QRectF, wave: QRectF) -> None:
        now = max(self._x(self.playhead, box), box.left())
        if now >= box.right():
            return
        area = QRectF(now, box.top(), box.right() - now, wave.bottom() - box.top())
        painter.fillRect(area, theme.colour(colours.BACKGROUND, 0.60))
        age = self.clock - self.flash_at
        if 0.0 <= age < FLASH_SECONDS:
            x = max(self._x(self.flash_from, box), now)
            strength = (1.0 - age / FLASH_SECONDS) ** 2
            painter.fillRect(
                QRectF(x, area.top(), box.right() - x, area.height()),
                theme.colour(colours.ACCENT, 0.20 * strength),
            )
            painter.setPen(QPen(theme.colour(colours.ACCENT, 0.8 * strength), 1.0))
            painter.drawLine(QLineF(x, area.top(), x, area.bottom()))

    def _paint_beats(self, painter: QPainter, box: QRectF, wave: QRectF) -> None:
        if self.past + self.future > 40.0:
            return
        low = self.origin - self.past * SAMPLE_RATE
        high = self.origin + self.future * SAMPLE_RATE
        # Lines are rebuilt only when the visible beats change, and translated in between.
        scale, bottom = box.width() / (high - low), box.bottom()
        visible = [
            (bisect.bisect_left(places, low), bisect.bisect_right(places, high))
            for places in (self.beats, self.bars)
        ]
        key = (self.beats_version, *visible, scale, bottom)
        if key != self._lines_key:
            self._lines_key, self._lines_from = key, low
            self._lines = [
                [
                    QLineF(x, bottom - height, x, bottom)
                    for x in [(position - low) * scale for position in places[first:last]]
                ]
                for places, (first, last), height in zip(
                    (self.beats, self.bars), visible, (5.0, 11.0), strict=True
                )
            ]
        painter.translate(box.left() + (self._lines_from - low) * scale, 0.0)
        for lines, alpha in zip(self._lines, (0.45, 0.9), strict=True):
            if lines:
                painter.setPen(QPen(theme.colour(colours.TEXT, alpha), 1.0))
                painter.drawLines(lines)
        painter.resetTransform()

    def _paint_marks(self, painter: QPainter, box: QRectF, wave: QRectF) -> None:
        painter.setFont(theme.font(11 * self.scale))
        occupied_until = -1e9
        low, high = self.origin - self.past * SAMPLE_RATE, self.origin + self.future * SAMPLE_RATE
        for mark in [mark for mark in self.marks if low <= mark.position <= high]:
            x = self._x(mark.position, box)
            prominent = mark.kind != "controls"
            hex_color = colours.DANGER if mark.kind in ("panic", "incident") else colours.TEXT
            painter.setPen(QPen(theme.colour(hex_color, 0.55 if prominent else 0.28), 1.0))
            painter.drawLine(QLineF(x, box.top(), x, wave.bottom()))
            if not mark.text or x < occupied_until:
                continue
            words, width, text_top = self._flag_text(mark.text, painter)
            flag = QRectF(x, box.top(), width, 17 * self.scale)
            painter.fillRect(flag, theme.colour(colours.BACKGROUND, 0.72))
            painter.setPen(theme.colour(hex_color, 0.92 if prominent else 0.7))
            painter.drawStaticText(QPointF(x + 5, box.top() + text_top), words)
            occupied_until = x + width + 4

    def _flag_text(self, text: str, painter: QPainter) -> tuple[QStaticText, int, float]:
        """Elided text of a mark, width of its flag, and offset of the text; cached."""
        key = (text, self.scale)
        cached = self._flag_texts.get(key)
        if cached is None:
            if len(self._flag_texts) > 200:
                self._flag_texts.clear()
            metrics = painter.fontMetrics()
            words = metrics.elidedText(text, Qt.TextElideMode.ElideRight, 150)
            static_text = QStaticText(words)
            static_text.setTextFormat(Qt.TextFormat.PlainText)
            static_text.prepare(font=painter.font())
            text_top = (17 * self.scale - metrics.height()) / 2
            cached = static_text, metrics.horizontalAdvance(words) + 10, text_top
            self._flag_texts[key] = cached
        return cached

    def _paint_selection(self, painter: QPainter, box: QRectF, wave: QRectF) -> None:
        if self.selection is None:
            return
        a, b = sorted(self._x(position, box) for position in self.selection)
        a, b = max(a, box.left()), min(b, box.right())
        if b <= a:
            return
        area = QRectF(a, box.top(), b - a, wave.bottom() - box.top())
        painter.fillRect(area, theme.colour(colours.TEXT, 0.12))
        painter.setPen(QPen(QColor(colours.TEXT), 1.4))
        painter.drawLine(QLineF(a, area.top(), a, area.bottom()))
        painter.drawLine(QLineF(b, area.top(), b, area.bottom()))
        seconds = abs(self.selection[1] - self.selection[0]) / SAMPLE_RATE
        painter.setFont(theme.bold(12 * self.scale))
        words = f"{seconds:.1f} s"
        width = painter.fontMetrics().horizontalAdvance(words) + 12
        top = box.bottom() - 24 * self.scale
        flag = QRectF(area.center().x() - width / 2, top, width, 19 * self.scale)
        painter.fillRect(flag, theme.colour(colours.BACKGROUND, 0.8))
        painter.drawText(flag, Qt.AlignmentFlag.AlignCenter, words)

    def _paint_playhead(self, painter: QPainter, box: QRectF, wave: QRectF) -> None:
        x = self._x(self.playhead, box)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if box.left() <= x <= box.right():
            painter.setPen(QPen(theme.colour(colours.ACCENT, 0.22), 7.0))
            painter.drawLine(QLineF(x, box.top(), x, wave.bottom()))
            painter.setPen(QPen(QColor(colours.ACCENT), 1.8))
            painter.drawLine(QLineF(x, box.top(), x, wave.bottom()))
        if self.hover is None:
            return
        h = self._x(self.playhead + self.hover * SAMPLE_RATE, box)
        painter.setPen(QPen(theme.colour(colours.TEXT, 0.6), 1.0, Qt.PenStyle.DashLine))
        painter.drawLine(QLineF(h, box.top(), h, wave.bottom()))
        painter.setFont(theme.font(11 * self.scale))
        words = f"{offset_text(self.hover)}   go on from here"
        width = painter.fontMetrics().horizontalAdvance(words) + 12
        left = h + 6 if h + 6 + width < x else h - 6 - width
        flag = QRectF(left, wave.top() - 24 * self.scale, width, 18 * self.scale)
        painter.fillRect(flag, theme.colour(colours.BACKGROUND, 0.85))
        painter.setPen(QColor(colours.TEXT))
        painter.drawText(flag, Qt.AlignmentFlag.AlignCenter, words)

    def seconds_at(self, scene_point: QPointF) -> float:
        """Seconds relative to the playhead at a point of the graphics scene."""
        x = float(self.mapFromScene(scene_point).x())
        return x + (self.origin - self.playhead) / SAMPLE_RATE


def _pixel_view(image: QImage) -> np.ndarray[tuple[int, int], np.dtype[np.uint32]]:
    """Memory of an image as an array (rows, columns) of 0xAARRGGBB."""
    flat = np.frombuffer(image.bits(), np.uint32)
    return flat.reshape(image.height(), image.bytesPerLine() // 4)[:, : image.width()]

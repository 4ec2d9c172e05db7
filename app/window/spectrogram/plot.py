"""Plot of the spectrogram: spectrum, waveform, beats, marks, selection, playhead.

Spectrum, waveform and beats are a picture that scrolls by whole pixels: a frame is one copy and a
few lines, and none where nothing has come a pixel further.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QStaticText

from app.window.spectrogram.columns import ColumnImages
from app.window.spectrogram.input_band import InputBand
from app.window.spectrogram.scrolling import ScrollingImage
from app.window.spectrogram.spectra import HOP, Spectra
from app.window.style import colours, theme
from app.window.style.time_text import offset_text
from models.music.score import SAMPLE_RATE

SPECTRUM: Final = 0.775
"""Share of the height that the spectrum takes, from the top; then comes the waveform."""
WAVE: Final = (0.798, 0.984)
"""Top and bottom of the waveform as shares of the height."""
FLASH_SECONDS: Final = 0.45
"""Seconds for which a rewritten plan is highlighted."""
SHADE: Final = theme.colour(colours.BACKGROUND, 0.60)
GLOW, HALF = theme.colour(colours.ACCENT, 0.22), theme.colour(colours.ACCENT, 0.4)
BEATS_SECONDS: Final = 40.0
"""The longest span over which beats are drawn."""


@dataclass(frozen=True)
class PlotMark:
    """Labelled mark at a plan position, of the kind that the worker reports."""

    position: int
    kind: str
    text: str


class SpectrogramPlot:
    """Paints `spectra`, `past` seconds before the origin to `future` after, into `area`."""

    def __init__(self, spectra: Spectra) -> None:
        self.spectra = spectra
        self.columns = ColumnImages(spectra)
        self.area = QRectF()
        self.playhead = 0.0
        self.origin = 0.0  # plan position at zero of the axis; the playhead unless panned
        self.scale = 1.0  # of the text
        self.past, self.future = 20.0, 4.0
        self.selection: tuple[int, int] | None = None
        self.hover: float | None = None  # seconds relative to the playhead
        self.marks: deque[PlotMark] = deque(maxlen=500)
        self.beats: list[int] = []
        self.bars: list[int] = []
        self.input_band = InputBand()
        self.flash_at: float = -10.0
        self.flash_from = 0
        self.clock = 0.0
        self._version = 0  # incremented with each change of what is painted
        self._ratio = 1.0
        self._left = 0  # number of the pixel column at the left edge
        self._picture = ScrollingImage(self._paint_picture)
        self._flag_texts: dict[tuple[str, float], tuple[QStaticText, int, float]] = {}

    # -- places ----------------------------------------------------------------------------------
    def set_span(self, past: float, future: float) -> None:
        """Set the visible seconds before and after the origin."""
        self.past, self.future = past, future
        self._fit()

    def set_area(self, area: QRectF, ratio: float) -> None:
        """Set where the plot is painted; ratio: the screen's pixels in one of the area's."""
        if (area, ratio) != (self.area, self._ratio):
            self.area, self._ratio = area, ratio
            self._fit()

    def _fit(self) -> None:
        width = round(self.area.width() * self._ratio)
        height = round(self.area.height() * self._ratio)
        self._pixels = QSize(width, height)
        self._per_frame = width / ((self.past + self.future) * SAMPLE_RATE)
        self.columns.set_span(self.past + self.future, SAMPLE_RATE, width)
        self._picture.reset(self._pixels)
        self._version += 1

    def _pixel(self, position: float) -> int:
        """Number of the pixel column at a plan position."""
        return int(position * self._per_frame // 1.0)

    def x_of(self, position: float) -> float:
        """Screen x of a plan position, as painted last."""
        return self.area.left() + (position * self._per_frame - self._left) / self._ratio

    def _now(self) -> float:
        """Screen x of the playhead, on a pixel: it stands still while it is followed."""
        return self.area.left() + (self._pixel(self.playhead) - self._left) / self._ratio

    def seconds_at(self, x: float) -> float:
        """Seconds relative to the playhead at a screen x."""
        share = (x - self.area.left()) / max(self.area.width(), 1.0)
        seconds = share * (self.past + self.future) - self.past
        return seconds + (self.origin - self.playhead) / SAMPLE_RATE

    def x_at(self, seconds: float) -> float:
        """Screen x of a time in seconds relative to the playhead."""
        from_origin = seconds + (self.playhead - self.origin) / SAMPLE_RATE
        share = (from_origin + self.past) / (self.past + self.future)
        return self.area.left() + share * self.area.width()

    # -- what is shown ---------------------------------------------------------------------------
    @property
    def state(self) -> Hashable:
        """What the picture depends on; two that are equal look alike, to the pixel."""
        age = self.clock - self.flash_at
        return (
            self._version, self.input_band.version, self.hover, self.selection,
            self._pixel(self.origin), self._pixel(self.playhead),
            age if 0.0 <= age < FLASH_SECONDS else None,
        )  # fmt: skip

    def set_beats(self, position: int, beats: list[int], bars: list[int]) -> None:
        """Replace the beats and bars from a plan position on."""
        for places, cached in ((self.beats, beats), (self.bars, bars)):
            del places[bisect.bisect_left(places, position) :]
            places.extend(cached)
            del places[:-4000]
        self._picture.invalidate(self._pixel(position))
        self._version += 1

    def add_mark(self, mark: PlotMark) -> None:
        """Add a mark, and drop those after it: the plan that they belonged to was rewritten."""
        while self.marks and self.marks[-1].position > mark.position:
            self.marks.pop()
        self.marks.append(mark)
        self._version += 1

    def update_columns(self, first: int, last: int) -> None:
        """Take new columns first..last of the spectra; those after `last` are invalid."""
        self.columns.update(first, last)
        frames = self.columns.column_frames
        start = first * HOP // frames * frames
        # Half a column before its centre, and one for the smoothing into the neighbour.
        self._picture.invalidate(self._pixel(start - 1.5 * frames))
        self._version += 1

    # -- painting ------------------------------------------------------------------------------
    def paint(self, painter: QPainter) -> None:
        """Paint all of it."""
        area = self.area
        self._left = self._pixel(self.origin) - round(self.past * SAMPLE_RATE * self._per_frame)
        right = self._left + self._pixels.width()
        self._picture.draw(painter, area.topLeft(), self._left, right, self._ratio)
        top, height = area.top(), area.height()
        box = QRectF(area.left(), top, area.width(), height * SPECTRUM)
        wave = QRectF(area.left(), top + height * WAVE[0], area.width(),
                      height * (WAVE[1] - WAVE[0]))  # fmt: skip
        self._paint_future(painter, box, wave)
        low = self.origin - self.past * SAMPLE_RATE
        high = self.origin + self.future * SAMPLE_RATE
        marks = [mark for mark in self.marks if low <= mark.position <= high]
        if marks or self.input_band.shown:
            painter.setClipRect(area.toRect())
            self.input_band.paint(painter, box, self.x_of, self.scale)
            painter.setClipRect(area.toRect())
            free = box.adjusted(0, self.input_band.height(box, self.scale), 0, 0)
            self._paint_marks(painter, free, wave, marks)
            painter.setClipping(False)
        self._paint_selection(painter, box, wave)
        self._paint_playhead(painter, box, wave)

    def _paint_picture(self, painter: QPainter, first: int, last: int) -> None:
        """Paint the pixel columns first..last of what scrolls."""
        width, height = last - first, self._pixels.height()
        painter.fillRect(0, 0, width, height, QColor(colours.BACKGROUND))
        box = QRectF(0, 0, width, height * SPECTRUM)
        wave = QRectF(0, height * WAVE[0], width, height * (WAVE[1] - WAVE[0]))
        start, stop = first / self._per_frame, last / self._per_frame
        self.columns.paint(painter, start, stop, box, wave)
        if self.past + self.future > BEATS_SECONDS:
            return
        for places, length, alpha in ((self.beats, 5.0, 0.45), (self.bars, 11.0, 0.9)):
            ink, tall = theme.colour(colours.TEXT, alpha), round(length * self._ratio)
            begin, end = bisect.bisect_left(places, start), bisect.bisect_left(places, stop)
            for position in places[begin:end]:
                x, line = self._pixel(position) - first, max(round(self._ratio), 1)
                painter.fillRect(x, round(box.bottom()) - tall, line, tall, ink)

    def _paint_future(self, painter: QPainter, box: QRectF, wave: QRectF) -> None:
        now = max(self._now(), box.left())
        if now >= box.right():
            return
        area = QRectF(now, box.top(), box.right() - now, wave.bottom() - box.top())
        painter.fillRect(area, SHADE)
        age = self.clock - self.flash_at
        if 0.0 <= age < FLASH_SECONDS:
            x = max(self.x_of(self.flash_from), now)
            strength = (1.0 - age / FLASH_SECONDS) ** 2
            painter.fillRect(
                QRectF(x, area.top(), box.right() - x, area.height()),
                theme.colour(colours.ACCENT, 0.20 * strength),
            )
            painter.setPen(QPen(theme.colour(colours.ACCENT, 0.8 * strength), 1.0))
            painter.drawLine(QLineF(x, area.top(), x, area.bottom()))

    def _paint_marks(
        self, painter: QPainter, box: QRectF, wave: QRectF, marks: list[PlotMark]
    ) -> None:
        painter.setFont(theme.font(11 * self.scale))
        occupied_until = -1e9
        for mark in marks:
            x = self.x_of(mark.position)
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
            words = metrics.elidedText(text, Qt.TextElideMode.ElideRight, round(180 * self.scale))
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
        a, b = sorted(self.x_of(position) for position in self.selection)
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
        x, height = self._now(), wave.bottom() - box.top()
        if box.left() <= x <= box.right():
            painter.fillRect(QRectF(x - 3, box.top(), 7, height), GLOW)
            painter.fillRect(QRectF(x, box.top(), 1, height), QColor(colours.ACCENT))
            painter.fillRect(QRectF(x - 1, box.top(), 3, height), HALF)
        if self.hover is None:
            return
        h = self.x_of(self.playhead + self.hover * SAMPLE_RATE)
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

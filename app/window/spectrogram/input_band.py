"""Band of the input in the spectrogram: what came in while the music was heard, and what was
understood of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from app.window.style import colours, theme
from models.music.score import SAMPLE_RATE

HOP: Final = 1920
COLUMNS: Final = 1024
"""Columns that are kept: 41 s."""
BANDS: Final = 24
LOWEST, HIGHEST = 70.0, 12_000.0
FLOOR_DB, RANGE_DB = -62.0, 56.0
HEIGHT: Final = 44.0
SHARE: Final = 0.4
"""Largest part of the spectrogram that it covers."""
MAX_WORDS: Final = 200


class InputBand:
    """Spectrum of the input by plan position, with words; drawn over the spectrogram's top.

    shown: whether an input is open.
    """

    def __init__(self) -> None:
        self.shown = False
        self.version = 0  # incremented with each change
        self.words: list[tuple[int, str]] = []
        self._image = QImage(COLUMNS, BANDS, QImage.Format.Format_RGB32)
        self._image.fill(QColor(colours.BACKGROUND))
        flat = np.frombuffer(self._image.bits(), np.uint32)
        self._pixels = flat.reshape(BANDS, self._image.bytesPerLine() // 4)[:, :COLUMNS]
        table = colours.spectrum_table().astype(np.uint32)
        self._colours = 0xFF000000 | (table[:, 0] << 16) | (table[:, 1] << 8) | table[:, 2]
        edges = np.geomspace(LOWEST, HIGHEST, BANDS + 1) * HOP / SAMPLE_RATE
        self._edges = np.unique(np.maximum(1, np.round(edges).astype(int)))
        self._window = np.hanning(HOP).astype(np.float32)
        self._rest = np.zeros(0, np.float32)
        self._last = 0  # column after the newest
        self._first = 0

    def forget(self) -> None:
        """Show nothing: the input is closed."""
        self.shown, self.version = False, self.version + 1
        self.words.clear()
        self._rest = self._rest[:0]
        self._first = self._last

    def add(self, position: int, samples: NDArray[np.float32]) -> None:
        """Add what came in (n, 2) from a plan position on."""
        self.shown = True
        line = np.concatenate([self._rest, samples.mean(axis=1)])
        start = position - len(self._rest)
        count = len(line) // HOP
        self._rest = line[count * HOP :]
        if not count:
            return
        first = start // HOP
        if not self._last or abs(first - self._last) > 2:
            self._first = first  # a leap: what lies between was never heard
            gap = np.arange(COLUMNS)
            self._pixels[:, gap] = self._colours[0]
        frames = line[: count * HOP].reshape(count, HOP) * self._window
        power = np.abs(np.fft.rfft(frames, axis=1)) ** 2 * (4.0 / HOP**2)
        bands = np.add.reduceat(power, self._edges[:-1], axis=1)
        level = (10 * np.log10(bands + 1e-10) - FLOOR_DB) / RANGE_DB
        values = np.clip(level * (len(self._colours) - 1), 0, len(self._colours) - 1).astype(int)
        rows = np.round(np.linspace(values.shape[1] - 1, 0, BANDS)).astype(int)
        places = np.arange(first, first + count)[-COLUMNS:]
        self._pixels[:, places % COLUMNS] = self._colours[values[-len(places) :, rows]].T
        self._last = first + count
        self._first = max(self._first, self._last - COLUMNS)
        self.version += 1

    def say(self, position: int, text: str) -> None:
        """Write something at a plan position."""
        while self.words and self.words[-1][0] >= position:
            self.words.pop()
        self.words.append((position, text))
        del self.words[:-MAX_WORDS]
        self.version += 1

    def height(self, box: QRectF, scale: float) -> float:
        """Height that the band takes of the spectrogram's box; 0 where no input is open."""
        return min(HEIGHT * scale, SHARE * box.height()) if self.shown else 0.0

    def paint(
        self, painter: QPainter, box: QRectF, x_of: Callable[[float], float], scale: float
    ) -> None:
        """Draw the band over the top of the spectrogram's box; x_of: screen x of a position."""
        if not self.shown:
            return
        area = QRectF(box.left(), box.top(), box.width(), self.height(box, scale))
        painter.setClipRect(area)
        painter.fillRect(area, theme.colour(colours.BACKGROUND, 0.85))
        begin = self._first
        while begin < self._last:
            at = begin % COLUMNS
            count = min(self._last - begin, COLUMNS - at)
            x0, x1 = x_of(begin * HOP), x_of((begin + count) * HOP)
            if x1 > area.left() and x0 < area.right():
                target = QRectF(x0, area.top(), x1 - x0, area.height())
                painter.drawImage(target, self._image, QRectF(at, 0, count, BANDS))
            begin += count
        painter.setPen(QPen(theme.colour(colours.LINE), 1.0))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.setFont(theme.font(10.5 * scale))
        painter.setPen(QColor(colours.TEXT))
        free = area.left() + 44 * scale
        height = painter.fontMetrics().height()
        for position, text in self.words:
            x = x_of(position)
            if x < free or x > area.right():
                continue
            width = painter.fontMetrics().horizontalAdvance(text) + 6
            flag = QRectF(x, area.bottom() - height - 1, width, height)
            painter.fillRect(flag, theme.colour(colours.BACKGROUND, 0.7))
            painter.drawText(QPointF(x + 3, area.bottom() - 4), text)
            free = x + width + 3
        painter.setPen(theme.colour(colours.DIM))
        painter.drawText(QPointF(area.left() + 5, area.top() + height), "input")
        painter.setClipping(False)

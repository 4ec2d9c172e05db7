"""Columns of the spectrogram as pixels: ring-buffer images of one resolution of `Spectra`."""

from __future__ import annotations

from typing import Final

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from app.window.spectrogram.spectra import BANDS, GROUP, HOP, LEVELS, Spectra
from app.window.style import colours

COLUMNS: Final = 4096
"""Columns of the ring-buffer images; more than a screen is wide."""
WAVE_ROWS: Final = 48


class ColumnImages:
    """Images of spectrum and waveform by column number; a column is converted once."""

    def __init__(self, spectra: Spectra) -> None:
        self.spectra = spectra
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

    @property
    def column_frames(self) -> int:
        """Frames of sound in a column."""
        return int(HOP * GROUP**self.level)

    def set_span(self, seconds: float, rate: int, width: int) -> None:
        """Choose the resolution for so many seconds over `width` pixels."""
        columns = seconds * rate / HOP
        level = 0
        while columns / GROUP**level > max(width, 64) and level < LEVELS - 1:
            level += 1
        # One level finer than the pixels, for smooth scrolling, if it fits the images.
        if level > 0 and columns / GROUP ** (level - 1) < COLUMNS * 0.9:
            level -= 1
        if level != self.level:
            self.level = level
            self._rendered = (0, 0)

    def update(self, first: int, last: int) -> None:
        """Render new columns first..last (finest level); those after `last` are invalid."""
        group = GROUP**self.level
        low, high = self._rendered
        if first // group > high:
            return  # out of sight (panned): rendered when it comes into view
        self._render(first // group, -(-last // group))
        end = -(-self.spectra.end // group)
        self._rendered = (max(low, end - COLUMNS), max(min(high, end), -(-last // group)))

    def _render(self, first: int, last: int) -> None:
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

    def _provide(self, first: int, last: int) -> None:
        """Render columns first..last of this level where the images lack them."""
        low, high = self._rendered
        if last < low or first > high or max(last, high) - min(first, low) > COLUMNS:
            self._render(first, last)
            self._rendered = (first, last)
            return
        self._render(first, min(low, last))
        self._render(max(high, first), last)
        self._rendered = (min(first, low), max(last, high))

    def paint(
        self, painter: QPainter, start: float, stop: float, spectrum: QRectF, wave: QRectF
    ) -> None:
        """Paint plan positions start..stop.

        Args:
            painter: of the target.
            start: position at the left edge of both areas, in frames.
            stop: position at their right edge.
            spectrum: where the spectrum goes.
            wave: where the waveform goes, of the same left and right edge.

        """
        frames, group = self.column_frames, GROUP**self.level
        # A column is centred on its number: it covers half a column on either side; one more on
        # either side, for the smoothing between neighbours.
        first = max(int(start // frames) - 1, -(-self.spectra.start // group), 0)
        last = min(int(stop // frames) + 3, -(-self.spectra.end // group))
        first = max(first, last - COLUMNS)
        if last <= first:
            return
        self._provide(first, last)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        scale = spectrum.width() / (stop - start)
        for image, area in ((self._spectrum_image, spectrum), (self._wave_image, wave)):
            begin = first
            while begin < last:
                at = begin % COLUMNS
                count = min(last - begin, COLUMNS - at)
                x = area.left() + ((begin - 0.5) * frames - start) * scale
                target = QRectF(x, area.top(), count * frames * scale, area.height())
                painter.drawImage(target, image, QRectF(at, 0, count, image.height()))
                begin += count


def _pixel_view(image: QImage) -> np.ndarray[tuple[int, int], np.dtype[np.uint32]]:
    """Memory of an image as an array (rows, columns) of 0xAARRGGBB."""
    flat = np.frombuffer(image.bits(), np.uint32)
    return flat.reshape(image.height(), image.bytesPerLine() // 4)[:, : image.width()]

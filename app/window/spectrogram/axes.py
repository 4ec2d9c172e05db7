"""Axes of the spectrogram: frequencies at its left, times below it."""

from __future__ import annotations

from typing import Final

import pyqtgraph as pg
from PySide6.QtWidgets import QGraphicsItem

from app.window.spectrogram.plot import SPECTRUM
from app.window.spectrogram.spectra import BANDS, band_of
from app.window.style import colours, theme

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
LEFT, TOP, RIGHT, BOTTOM = 42, 4, 8, 20
"""Margins around the plot at scale 1, in pixels; top and right do not grow with the text."""
TICK: Final = 4
TEXT_SIZE: Final = 10.5


class FramedPlot(pg.GraphicsLayout):  # type: ignore[misc]
    """Graphics layout of a view box and its axes, which are painted again when they change."""

    def __init__(self) -> None:
        super().__init__()
        self.box = pg.ViewBox(enableMenu=False, enableMouse=False, defaultPadding=0.0)
        self.frequencies, self.times = pg.AxisItem("left"), pg.AxisItem("bottom")
        for axis, row, column in ((self.frequencies, 0, 0), (self.times, 1, 1)):
            axis.setPen(colours.EDGE)
            axis.setTextPen(colours.DIM)
            axis.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
            axis.linkToView(self.box)
            self.addItem(axis, row, column)
        self.addItem(self.box, 0, 1)
        self.layout.setSpacing(0)
        self.layout.setContentsMargins(0, TOP, RIGHT, 0)
        places = [
            (1.0 - (1.0 - (band_of(hertz) + 0.5) / BANDS) * SPECTRUM, text)
            for hertz, text in FREQUENCY_TICKS
        ]
        self.frequencies.setTicks([[p for p in places if p[1]], [p for p in places if not p[1]]])
        self.set_scale(1.0)

    def set_focused(self, focused: bool) -> None:
        """Show by the axes' lines whether keys are for the plot."""
        for axis in (self.frequencies, self.times):
            axis.setPen(colours.TEXT if focused else colours.EDGE)

    def set_scale(self, scale: float) -> None:
        """Set the scale of the text."""
        self.frequencies.setWidth(round(LEFT * scale))
        self.times.setHeight(round(BOTTOM * scale))
        for axis, offset in ((self.frequencies, 5), (self.times, 1)):
            font = theme.font(TEXT_SIZE * scale)
            axis.setStyle(tickLength=TICK, tickTextOffset=offset, tickFont=font)

    def set_times(self, ticks: list[tuple[float, str]], past: float, future: float) -> None:
        """Set the labels of the time axis, at seconds from zero, and the span in seconds."""
        self.box.setRange(xRange=(-past, future), yRange=(0.0, 1.0), padding=0.0)
        self.times.setTicks([ticks, []])

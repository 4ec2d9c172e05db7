"""The plot as a graphics item."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from app.window.spectrogram.plot import SpectrogramPlot


class SpectrogramPlotItem(pg.GraphicsObject):  # type: ignore[misc]
    """Paints a plot, which knows its place on the screen, into a scene of seconds by height."""

    def __init__(self, plot: SpectrogramPlot) -> None:
        super().__init__()
        self.plot = plot

    def boundingRect(self) -> QRectF:
        return QRectF(-self.plot.past, 0.0, self.plot.past + self.plot.future, 1.0)

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        painter.save()
        painter.resetTransform()
        self.plot.paint(painter)
        painter.restore()

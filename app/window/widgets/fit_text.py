"""Text in a box at the largest font size that fits."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QTextLayout, QTextOption

from app.window.style import theme


def paint_fit_text(
    painter: QPainter, box: QRectF, text: str, *, largest: float, smallest: float = 11.0
) -> None:
    """Paint text centred in a box at the largest size that fits; the rest is elided."""
    size = largest
    while True:
        font = theme.bold(size)
        metrics = QFontMetricsF(font)
        lines = _lines(text, font, box.width(), size <= smallest)
        fits_height = len(lines) * metrics.lineSpacing() <= box.height() + 2
        fits_width = all(metrics.horizontalAdvance(line) <= box.width() for line in lines)
        # At most three lines of large type; more are allowed only at small sizes.
        if (fits_height and fits_width and (len(lines) <= 3 or size <= 16.0)) or size <= smallest:
            break
        size -= 1.0
    max_lines = max(1, int((box.height() + 2) // metrics.lineSpacing()))
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], " ".join(lines[max_lines - 1 :])]
    painter.setFont(font)
    y = box.center().y() - len(lines) * metrics.lineSpacing() / 2 + metrics.ascent()
    for line in lines:
        elided = metrics.elidedText(line, Qt.TextElideMode.ElideRight, box.width())
        x = box.center().x() - metrics.horizontalAdvance(elided) / 2
        painter.drawText(QPointF(x, y), elided)
        y += metrics.lineSpacing()


def _lines(text: str, font: object, width: float, anywhere: bool) -> list[str]:
    layout = QTextLayout(text, font)  # type: ignore[call-overload]
    option = QTextOption()
    mode = QTextOption.WrapMode
    # At the smallest size a word that is too long is broken rather than elided.
    option.setWrapMode(mode.WrapAtWordBoundaryOrAnywhere if anywhere else mode.WordWrap)
    layout.setTextOption(option)
    layout.beginLayout()
    lines: list[str] = []
    while len(lines) < 24:
        line = layout.createLine()
        if not line.isValid():
            break
        line.setLineWidth(max(width, 1.0))
        lines.append(text[line.textStart() : line.textStart() + line.textLength()].strip())
    layout.endLayout()
    return lines or [text]

"""Theme: typeface, text scale, icons, and the style sheet of the standard widgets."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QIcon,
    QPaintDevice,
    QPainter,
    QPalette,
    QPixmap,
)
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from app.window.style import colours

RESOURCES: Final = Path(__file__).resolve().parents[3] / "resources"
FAMILY: Final = "Inter"

_font_ids: list[int] = []
_scale = 1.0
_pixmaps: dict[tuple[str, str, int, float], QPixmap] = {}


def set_scale(scale: float) -> None:
    """Set the text scale (1 is the default); called by `app.window.proportions`."""
    global _scale
    _scale = scale


def scaled(pixels: float) -> float:
    """Size in pixels at the current text scale."""
    return pixels * _scale


def colour(hex_color: str, alpha: float = 1.0) -> QColor:
    """QColor of '#rrggbb' with an opacity 0..1."""
    value = QColor(hex_color)
    value.setAlphaF(alpha)
    return value


def font(pixels: float, weight: QFont.Weight = QFont.Weight.Medium) -> QFont:
    """Typeface at a size in pixels, with tabular figures so that numbers do not move."""
    # A copy shares the resolved typeface, which is most of the cost of a font.
    return QFont(_face(max(6, round(pixels)), weight))


@lru_cache(maxsize=256)
def _face(pixels: int, weight: QFont.Weight) -> QFont:
    face = QFont(FAMILY)
    face.setPixelSize(pixels)
    face.setWeight(weight)
    face.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    face.setFeature(QFont.Tag("tnum"), 1)
    return face


def bold(pixels: float) -> QFont:
    return font(pixels, QFont.Weight.DemiBold)


def caption(pixels: float = 11) -> QFont:
    """Font of captions, with wider letter spacing."""
    face = font(pixels)
    face.setLetterSpacing(QFont.SpacingType.PercentageSpacing, 104)
    return face


def fit_font(
    painter: QPainter, text: str, face: QFont, width: float, smallest: float = 9.0
) -> None:
    """Set the painter's font to `face`, reduced so that the text fits the width."""
    painter.setFont(face)
    text_width = painter.fontMetrics().horizontalAdvance(text)
    if text_width > width > 0.0:
        face.setPixelSize(max(int(face.pixelSize() * width / text_width), round(smallest)))
        painter.setFont(face)


def icon_pixmap(name: str, hex_color: str, size: int, ratio: float = 2.0) -> QPixmap:
    """Pixmap of resources/icons/NAME.svg in a colour; cached."""
    key = (name, hex_color, size, ratio)
    if key not in _pixmaps:
        text = (RESOURCES / "icons" / f"{name}.svg").read_text(encoding="utf-8")
        renderer = QSvgRenderer(QByteArray(text.replace("currentColor", hex_color).encode()))
        pixmap = QPixmap(round(size * ratio), round(size * ratio))
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        renderer.render(painter, QRectF(0, 0, pixmap.width(), pixmap.height()))
        painter.end()
        pixmap.setDevicePixelRatio(ratio)
        _pixmaps[key] = pixmap
    return _pixmaps[key]


def icon(name: str, hex_color: str = colours.DIM, size: int = 18) -> QIcon:
    result = QIcon(icon_pixmap(name, hex_color, size))
    result.addPixmap(icon_pixmap(name, colours.LINE, size), QIcon.Mode.Disabled)
    return result


def draw_icon(painter: QPainter, name: str, hex_color: str, box: QRectF) -> None:
    """Draw an icon centred in a box, as large as fits."""
    size = round(min(box.width(), box.height()))
    if size <= 0:
        return
    pixmap = icon_pixmap(name, hex_color, size, painter.device().devicePixelRatioF())
    corner = box.center() - QRectF(0, 0, size, size).center()
    painter.drawPixmap(corner, pixmap)


def antialiased(device: QPaintDevice) -> QPainter:
    """Painter with antialiasing."""
    painter = QPainter(device)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    return painter


def paint_in_one_thread() -> None:
    """Have Qt paint in the GUI thread alone; to be called before anything is painted.

    By default Qt spreads what is higher than some hundred pixels over threads of its own, and waits
    for them while it holds the interpreter's lock: on a busy machine the engine then waits too, for
    far longer than the painting takes.
    """
    os.environ.setdefault("QT_NO_GUI_THREADPOOL", "1")


def install(app: QApplication) -> None:
    """Give the application its typeface, palette and style sheet."""
    if not _font_ids:
        for path in sorted((RESOURCES / "theme").glob("*.otf")):
            _font_ids.append(QFontDatabase.addApplicationFont(str(path)))
        _face.cache_clear()  # fonts made before the typeface was loaded
    app.setStyle("Fusion")
    app.setFont(font(13))
    palette = QPalette()
    roles = QPalette.ColorRole
    for role, hex_color in (
        (roles.Window, colours.BACKGROUND),
        (roles.Base, colours.PANEL),
        (roles.AlternateBase, colours.RAISED),
        (roles.Button, colours.RAISED),
        (roles.ToolTipBase, colours.RAISED),
        (roles.WindowText, colours.TEXT),
        (roles.Text, colours.TEXT),
        (roles.ButtonText, colours.TEXT),
        (roles.ToolTipText, colours.TEXT),
        (roles.PlaceholderText, colours.FAINT),
        (roles.Highlight, colours.ACCENT),
        (roles.HighlightedText, colours.BACKGROUND),
        (roles.Link, colours.ACCENT),
    ):
        palette.setColor(role, QColor(hex_color))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.FAINT))
    app.setPalette(palette)
    app.setStyleSheet(_sheet())
    app.setWindowIcon(QIcon(icon_pixmap("segue", colours.ACCENT, 128, 1.0)))


def _sheet() -> str:
    c, icons = colours, (RESOURCES / "icons").as_posix()
    return f"""
    QToolTip {{ color: {c.TEXT}; background: {c.RAISED}; border: 1px solid {c.LINE};
        padding: 6px 8px; font-size: 13px; }}
    QMenu {{ background: {c.RAISED}; border: 1px solid {c.LINE}; padding: 6px; }}
    QMenu::item {{ padding: 7px 26px 7px 14px; border-radius: 5px; }}
    QMenu::item:selected {{ background: {c.EDGE}; color: {c.ACCENT}; }}
    QMenu::item:disabled {{ color: {c.FAINT}; }}
    QMenu::separator {{ height: 1px; background: {c.EDGE}; margin: 5px 8px; }}
    QLineEdit, QPlainTextEdit, QComboBox {{ background: {c.BACKGROUND};
        border: 1px solid {c.EDGE}; border-radius: 6px; padding: 6px 8px;
        selection-background-color: {c.ACCENT}; selection-color: {c.BACKGROUND}; }}
    QLineEdit:focus, QPlainTextEdit:focus, QComboBox:focus {{ border-color: {c.ACCENT}; }}
    QSpinBox, QDoubleSpinBox {{ background: {c.BACKGROUND}; border: 1px solid {c.EDGE};
        border-radius: 6px; padding: 6px 8px;
        qproperty-alignment: AlignCenter; }}
    QSpinBox:focus, QDoubleSpinBox:focus {{ border-color: {c.ACCENT}; }}
    QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button,
    QDoubleSpinBox::down-button {{ width: 0; border: 0; }}
    QComboBox::down-arrow {{ image: url("{icons}/chevron.svg"); width: 14px; height: 14px; }}
    QComboBox::drop-down {{ border: 0; width: 24px; }}
    QComboBox:disabled, QDoubleSpinBox:disabled, QSpinBox:disabled, QLineEdit:disabled,
    QCheckBox:disabled {{ color: {c.LINE}; border-color: {c.RAISED}; }}
    QCheckBox, QRadioButton {{ spacing: 8px; }}
    QCheckBox::indicator, QRadioButton::indicator {{ width: 16px; height: 16px;
        border: 1px solid {c.LINE}; border-radius: 4px; background: {c.BACKGROUND}; }}
    QRadioButton::indicator {{ border-radius: 8px; }}
    QCheckBox::indicator:checked, QRadioButton::indicator:checked {{ background: {c.ACCENT};
        border-color: {c.ACCENT}; image: url("{icons}/tick.svg"); }}
    QCheckBox::indicator:disabled {{ border-color: {c.EDGE}; }}
    QComboBox QAbstractItemView {{ background: {c.RAISED}; border: 1px solid {c.LINE};
        selection-background-color: {c.EDGE}; selection-color: {c.ACCENT}; outline: 0; }}
    QPushButton {{ background: {c.RAISED}; border: 1px solid {c.EDGE}; border-radius: 6px;
        padding: 7px 14px; }}
    QPushButton:hover {{ border-color: {c.LINE}; }}
    QPushButton:focus {{ border-color: {c.ACCENT}; }}
    QPushButton:pressed {{ background: {c.EDGE}; }}
    QPushButton:default {{ color: {c.BACKGROUND}; background: {c.ACCENT};
        border-color: {c.ACCENT}; }}
    QPushButton:disabled {{ color: {c.LINE}; border-color: {c.RAISED}; }}
    QListWidget {{ background: {c.BACKGROUND}; border: 1px solid {c.EDGE}; border-radius: 8px;
        outline: 0; padding: 4px; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; }}
    QScrollBar::handle:vertical {{ background: {c.EDGE}; border-radius: 5px; min-height: 30px; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; width: 0; }}
    QScrollArea {{ border: 0; background: transparent; }}
    QDialog {{ background: {c.PANEL}; }}
    """

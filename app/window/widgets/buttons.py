"""Buttons: key button, segmented control, plain button."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from app.parameters.registry import Registry
from app.window.style import colours, theme
from app.window.widgets.parameter_widget import ParameterWidget


def paint_key(
    painter: QPainter,
    box: QRectF,
    *,
    hex_color: str,
    glow: float,
    pressed: bool = False,
    hovered: bool = False,
    focused: bool = False,
    radius: float = 7.0,
) -> None:
    """Paint the background of a key, tinted with its colour by `glow` 0..1."""
    slab = QLinearGradient(box.topLeft(), box.bottomLeft())
    top, bottom = ("#1a1e24", "#1d2127") if pressed else ("#272d36", "#1c2027")
    if hovered and not pressed:
        top, bottom = "#2d343e", "#21262e"
    slab.setColorAt(0.0, QColor(colours.mix_hex(top, hex_color, 0.30 * glow)))
    slab.setColorAt(1.0, QColor(colours.mix_hex(bottom, hex_color, 0.20 * glow)))
    painter.setBrush(slab)
    edge = colours.mix_hex("#343b46", hex_color, 0.75 * glow)
    painter.setPen(QPen(QColor(colours.TEXT if focused else edge), 1.0))
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


class KeyButton(ParameterWidget):
    """Button for a switch (lit while on) or a trigger (lit while pressed)."""

    def __init__(
        self,
        registry: Registry,
        name: str,
        parent: QWidget | None = None,
        *,
        icon: str = "",
        label: str = "",
        hex_color: str = colours.ACCENT,
        horizontal: bool = False,
        icon_on: str = "",
        label_on: str = "",
        indicator: bool = False,
    ) -> None:
        super().__init__(registry, name, parent)
        self.icon, self.icon_on = icon, icon_on or icon
        self.label, self.label_on = label, label_on
        self.hex_color, self.horizontal = hex_color, horizontal
        self.indicator = indicator  # shows the state as an LED instead of lighting the key
        self._pressed = False
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMinimumSize(30, 26)

    def sizeHint(self) -> QSize:
        if self.horizontal or not self.icon:
            width = 22 + (24 if self.icon else 0) + 8 * len(self.label)
            return QSize(width, 34)
        return QSize(58, 58)

    @property
    def on(self) -> bool:
        return self.parameter.kind == "switch" and bool(self.registry.get(self.parameter_name))

    def fire(self) -> None:
        if self.parameter.kind == "switch":
            self.registry.toggle(self.parameter_name)
        else:
            self.registry.trigger(self.parameter_name)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = True
            self.update()
            # On press rather than release, for the shortest delay.
            self.fire()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed = False
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Space is excluded: it is the play shortcut whatever has the focus.
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if not event.isAutoRepeat():
                self.fire()
            return
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        box = QRectF(self.rect())
        glow = 1.0 if self.on or (self._pressed and self.parameter.kind == "trigger") else 0.0
        paint_key(
            painter,
            box,
            hex_color=self.hex_color,
            glow=0.0 if self.indicator else glow,
            pressed=self._pressed,
            hovered=self.hovered and self.isEnabled(),
            focused=self.hasFocus(),
        )
        ink = self.hex_color if glow else (colours.TEXT if self.hovered else colours.DIM)
        if self.indicator:
            ink = colours.TEXT if self.on else colours.FAINT
        if not self.isEnabled():
            ink = colours.LINE
        if self.indicator:
            paint_indicator(painter, QPointF(13, box.center().y()), self.hex_color, self.on)
            box.adjust(14, 0, 0, 0)
        paint_face(
            painter,
            box,
            self.icon_on if self.on else self.icon,
            self.label_on if self.on and self.label_on else self.label,
            ink,
            self.horizontal,
        )


def paint_indicator(painter: QPainter, centre: QPointF, hex_color: str, on: bool) -> None:
    """Paint a small LED."""
    painter.setPen(Qt.PenStyle.NoPen)
    if on:
        painter.setBrush(theme.colour(hex_color, 0.25))
        painter.drawEllipse(centre, 6.5, 6.5)
    painter.setBrush(QColor(hex_color if on else "#0c0e11"))
    painter.drawEllipse(centre, 3.4, 3.4)


def paint_face(
    painter: QPainter, box: QRectF, icon: str, label: str, ink: str, horizontal: bool
) -> None:
    """Paint icon and label centred in the box, side by side (`horizontal`) or stacked.

    A horizontal icon is left out where there is no room for both.
    """
    painter.setPen(QColor(ink))
    middle = Qt.AlignmentFlag.AlignCenter
    if not icon:
        size = min(max(box.height() * 0.46, 11), theme.scaled(18))
        theme.fit_font(painter, label, theme.bold(size), box.width() - 6)
        painter.drawText(box, middle, label)
    elif not label:
        side = min(box.width(), box.height()) * 0.52
        theme.draw_icon(painter, icon, ink, _centred(box, side))
    elif horizontal:
        size = min(max(box.height() * 0.38, 11), theme.scaled(18))
        while True:
            painter.setFont(theme.font(size))
            width = painter.fontMetrics().horizontalAdvance(label)
            side = size * 1.4
            if size <= 10.5 or width + side + 6 <= box.width() - 10:
                break
            size -= 0.5
        if width + side + 6 > box.width() - 8:
            theme.fit_font(painter, label, theme.font(size), box.width() - 6)
            painter.drawText(box, middle, label)
            return
        left = box.center().x() - (width + side + 6) / 2
        theme.draw_icon(painter, icon, ink, QRectF(left, box.center().y() - side / 2, side, side))
        area = QRectF(left + side + 6, box.top(), width + 4, box.height())
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, label)
    else:
        side = min(box.width() * 0.46, box.height() * 0.42)
        icon_box = QRectF(box.center().x() - side / 2, box.top() + box.height() * 0.16, side, side)
        theme.draw_icon(painter, icon, ink, icon_box)
        size = min(max(box.height() * 0.19, 10.5), theme.scaled(16))
        theme.fit_font(painter, label, theme.font(size), box.width() - 8)
        area = QRectF(box.left(), icon_box.bottom(), box.width(), box.bottom() - icon_box.bottom())
        painter.drawText(area.adjusted(0, 0, 0, -2), middle, label)


def _centred(box: QRectF, side: float) -> QRectF:
    return QRectF(box.center().x() - side / 2, box.center().y() - side / 2, side, side)


class Segments(ParameterWidget):
    """Segmented control for a choice; `faces` are (icon, label) in the order of the choices."""

    def __init__(
        self,
        registry: Registry,
        name: str,
        faces: list[tuple[str, str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(registry, name, parent)
        self.faces = faces
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        width = sum(26 + (22 if icon else 0) + 8 * len(label) for icon, label in self.faces)
        return QSize(width, 32)

    def minimumSizeHint(self) -> QSize:
        return QSize(sum(14 + 8 * len(label) for _, label in self.faces), 28)

    def _boxes(self) -> list[QRectF]:
        hints = [26.0 + (22 if icon else 0) + 8 * len(label) for icon, label in self.faces]
        scale = (self.width() - 6.0) / sum(hints)
        boxes, left = [], 3.0
        for hint in hints:
            boxes.append(QRectF(left, 3, hint * scale, self.height() - 6))
            left += hint * scale
        return boxes

    def mousePressEvent(self, event: QMouseEvent) -> None:
        for index, box in enumerate(self._boxes()):
            if box.contains(event.position()):
                self.registry.set(self.parameter_name, self.parameter.choices[index])

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        whole = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(QColor(colours.BACKGROUND))
        edge = colours.TEXT if self.hasFocus() else colours.EDGE
        painter.setPen(QPen(QColor(edge), 1))
        painter.drawRoundedRect(whole, 8, 8)
        chosen = self.registry.get(self.parameter_name)
        for choice, (icon, label), box in zip(
            self.parameter.choices, self.faces, self._boxes(), strict=True
        ):
            on = choice == chosen
            if on and self.isEnabled():
                paint_key(painter, box, hex_color=colours.ACCENT, glow=0.8, radius=6)
            ink = colours.ACCENT if on else colours.DIM
            paint_face(painter, box, icon, label, ink if self.isEnabled() else colours.LINE, True)


class PlainButton(QAbstractButton):
    """Flat button with icon or label for commands that are not parameters."""

    def __init__(
        self,
        *,
        icon: str = "",
        label: str = "",
        tooltip: str = "",
        on_click: Callable[[], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.icon_name, self.label = icon, label
        self.setToolTip(tooltip)
        self.setAccessibleName(label or tooltip.split(":")[0])
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if on_click is not None:
            self.clicked.connect(lambda: on_click())

    def sizeHint(self) -> QSize:
        text_width = round(self.fontMetrics().horizontalAdvance(self.label) * 1.04) + 10
        width = (30 if self.icon_name else 8) + (text_width if self.label else 0)
        return QSize(round(theme.scaled(width)), round(theme.scaled(30)))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        hot = self.underMouse() and self.isEnabled()
        if hot or self.hasFocus() or self.isChecked():
            painter.setBrush(QColor(colours.RAISED))
            painter.setPen(QColor(colours.TEXT if self.hasFocus() else colours.EDGE))
            painter.drawRoundedRect(box, 7, 7)
        ink = colours.TEXT if hot else colours.DIM
        if self.isChecked():
            ink = colours.ACCENT
        if not self.isEnabled():
            ink = colours.LINE
        paint_face(painter, box, self.icon_name, self.label, ink, True)

"""Overlay of learn mode: zones that can be mapped are lit, the rest of the window is dimmed.

What does not move is painted once into a pixmap; while the spectrogram runs beneath, only its own
area is repainted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QWidget

from app.window.controllers import map_edits as edits
from app.window.controllers.learn.zones import Zone
from app.window.style import colours, theme

POLL_MS: Final = 200
PULSE_MS: Final = 40
FLASH: Final = 1.6
"""Seconds that a zone glows after it was learned."""
HOLD: Final = 0.4
"""Seconds from which a key press counts as held."""
STRIDE: Final = 6.0
"""Pixels between two samples of a mouse movement."""
REPEAT_MS: Final = 90
"""A key that is pressed again this soon was never released: X reports key repeat like that."""


class LearnOverlay(QWidget):
    """The overlay. find: the present zones. tags: target -> names of the controls that move it."""

    chosen = Signal(str)
    swept = Signal(object)  # targets in the order of the mouse movement
    unmap_requested = Signal(str)
    leave_requested = Signal()

    def __init__(
        self,
        parent: QWidget,
        find: Callable[[], Sequence[Zone]],
        tags: Callable[[], Mapping[str, str]],
    ) -> None:
        super().__init__(parent)
        self._below, self._find, self._tags = parent, find, tags
        self.zones: list[Zone] = []
        self.tags: dict[str, str] = {}
        self.target: str | None = None
        self.queue: tuple[str, ...] = ()
        self._flashes: dict[str, float] = {}
        self._hovered: str | None = None
        self._sheet: QPixmap | None = None
        self._pressed: list[str] = []
        self._at = QPointF()
        self._key_down: float | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName("Learn mode")
        self._up_timer = QTimer(self)
        self._up_timer.setSingleShot(True)
        self._up_timer.setInterval(REPEAT_MS)
        self._up_timer.timeout.connect(self._key_up)
        self._poll_timer = QTimer(self)
        self._poll_timer.setInterval(POLL_MS)
        self._poll_timer.timeout.connect(self.poll)
        self._pulse_timer = QTimer(self)
        self._pulse_timer.setInterval(PULSE_MS)
        self._pulse_timer.timeout.connect(self._pulse)
        self.hide()

    # -- opening and closing --------------------------------------------------------------------
    def open_overlay(self, *, key_held: bool = False) -> None:
        """key_held: opened by a key that is still down; releasing it after a while ends learn
        mode.
        """
        self._key_down = time.monotonic() if key_held else None
        self.setGeometry(self._below.rect())
        self.poll()
        self.show()
        self.raise_()
        self.setFocus()
        self._poll_timer.start()
        self._pulse_timer.start()

    def close_overlay(self) -> None:
        self._poll_timer.stop()
        self._pulse_timer.stop()
        self._up_timer.stop()
        self._flashes.clear()
        self._pressed = []
        self._key_down = None
        self.hide()

    def poll(self) -> None:
        """Read zones and tags again."""
        if self.geometry() != self._below.rect():
            self.setGeometry(self._below.rect())
        zones, tags = list(self._find()), dict(self._tags())
        if zones != self.zones or tags != self.tags or self._sheet is None:
            self.zones, self.tags = zones, tags
            self._sheet = None
            self.update()

    def set_target(self, target: str | None, queue: Sequence[str] = ()) -> None:
        """Mark the target that is learned now, and those that follow."""
        if (target, tuple(queue)) != (self.target, self.queue):
            self.target, self.queue = target, tuple(queue)
            self.update()

    def flash(self, target: str) -> None:
        """Let a target glow that was just learned."""
        self._flashes[target] = time.monotonic()
        self.poll()

    def zone_of(self, target: str) -> Zone | None:
        return next((zone for zone in self.zones if zone.target == target), None)

    def zone_at(self, position: QPointF) -> Zone | None:
        """The smallest zone at a position: a knob rather than the map that it lies on."""
        hit = [zone for zone in self.zones if zone.box.contains(position.toPoint())]
        return min(hit, key=lambda zone: zone.box.width() * zone.box.height(), default=None)

    # -- input ----------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        zone = self.zone_at(event.position())
        if zone is None:
            return
        if event.button() == Qt.MouseButton.RightButton:
            self.unmap_requested.emit(zone.target)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._pressed = [zone.target]
            self._at = event.position()
            self.chosen.emit(zone.target)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        zone = self.zone_at(event.position())
        self._hover(None if zone is None else zone.target)
        if self._pressed and event.buttons() & Qt.MouseButton.LeftButton:
            self._sweep(event.position())

    def _sweep(self, to: QPointF) -> None:
        """Add all zones on the way, since a fast mouse reports only a few positions."""
        way = to - self._at
        steps = max(int(math.hypot(way.x(), way.y()) / STRIDE), 1)
        before = len(self._pressed)
        for n in range(1, steps + 1):
            zone = self.zone_at(self._at + way * (n / steps))
            if zone is None or zone.target in self._pressed:
                continue
            if edits.same_row(self._pressed[0], zone.target):
                self._pressed.append(zone.target)
        self._at = to
        if len(self._pressed) > before:
            self.swept.emit(tuple(self._pressed))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed = []

    def enterEvent(self, event: QEnterEvent) -> None:
        zone = self.zone_at(event.position())
        self._hover(None if zone is None else zone.target)

    def _hover(self, target: str | None) -> None:
        if target != self._hovered:
            self._hovered = target
            self.setCursor(
                Qt.CursorShape.ArrowCursor if target is None else Qt.CursorShape.PointingHandCursor
            )
            self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Escape:
            self.leave_requested.emit()
        elif key == Qt.Key.Key_L and not event.modifiers():
            if event.isAutoRepeat() or self._up_timer.isActive():
                self._up_timer.stop()
                return
            if self._hovered is not None and self._hovered != self.target:
                # Hover and hold: choose this one without a click.
                self.chosen.emit(self._hovered)
                self._key_down = None
            else:
                self.leave_requested.emit()
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            if self._hovered or self.target:
                self.unmap_requested.emit(self._hovered or self.target)
        elif key in (Qt.Key.Key_Right, Qt.Key.Key_Down):
            self._step(1)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Up):
            self._step(-1)
        else:
            event.ignore()  # space still plays, panic still works

    def focusNextPrevChild(self, forward: bool) -> bool:
        self._step(1 if forward else -1)
        return True

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_L and self._key_down is not None:
            if not event.isAutoRepeat():
                self._up_timer.start()
            return
        event.ignore()

    def _key_up(self) -> None:
        """The key has been released, and not by key repeat."""
        held, self._key_down = self._key_down, None
        if held is not None and time.monotonic() - held >= HOLD:
            self.leave_requested.emit()

    def _step(self, by: int) -> None:
        names = [zone.target for zone in self.zones]
        if names:
            at = names.index(self.target) if self.target in names else -min(by, 0) - 1
            self.chosen.emit(names[(at + by) % len(names)])

    # -- painting -------------------------------------------------------------------------------
    def _pulse(self) -> None:
        now = time.monotonic()
        self._flashes = {k: t for k, t in self._flashes.items() if now - t < FLASH + 0.1}
        for target in {self.target, *self._flashes} - {None}:
            zone = self.zone_of(str(target))
            if zone is not None:
                self.update(zone.box.adjusted(-12, -12, 12, 12))

    def resizeEvent(self, event: object) -> None:
        self._sheet = None

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        ratio = self.devicePixelRatioF()
        if self._sheet is None or self._sheet.devicePixelRatio() != ratio:
            self._sheet = self._paint_sheet(ratio)
        box = event.rect()
        source = QRectF(box.x() * ratio, box.y() * ratio, box.width() * ratio, box.height() * ratio)
        painter.drawPixmap(QRectF(box), self._sheet, source)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        now = time.monotonic()
        for zone in self.zones:
            if not zone.box.adjusted(-12, -12, 12, 12).intersects(box):
                continue
            since = now - self._flashes.get(zone.target, -math.inf)
            if zone.target == self.target:
                self._glow(painter, zone, 0.65 + 0.35 * math.sin(now * 5.0))
            elif since < FLASH:
                self._glow(painter, zone, (1.0 - since / FLASH) * 0.9)
            elif zone.target == self._hovered:
                painter.setBrush(theme.colour(colours.ACCENT, 0.14))
                painter.setPen(QPen(QColor(colours.ACCENT), 1.6))
                painter.drawRoundedRect(QRectF(zone.box).adjusted(1, 1, -1, -1), 8, 8)
            above = zone.target in (self.target, self._hovered) or since < FLASH
            if zone.target in self.tags and above:
                self._paint_tag(painter, zone, self.tags[zone.target])
            if zone.target in self.queue:
                self._number(painter, zone, self.queue.index(zone.target) + 2)

    def _glow(self, painter: QPainter, zone: Zone, strength: float) -> None:
        box = QRectF(zone.box)
        painter.setBrush(theme.colour(colours.ACCENT, 0.20 * strength))
        for spread, alpha in ((9.0, 0.10), (6.0, 0.16), (3.0, 0.28)):
            painter.setPen(QPen(theme.colour(colours.ACCENT, alpha * strength), 3.0))
            painter.drawRoundedRect(
                box.adjusted(-spread, -spread, spread, spread), 8 + spread, 8 + spread
            )
            painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colours.ACCENT), 2.2))
        painter.drawRoundedRect(box, 8, 8)

    def _number(self, painter: QPainter, zone: Zone, number: int) -> None:
        spot = QRectF(zone.box.right() - 18, zone.box.top() - 6, 22, 22)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.ACCENT))
        painter.drawEllipse(spot)
        painter.setPen(QColor(colours.BACKGROUND))
        painter.setFont(theme.bold(12))
        painter.drawText(spot, Qt.AlignmentFlag.AlignCenter, str(number))

    def _paint_sheet(self, ratio: float) -> QPixmap:
        sheet = QPixmap(round(self.width() * ratio), round(self.height() * ratio))
        sheet.setDevicePixelRatio(ratio)
        sheet.fill(Qt.GlobalColor.transparent)
        painter = QPainter(sheet)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        holes = QPainterPath()
        for zone in self.zones:
            # United one by one: with one path, overlapping holes would be filled.
            hole = QPainterPath()
            hole.addRoundedRect(QRectF(zone.box), 8, 8)
            holes = holes.united(hole)
        whole = QPainterPath()
        whole.addRect(QRectF(self.rect()))
        painter.fillPath(whole.subtracted(holes), theme.colour(colours.BACKGROUND, 0.66))
        for zone in self.zones:
            mapped = zone.target in self.tags
            box = QRectF(zone.box).adjusted(0.5, 0.5, -0.5, -0.5)
            painter.setBrush(theme.colour(colours.ACCENT, 0.10 if mapped else 0.03))
            pen = QPen(theme.colour(colours.ACCENT, 0.85 if mapped else 0.38), 1.2)
            painter.setPen(pen)
            painter.drawRoundedRect(box, 8, 8)
        for zone in self.zones:
            if zone.target in self.tags:
                self._paint_tag(painter, zone, self.tags[zone.target])
        painter.end()
        return sheet

    def _paint_tag(self, painter: QPainter, zone: Zone, words: str) -> None:
        """Paint the control's name on a small label at the bottom of the zone, below the value."""
        painter.setFont(theme.bold(11))
        metrics = painter.fontMetrics()
        text = metrics.elidedText(words, Qt.TextElideMode.ElideRight, zone.box.width() - 10)
        centre = zone.box.center().x() + 0.5
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.ACCENT))
        if len(text) < min(len(words), 4):
            # No room for a word: a mark shows that it is mapped.
            painter.drawRoundedRect(QRectF(centre - 8, zone.box.bottom() - 2.5, 16, 5), 2.5, 2.5)
            return
        width = metrics.horizontalAdvance(text) + 10
        low = zone.box.height() < 34
        top = zone.box.center().y() - 8.0 if low else zone.box.bottom() - 8.0
        plate = QRectF(centre - width / 2.0, top, width, 17)
        painter.drawRoundedRect(plate, 4, 4)
        painter.setPen(QColor(colours.BACKGROUND))
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, text)

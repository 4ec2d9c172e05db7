"""Drawing of a controller: its controls, what each one moves, and which one is moving.

It polls the surface twenty times a second while it is visible, and paints only changes, so that a
flood of messages costs no more than slow movements.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QHelpEvent,
    QHideEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.control.midi.decode import KIND_LABELS, is_relative
from app.control.midi.mapping import SHIFT, ControllerElement, Mapping
from app.control.midi.shaping import to_control
from app.control.midi.surface import Surface
from app.parameters.registry import Registry
from app.window.controllers import controller_layout as layout
from app.window.controllers import map_edits as edits
from app.window.style import colours, theme
from app.window.widgets.buttons import paint_key
from app.window.widgets.knob import START_DEGREES, SWEEP_DEGREES, paint_cap

POLL_MS: Final = 50
GLOW: Final = 0.7
"""Seconds that a control glows after it was moved."""
MARGIN: Final = 18.0
LARGEST: Final = 96.0


@dataclass(frozen=True)
class ControlState:
    """What is painted of a control. glow is in tenths, so that it ends."""

    position: (
        float | None
    )  # of the target, as a position of the control; None where it is not mapped
    physical: float | None  # position of the control itself, None where it is not known
    on: float
    glow: int


class ControllerView(QWidget):
    """Drawing of one surface. `clicked` has the id of the control that was clicked."""

    clicked = Signal(str)

    def __init__(
        self,
        registry: Registry,
        parent: QWidget | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._registry, self._now = registry, clock
        self.surface: Surface | None = None
        self.live = True
        self.selected: str | None = None
        self._drawn_map: object = None
        self._boxes: dict[str, QRectF] = {}
        self._fitted_text: dict[tuple[str, int, int, float], tuple[QFont, str]] = {}
        self._mappings: dict[str, list[Mapping]] = {}
        self.states: dict[str, ControlState] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.poll)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(360, 220)
        self.setMouseTracking(True)
        self.setAccessibleName("The controller, drawn")

    def show_surface(self, surface: Surface | None, connected: bool) -> None:
        """Show another controller, or the same with another map."""
        self.surface, self.live = surface, connected
        self._arrange()

    def select(self, control: str | None) -> None:
        if control != self.selected:
            self.selected = control
            self.update()

    # -- polling --------------------------------------------------------------------------------
    def _arrange(self) -> None:
        self._boxes, self._mappings, self.states = {}, {}, {}
        self._fitted_text.clear()
        if self.surface is not None:
            controller = self.surface.controller
            self._drawn_map = controller
            placed = layout.boxes(controller.controls)
            wide, high = layout.extent(placed)
            room_x, room_y = self.width() - 2 * MARGIN, self.height() - 2 * MARGIN
            unit = max(min(room_x / wide, room_y / high, LARGEST), 4.0)
            left = (self.width() - wide * unit) / 2.0
            top = (self.height() - high * unit) / 2.0
            self._boxes = {
                name: QRectF(left + x * unit, top + y * unit, w * unit, h * unit)
                for name, (x, y, w, h) in placed.items()
            }
            for mapping in controller.mappings:
                self._mappings.setdefault(mapping.control, []).append(mapping)
        self.poll()
        self.update()

    def poll(self) -> None:
        """Paint the controls that have changed."""
        surface = self.surface
        if surface is None:
            return
        if surface.controller is not self._drawn_map:
            self._arrange()
            return
        for control in surface.controller.controls:
            now = self._state_of(control)
            if self.states.get(control.id) != now:
                self.states[control.id] = now
                self.update(self._boxes[control.id].adjusted(-5, -5, 5, 5).toAlignedRect())

    def _state_of(self, control: ControllerElement) -> ControlState:
        assert self.surface is not None
        active = self.surface.activity.get(control.id)
        since = GLOW if active is None else self._now() - active.when
        glow = round(10.0 * max(1.0 - since / GLOW, 0.0))
        mapping = self.mapping_of(control.id)
        position, on = None, 0.0
        if mapping is not None and mapping.target == SHIFT:
            on = float(self.surface.shifted)
        elif mapping is not None and mapping.target in self._registry:
            parameter = self._registry[mapping.target]
            if parameter.kind == "trigger":
                on = self.surface.led(mapping.target)
            else:
                unit = self._registry.get_unit(mapping.target)
                position = round(
                    to_control(unit, mapping.low, mapping.high, mapping.invert, mapping.shape), 3
                )
                on = 1.0 if position > 0.5 else 0.0
                if mapping.action == "set" and mapping.value is not None:
                    on = float(self._registry.get(mapping.target) == mapping.value)
        absolute = not is_relative(control.kind)
        physical = round(active.position, 3) if active is not None and absolute else None
        return ControlState(position, physical, on, glow)

    def mapping_of(self, control: str) -> Mapping | None:
        """The first mapping on the active layer, else any."""
        found = self._mappings.get(control, [])
        layer = "shift" if self.surface is not None and self.surface.shifted else "base"
        acting = [m for m in found if m.layer in (layer, "any") or m.target == SHIFT]
        return next(iter(acting or found), None)

    def showEvent(self, event: QShowEvent) -> None:
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()

    # -- input ----------------------------------------------------------------------------------
    def control_at(self, place: QPointF) -> str | None:
        return next((name for name, box in self._boxes.items() if box.contains(place)), None)

    def box_of(self, control: str) -> QRectF:
        return self._boxes[control]

    def mousePressEvent(self, event: QMouseEvent) -> None:
        name = self.control_at(event.position())
        if name is not None:
            self.clicked.emit(name)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            name = self.control_at(QPointF(event.pos()))
            if name is not None and self.surface is not None:
                QToolTip.showText(event.globalPos(), self.tip(name), self)
                return True
            QToolTip.hideText()
        return super().event(event)

    def tip(self, name: str) -> str:
        """Tooltip of a control: what it is, sends and moves."""
        assert self.surface is not None
        control = self.surface.controller.control(name)
        lines = [
            f"<b>{control.label}</b>",
            f"<span style='color:#9aa3af'>{edits.control_description(control)}, "
            f"{KIND_LABELS[control.kind]}</span>",
        ]
        for mapping in self._mappings.get(name, []):
            more = edits.details(mapping)
            words = edits.target_label(mapping.target, self._registry)
            lines.append(f"{words}{f' ({more})' if more else ''}")
        return "<br>".join(lines if len(lines) > 2 else [*lines, "moves nothing yet"])

    # -- painting -------------------------------------------------------------------------------
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.surface is None or not self._boxes:
            painter.setFont(theme.font(15))
            painter.setPen(QColor(colours.FAINT))
            painter.drawText(
                self.rect(),
                Qt.AlignmentFlag.AlignCenter,
                "No controller yet.\nPlug one in: it is found by itself.",
            )
            return
        whole = QRectF()
        for box in self._boxes.values():
            whole = whole.united(box)
        body = whole.adjusted(-12, -12, 12, 12)
        painter.setBrush(QColor("#111418"))
        painter.setPen(QPen(QColor(colours.EDGE), 1))
        painter.drawRoundedRect(body, 12, 12)
        dirty = QRectF(event.rect())
        for control in self.surface.controller.controls:
            box = self._boxes[control.id]
            if box.adjusted(-5, -5, 5, 5).intersects(dirty):
                self._paint_control(painter, control, box)
        if len(self.surface.controller.controls) == 1:
            # Only the default map's control: the rest of the device is not known yet.
            painter.setFont(theme.font(15))
            painter.setPen(QColor(colours.FAINT))
            painter.drawText(
                QRectF(0.0, body.bottom() + 18.0, self.width(), 60.0),
                Qt.AlignmentFlag.AlignHCenter,
                "Press Learn, click what you want to play, and move a control:\n"
                "the device is drawn here as it becomes known.",
            )
        if not self.live:
            painter.fillRect(self.rect(), theme.colour(colours.PANEL, 0.55))

    def _paint_control(self, painter: QPainter, control: ControllerElement, box: QRectF) -> None:
        state = self.states.get(control.id) or self._state_of(control)
        mapping = self.mapping_of(control.id)
        pad = min(box.width(), box.height()) * 0.06
        inner = box.adjusted(pad, pad, -pad, -pad)
        if state.glow:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour(colours.ACCENT, 0.04 * state.glow))
            painter.drawRoundedRect(box.adjusted(-2, -2, 2, 2), 8, 8)
        words = "" if mapping is None else edits.short_label(mapping.target, self._registry)
        if control.shape in ("button", "pad", "key"):
            self._paint_button(painter, inner, state, words, mapping is not None)
        elif control.shape in ("fader", "wheel"):
            self._paint_fader(painter, inner, state, words, mapping is not None)
        else:
            self._paint_knob(painter, inner, state, words, mapping is not None)
        if control.id == self.selected:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colours.TEXT), 1.6))
            painter.drawRoundedRect(box.adjusted(0.8, 0.8, -0.8, -0.8), 6, 6)

    def _words(self, painter: QPainter, box: QRectF, words: str, size: float, ink: str) -> None:
        """Draw text as large as fits, in two lines where necessary, else elided."""
        key = (words, int(box.width()), int(box.height()), size)
        if key not in self._fitted_text:
            self._fitted_text[key] = self._fit(painter, *key)
        face, text = self._fitted_text[key]
        painter.setFont(face)
        painter.setPen(QColor(ink))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def _fit(
        self, painter: QPainter, words: str, room: int, height: int, size: float
    ) -> tuple[QFont, str]:
        painter.setFont(theme.bold(9.0))
        if height >= 22 and painter.fontMetrics().horizontalAdvance(words) > room:
            words = words.replace(" ", "\n", 1)
        lines = words.split("\n")
        while size > 7.0:
            painter.setFont(theme.bold(size))
            metrics = painter.fontMetrics()
            if max(metrics.horizontalAdvance(line) for line in lines) <= room:
                break
            size -= 0.5
        painter.setFont(theme.bold(size))
        metrics = painter.fontMetrics()
        state = [
            line
            if metrics.horizontalAdvance(line) <= room
            else metrics.elidedText(line, Qt.TextElideMode.ElideRight, room)
            for line in lines
        ]
        return theme.bold(size), "\n".join(state)

    def _paint_knob(
        self, painter: QPainter, box: QRectF, state: ControlState, words: str, mapped: bool
    ) -> None:
        label = min(max(box.height() * 0.24, 9.0), 17.0) if words else 0.0
        centre = QPointF(box.center().x(), box.top() + (box.height() - label) / 2.0)
        radius = max(min(box.width(), box.height() - label) / 2.0 - 1.0, 3.0)
        width = max(radius * 0.15, 2.0)
        ring = QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius).adjusted(
            width / 2, width / 2, -width / 2, -width / 2
        )
        pen = QPen(QColor(colours.EDGE), width)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawArc(ring, round(START_DEGREES * 16), round(-SWEEP_DEGREES * 16))
        if mapped and state.position is not None and state.position > 0.004:
            pen.setColor(QColor(colours.ACCENT))
            painter.setPen(pen)
            painter.drawArc(
                ring, round(START_DEGREES * 16), round(-SWEEP_DEGREES * 16 * state.position)
            )
        paint_cap(painter, centre, radius * 0.72)
        if state.physical is not None:
            # The knob's own position; where it is away from the ring's end, pickup waits for it.
            painter.save()
            painter.translate(centre)
            painter.rotate(-(START_DEGREES - SWEEP_DEGREES * state.physical) + 90.0)
            painter.setPen(QPen(QColor(colours.TEXT), max(radius * 0.1, 1.6)))
            painter.drawLine(QPointF(0, -radius * 0.40), QPointF(0, -radius * 0.66))
            painter.restore()
        if words:
            foot = QRectF(box.left(), box.bottom() - label, box.width(), label)
            self._words(painter, foot, words, label * 0.92, colours.TEXT)

    def _paint_fader(
        self, painter: QPainter, box: QRectF, state: ControlState, words: str, mapped: bool
    ) -> None:
        label = min(max(box.width() * 0.26, 9.0), 17.0) if words else 0.0
        slot = QRectF(box.center().x() - 2.5, box.top() + 6, 5, box.height() - label - 12)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor("#07080a"))
        painter.drawRoundedRect(slot, 2.5, 2.5)
        place = state.position if state.position is not None else state.physical
        if mapped and state.position is not None:
            lit = QRectF(slot)
            lit.setTop(slot.bottom() - slot.height() * state.position)
            painter.setBrush(QColor(colours.ACCENT))
            painter.drawRoundedRect(lit, 2.5, 2.5)
        if state.physical is not None:
            place = state.physical
        y = slot.bottom() - slot.height() * (place if place is not None else 0.0)
        cap = QRectF(box.center().x() - box.width() * 0.26, y - 5.5, box.width() * 0.52, 11)
        painter.setBrush(QColor("#3a424f" if place is not None else "#272c34"))
        painter.setPen(QPen(QColor("#0b0d10"), 1))
        painter.drawRoundedRect(cap, 3, 3)
        painter.setPen(QPen(QColor(colours.TEXT if place is not None else colours.FAINT), 1.4))
        painter.drawLine(QPointF(cap.left() + 3, y), QPointF(cap.right() - 3, y))
        if words:
            foot = QRectF(box.left(), box.bottom() - label, box.width(), label)
            self._words(painter, foot, words, label * 0.92, colours.TEXT)

    def _paint_button(
        self, painter: QPainter, box: QRectF, state: ControlState, words: str, mapped: bool
    ) -> None:
        lit = max(state.on, 0.09 * state.glow)
        paint_key(painter, box, hex_color=colours.ACCENT, glow=lit, radius=5)
        if not mapped:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("#111418", 0.55))
            painter.drawRoundedRect(box, 5, 5)
        if words:
            ink = colours.ACCENT if state.on >= 1.0 else colours.TEXT
            size = min(max(box.height() * 0.44, 9.0), 17.0)
            self._words(painter, box.adjusted(3, 0, -3, 0), words, size, ink)

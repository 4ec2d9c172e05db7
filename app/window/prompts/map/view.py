"""Prompt map: prompts as points of a plane, mixed by their distance to a cursor.

Moving the cursor sets the prompts' weights, so that mixer, MIDI and map agree; showing the map
changes nothing. The cursor can be thrown, and it orbits while `map.orbit` is on.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QRadialGradient,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.parameters.registry import Change
from app.session.prompts.plane import MapCursor, Point
from app.session.session import Session
from app.window.prompts.map.labels import place_labels
from app.window.style import colours, theme

FRAME_MS: Final = 16
MIN_THROW_SPEED: Final = 0.35
"""Speed at release, in plane units a second, above which the cursor glides on."""
MARGIN: Final = 46.0
LABEL_RADIUS: Final = 19.0
"""Distance of a name from its prompt: the radius that a share of nearly one half has."""


class PromptMapView(QWidget):
    """View of the parameters "map.x", "map.y", "map.orbit", "map.reach" and "prompt.N.x/y"."""

    edit_requested = Signal(int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.registry = session.registry
        self.shares: list[float] = []
        self.locked = False
        self.cursor_state = MapCursor()
        self._dragged: int | None = None  # 0: the cursor, n: prompt n
        self._drag_path: deque[tuple[float, Point]] = deque(maxlen=6)
        self._trail: deque[Point] = deque(maxlen=70)
        self._background: QPixmap | None = None
        self._labels_key: object = None
        self._label_boxes: list[tuple[str, QRectF]] = []
        self._writing = False
        self._last_step = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._step)
        self._unsubscribe = self.registry.subscribe(self._on_change)
        self.destroyed.connect(self._unsubscribe)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self.setAccessibleName("Prompt map")
        self.setToolTip(
            "<b>Prompt map</b><br>Drag the cursor between the prompts: nearer ones weigh more. "
            "Throw it and it glides; Orbit lets it circle.<br><span style='color:#9aa3af'>Drag a "
            "prompt to move it. Arrows move the cursor, shift in fine steps; O orbits.</span>"
        )

    def sizeHint(self) -> QSize:
        return QSize(800, 400)

    # -- updates -------------------------------------------------------------------------------
    def refresh(self) -> None:
        self._background = None
        self.update()

    def set_shares(self, shares: list[float]) -> None:
        self.shares = shares
        self.update()

    def _on_change(self, change: Change) -> None:
        name = change.name
        if name == "map.orbit":
            self._set_orbit(bool(self.registry.get("map.orbit")))
        elif name in ("map.x", "map.y"):
            if not self._writing and change.source not in ("undo", "load", "scene", "morph"):
                # Moved by MIDI or OSC: as if by the mouse.
                self.cursor_state = self.cursor_state.moved_to(self._position())
                self.session.prompts.apply_map_weights("map")
            elif not self._writing:
                self.cursor_state = self.cursor_state.moved_to(self._position())
            self.update()
        elif name == "map.reach":
            self._background = None
            if change.source not in ("undo", "load", "scene", "morph"):
                self.session.prompts.apply_map_weights("map")
            self.update()
        elif name.startswith("prompt.") and name[-1] in "xy":
            self._background = None
            self.update()

    def _position(self) -> Point:
        return (self.registry.number("map.x"), self.registry.number("map.y"))

    def _set_orbit(self, on: bool) -> None:
        if on and self.cursor_state.centre is None:
            self.cursor_state = self.cursor_state.orbiting(self._centroid())
        elif not on and self.cursor_state.centre is not None:
            self.cursor_state = self.cursor_state.stopped()
        self._start_motion()
        self.update()

    def _centroid(self) -> Point:
        """Mean of the prompts' points: the centre of the orbit."""
        points = self.session.prompts.points()
        if not points:
            return (0.0, 0.0)
        return (sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points))

    # -- motion --------------------------------------------------------------------------------
    def _start_motion(self) -> None:
        if self.cursor_state.moving and not self._timer.isActive():
            self._last_step = time.monotonic()
            self._timer.start()

    def _step(self) -> None:
        now = time.monotonic()
        seconds, self._last_step = min(now - self._last_step, 0.1), now
        if not self.cursor_state.moving:
            self._timer.stop()
            return
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Advance a gliding or orbiting cursor."""
        self.cursor_state = self.cursor_state.advanced(seconds, self.registry.number("map.speed"))
        self._set_cursor(self.cursor_state.position, "orbit")

    def _set_cursor(self, position: Point, source: str) -> None:
        self._writing = True
        try:
            with self.registry.batch():
                self.registry.set("map.x", position[0], source)
                self.registry.set("map.y", position[1], source)
            self.session.prompts.apply_map_weights("orbit" if source == "orbit" else "map")
        finally:
            self._writing = False
        self._trail.append(position)
        self.update()

    def stop(self) -> None:
        """Stop all motion (the window closes)."""
        self._timer.stop()
        self.cursor_state = self.cursor_state.stopped()

    # -- geometry ------------------------------------------------------------------------------
    def _field(self) -> QRectF:
        return QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)

    def to_screen(self, point: Point) -> QPointF:
        field = self._field()
        return QPointF(
            field.center().x() + point[0] * field.width() / 2,
            field.center().y() - point[1] * field.height() / 2,
        )

    def to_plane(self, position: QPointF) -> Point:
        field = self._field()
        x = (position.x() - field.center().x()) / (field.width() / 2)
        y = (field.center().y() - position.y()) / (field.height() / 2)
        return (min(max(x, -1.0), 1.0), min(max(y, -1.0), 1.0))

    def _prompt_at(self, position: QPointF) -> int | None:
        for n, point in enumerate(self.session.prompts.points(), 1):
            distance = self.to_screen(point) - position
            if math.hypot(distance.x(), distance.y()) < 20:
                return n
        return None

    # -- input ---------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        position = event.position()
        distance = self.to_screen(self._position()) - position
        on_cursor = math.hypot(distance.x(), distance.y()) < 26
        found = None if on_cursor or self.locked else self._prompt_at(position)
        self._dragged = found if found is not None else 0
        self._drag_path.clear()
        if self._dragged == 0:
            self.registry.set("map.orbit", False)
            self._drag_cursor(position)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged is None:
            over = self._prompt_at(event.position()) is not None and not self.locked
            self.setCursor(Qt.CursorShape.OpenHandCursor if over else Qt.CursorShape.CrossCursor)
        elif self._dragged == 0:
            self._drag_cursor(event.position())
        else:
            x, y = self.to_plane(event.position())
            self.registry.set(f"prompt.{self._dragged}.x", x)
            self.registry.set(f"prompt.{self._dragged}.y", y)

    def _drag_cursor(self, position: QPointF) -> None:
        point = self.to_plane(position)
        self._drag_path.append((time.monotonic(), point))
        self.cursor_state = self.cursor_state.moved_to(point)
        self._set_cursor(point, "window")

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._dragged == 0 and len(self._drag_path) >= 2:
            (t0, a), (t1, b) = self._drag_path[0], self._drag_path[-1]
            still = time.monotonic() - t1 > 0.08
            if t1 - t0 > 1e-3 and not still:
                velocity = ((b[0] - a[0]) / (t1 - t0), (b[1] - a[1]) / (t1 - t0))
                if math.hypot(*velocity) > MIN_THROW_SPEED:
                    self.cursor_state = self.cursor_state.thrown(velocity)
                    self._start_motion()
        self._dragged = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        n = self._prompt_at(event.position())
        if n is not None and not self.locked:
            self._dragged = None
            self.edit_requested.emit(n)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        nudges = {
            Qt.Key.Key_Left: ("map.x", -1),
            Qt.Key.Key_Right: ("map.x", 1),
            Qt.Key.Key_Up: ("map.y", 1),
            Qt.Key.Key_Down: ("map.y", -1),
        }
        distance = nudges.get(Qt.Key(event.key()))
        if distance is not None:
            fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.registry.set("map.orbit", False)
            self.registry.nudge(distance[0], distance[1], fine=fine)
        elif event.key() == Qt.Key.Key_O and not event.modifiers():
            self.registry.toggle("map.orbit")
        else:
            event.ignore()

    # -- painting ------------------------------------------------------------------------------
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        painter.drawPixmap(0, 0, self._background_pixmap())
        cursor = self.to_screen(self._position())
        self._paint_links(painter, cursor)
        for n, point in enumerate(self.session.prompts.points(), 1):
            self._paint_prompt(painter, n, self.to_screen(point))
        self._paint_cursor(painter, cursor)

    def _background_pixmap(self) -> QPixmap:
        """Cached background: the panel and each prompt's area of influence."""
        ratio = self.devicePixelRatioF()
        size = self.size() * ratio
        if self._background is not None and self._background.size() == size:
            return self._background
        background = QPixmap(size)
        background.setDevicePixelRatio(ratio)
        background.fill(QColor(colours.BACKGROUND))
        painter = theme.antialiased(background)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(QColor("#111419"))
        painter.setPen(QPen(QColor(colours.EDGE), 1))
        painter.drawRoundedRect(box, 10, 10)
        painter.setClipRect(box)
        reach = self.registry.number("map.reach")
        field = self._field()
        painter.setPen(Qt.PenStyle.NoPen)
        for prompt, point in zip(self.session.prompts, self.session.prompts.points(), strict=False):
            hex_color = colours.STRIPS[prompt.colour % len(colours.STRIPS)]
            centre = self.to_screen(point)
            rx, ry = reach * 1.7 * field.width() / 2, reach * 1.7 * field.height() / 2
            painter.save()
            painter.translate(centre)
            painter.scale(rx, ry)
            glow = QRadialGradient(QPointF(0, 0), 1.0)
            for step in range(6):
                r = step / 5
                glow.setColorAt(r, theme.colour(hex_color, 0.30 * math.exp(-3.4 * r * r) * (1 - r)))
            painter.setBrush(glow)
            painter.drawEllipse(QPointF(0, 0), 1.0, 1.0)
            painter.restore()
        painter.setPen(QPen(theme.colour(colours.LINE, 0.5), 1))
        for step in range(1, 12):
            for other in range(1, 6):
                x = box.left() + box.width() * step / 12
                y = box.top() + box.height() * other / 6
                painter.drawPoint(QPointF(x, y))
        painter.end()
        self._background = background
        return background

    def _share(self, n: int) -> float:
        return self.shares[n - 1] if n <= len(self.shares) else 0.0

    def _paint_links(self, painter: QPainter, cursor: QPointF) -> None:
        """Paint a line from the cursor to each audible prompt, as wide as its share."""
        for n, (prompt, point) in enumerate(
            zip(self.session.prompts, self.session.prompts.points(), strict=False), 1
        ):
            share = self._share(n)
            if share < 0.01:
                continue
            hex_color = colours.STRIPS[prompt.colour % len(colours.STRIPS)]
            pen = QPen(theme.colour(hex_color, 0.15 + 0.6 * share), 1.0 + 4.0 * share)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawLine(cursor, self.to_screen(point))

    def _paint_prompt(self, painter: QPainter, n: int, centre: QPointF) -> None:
        prompt = self.session.prompts[n - 1]
        hex_color = colours.STRIPS[prompt.colour % len(colours.STRIPS)]
        share = self._share(n)
        radius = 9.0 + 15.0 * math.sqrt(share)
        if share > 0.0:
            light = QRadialGradient(centre, radius * 2.1)
            light.setColorAt(0.3, theme.colour(hex_color, 0.20 + 0.3 * share))
            light.setColorAt(1.0, theme.colour(hex_color, 0.0))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(light)
            painter.drawEllipse(centre, radius * 2.1, radius * 2.1)
        painter.setPen(QPen(QColor(hex_color), 2.0))
        painter.setBrush(QColor(colours.mix_hex("#15181d", hex_color, 0.16 + 0.5 * share)))
        painter.drawEllipse(centre, radius, radius)
        if radius > 14:
            painter.setFont(theme.bold(radius * 0.72))
            painter.setPen(QColor(colours.TEXT))
            box = QRectF(centre.x() - radius, centre.y() - radius, radius * 2, radius * 2)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{share * 100:.0f}")
        painter.setFont(self._label_font())
        words, box = self._labels()[n - 1]
        painter.setPen(theme.colour(colours.BACKGROUND, 0.8))
        for x, y in ((-1.5, 0.0), (1.5, 0.0), (0.0, -1.5), (0.0, 1.5)):  # lines run behind it
            painter.drawText(box.translated(x, y), Qt.AlignmentFlag.AlignCenter, words)
        painter.setPen(QColor(colours.TEXT if share > 0.02 else colours.DIM))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)

    def _label_font(self) -> QFont:
        return theme.bold(min(max(self.height() * 0.04, 13.0), theme.scaled(24.0)))

    def _labels(self) -> list[tuple[str, QRectF]]:
        """Elided name of each prompt, and its box; cached, so that names stay while the cursor
        moves.
        """
        key = (
            tuple(prompt.text for prompt in self.session.prompts),
            tuple(self.session.prompts.points()),
            self.size().toTuple(),
        )
        if key != self._labels_key:
            metrics = QFontMetricsF(self._label_font())
            room = 260.0 if len(key[0]) <= 8 else 170.0
            mode = Qt.TextElideMode.ElideRight
            names = [metrics.elidedText(t or "empty", mode, theme.scaled(room)) for t in key[0]]
            sizes = [(metrics.horizontalAdvance(name) + 2, metrics.height()) for name in names]
            centres = [self.to_screen(point) for point in key[1]]
            boxes = place_labels(
                [(spot.x(), spot.y()) for spot in centres],
                sizes,
                LABEL_RADIUS,
                (self.width(), self.height()),
            )
            self._labels_key = key
            self._label_boxes = [(n, QRectF(*box)) for n, box in zip(names, boxes, strict=True)]
        return self._label_boxes

    def _paint_cursor(self, painter: QPainter, cursor: QPointF) -> None:
        if self.cursor_state.moving:
            for age, point in enumerate(self._trail):
                strength = age / len(self._trail)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.colour(colours.TEXT, 0.28 * strength * strength))
                painter.drawEllipse(self.to_screen(point), 3.2 * strength, 3.2 * strength)
        painter.setBrush(theme.colour(colours.BACKGROUND, 0.45))
        painter.setPen(QPen(QColor(colours.TEXT), 2.2))
        painter.drawEllipse(cursor, 13, 13)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.ACCENT))
        painter.drawEllipse(cursor, 4.5, 4.5)
        if self.hasFocus():
            painter.setPen(QPen(theme.colour(colours.TEXT, 0.4), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(cursor, 18, 18)

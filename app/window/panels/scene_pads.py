"""Grid of sixteen scene pads."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QContextMenuEvent,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QRadialGradient,
)
from PySide6.QtWidgets import QGridLayout, QInputDialog, QMenu, QWidget

from app.parameters.instrument_parameters import SCENES
from app.session.document import Scene
from app.session.prompts.mix import shares
from app.session.session import Session
from app.window.style import colours, theme
from app.window.widgets.fit_text import paint_fit_text
from app.window.widgets.parameter_widget import ParameterWidget

COLUMNS: Final = 4
LOW: Final = 30.0
"""Height of a pad in which name and mix stand close together."""


def scene_colours(scene: Scene) -> list[tuple[str, float]]:
    """(colour, share of the mix) of a scene's audible prompts, largest share first."""
    weights = []
    for n in range(1, len(scene.prompts) + 1):
        value = scene.values.get(f"prompt.{n}.weight", 1.0)
        muted = bool(scene.values.get(f"prompt.{n}.mute", False))
        weights.append(0.0 if muted or not isinstance(value, int | float) else float(value))
    pairs = [
        (colours.STRIPS[prompt.colour % len(colours.STRIPS)], share)
        for prompt, share in zip(scene.prompts, shares(weights), strict=True)
        if share > 0.0
    ]
    return sorted(pairs, key=lambda pair: -pair[1])


class ScenePad(ParameterWidget):
    """Scene pad: click to recall, shift-click (or click while Save is on) to save."""

    swap_requested = Signal(int, QPointF)

    def __init__(self, session: Session, n: int, parent: QWidget | None = None) -> None:
        self.n = n
        super().__init__(session.registry, f"scene.{n}.recall", parent)
        self.session = session
        self.saving = False
        self.active = False
        self.waiting = False
        self.progress: float | None = None
        self.locked = False
        self._pressed = False
        self._drag_start: QPointF | None = None
        self.setMinimumSize(48, 24)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    @property
    def scene(self) -> Scene | None:
        return self.session.scenes[self.n - 1]

    def sizeHint(self) -> QSize:
        return QSize(78, 58)

    def fire(self, save: bool) -> None:
        if (save or self.saving) and not self.locked:
            self.registry.trigger(f"scene.{self.n}.save")
        elif self.scene is not None:
            self.registry.trigger(f"scene.{self.n}.recall")

    # -- input ---------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = True
            self._drag_start = event.globalPosition()
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._pressed or self._drag_start is None:
            return
        self._pressed = False
        self.update()
        if self.rect().contains(event.position().toPoint()):
            # On release: a pad may also be dragged to another place, which must not recall it.
            self.fire(bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif not self.locked:
            self.swap_requested.emit(self.n, event.globalPosition())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.fire(bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        elif event.key() == Qt.Key.Key_Delete and not self.locked:
            self.session.scenes.clear(self.n)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.locked:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        save = QAction("Save what is now here", menu)
        save.triggered.connect(lambda: self.fire(True))
        menu.addAction(save)
        if self.scene is not None:
            menu.addAction("Rename …", self._rename)
            menu.addAction("Empty this pad", lambda: self.session.scenes.clear(self.n))
        menu.popup(event.globalPos())

    def _rename(self) -> None:
        scene = self.scene
        if scene is None:
            return
        name, accepted = QInputDialog.getText(self, "Rename scene", "Name", text=scene.name)
        if accepted:
            self.session.scenes.rename(self.n, name)

    # -- painting ------------------------------------------------------------------------------
    def tooltip_text(self) -> str:
        return (
            f"<b>Scene {self.n}</b><br>Click to bring it back, shift-click to keep what is now. "
            "Right-click to rename or empty, drag to move."
            f"<br><span style='color:#9aa3af'>Keys 1 to 9 and 0; with ctrl to save.</span>"
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = theme.antialiased(self)
        box = QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)
        scene = self.scene
        if scene is None:
            self._paint_empty(painter, box)
        else:
            self._paint_scene(painter, box, scene)
        if self.saving and not self.locked:
            painter.setPen(QPen(QColor(colours.ACCENT), 1.4, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 8, 8)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.TEXT), 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 8, 8)

    def _paint_empty(self, painter: QPainter, box: QRectF) -> None:
        painter.setBrush(QColor("#14171c" if not self.hovered else "#191d23"))
        painter.setPen(QPen(QColor(colours.EDGE), 1))
        painter.drawRoundedRect(box, 8, 8)
        painter.setFont(theme.font(min(max(box.height() * 0.26, 11), theme.scaled(18))))
        painter.setPen(QColor(colours.FAINT))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(self.n))

    def _paint_scene(self, painter: QPainter, box: QRectF, scene: Scene) -> None:
        colour_shares = scene_colours(scene) or [(colours.LINE, 1.0)]
        first = colour_shares[0][0]
        second = colour_shares[1][0] if len(colour_shares) > 1 else first
        strength = 0.85 if self.active else (0.55 if self._pressed or self.hovered else 0.34)
        slab = QLinearGradient(box.topLeft(), box.bottomRight())
        slab.setColorAt(0.0, QColor(colours.mix_hex("#1b1f25", first, strength * 0.62)))
        slab.setColorAt(1.0, QColor(colours.mix_hex("#15181d", second, strength * 0.40)))
        painter.setBrush(slab)
        edge = colours.mix_hex(colours.EDGE, first, 0.95 if self.active else 0.45)
        painter.setPen(QPen(QColor(edge), 1.8 if self.active else 1.0))
        painter.drawRoundedRect(box, 8, 8)
        painter.save()
        painter.setClipRect(box)
        gloss = QRadialGradient(QPointF(box.center().x(), box.top()), box.width() * 0.8)
        gloss.setColorAt(0.0, theme.colour("#ffffff", 0.10))
        gloss.setColorAt(1.0, theme.colour("#ffffff", 0.0))
        painter.setBrush(gloss)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRoundedRect(box, 8, 8)
        self._paint_shares(painter, box, colour_shares)
        painter.restore()
        single_line = box.height() < 44.0  # no room for number over name
        if not single_line:
            painter.setFont(theme.bold(min(max(box.height() * 0.18, 9.5), theme.scaled(14))))
            painter.setPen(theme.colour(colours.TEXT, 0.6))
            corner = box.adjusted(7, 4, -7, 0)
            painter.drawText(
                corner, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, str(self.n)
            )
        if scene.moment is not None:
            side = min(max(box.height() * 0.24, 11), 18)
            icon_box = QRectF(
                box.right() - side - 4, box.top() + (2 if single_line else 4), side, side
            )
            # Faint while it is being loaded, and where it could not be.
            available = scene.moment in self.session.moments
            theme.draw_icon(
                painter, "moment", colours.TEXT if available else colours.FAINT, icon_box
            )
        painter.setPen(QColor(colours.TEXT))
        above = 0.0 if single_line else box.height() * 0.26
        icon_width = box.height() * 0.24 + 3 if single_line and scene.moment is not None else 0.0
        text_box = box.adjusted(6, above, -6 - icon_width, -5.0 if box.height() < LOW else -8.0)
        largest = min(max(box.height() * 0.26, 11), theme.scaled(20))
        paint_fit_text(painter, text_box, scene.name, largest=largest, smallest=10.0)
        if self.waiting:
            painter.setPen(QPen(QColor(colours.ACCENT), 2.4, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 8, 8)

    def _paint_shares(
        self, painter: QPainter, box: QRectF, colour_shares: list[tuple[str, float]]
    ) -> None:
        """Paint a thin bar at the bottom: the scene's mix, or the progress of a morph."""
        left = box.left() + 8
        width = box.width() - 16
        y = box.bottom() - (4 if box.height() < LOW else 6)
        painter.setPen(Qt.PenStyle.NoPen)
        if self.progress is not None:
            painter.setBrush(QColor(colours.BACKGROUND))
            painter.drawRoundedRect(QRectF(left, y - 1, width, 4), 2, 2)
            painter.setBrush(QColor(colours.ACCENT))
            painter.drawRoundedRect(QRectF(left, y - 1, width * self.progress, 4), 2, 2)
            return
        for hex_color, share in colour_shares:
            painter.setBrush(QColor(hex_color))
            painter.drawRect(QRectF(left, y, width * share, 2))
            left += width * share


class ScenePadGrid(QWidget):
    """All pads, with their state: active, waiting for the next bar, or being morphed to."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.pads = [ScenePad(session, n, self) for n in range(1, SCENES + 1)]
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6)
        for index, pad in enumerate(self.pads):
            grid.addWidget(pad, index // COLUMNS, index % COLUMNS)
            pad.swap_requested.connect(self._swap)

    def refresh(self) -> None:
        for pad in self.pads:
            pad.update()

    def show_state(
        self, active: int | None, waiting: int | None, morphing: int | None, progress: float
    ) -> None:
        """Numbers of pads (from 1) or None; `progress` 0..1 of the morph."""
        for pad in self.pads:
            state = (pad.n == active, pad.n == waiting, progress if pad.n == morphing else None)
            if state != (pad.active, pad.waiting, pad.progress):
                pad.active, pad.waiting, pad.progress = state
                pad.update()

    def set_saving(self, saving: bool) -> None:
        for pad in self.pads:
            pad.saving = saving
            pad.update()

    def set_locked(self, locked: bool) -> None:
        for pad in self.pads:
            pad.locked = locked
            pad.update()

    def _swap(self, n: int, position: QPointF) -> None:
        target = self.childAt(self.mapFromGlobal(position.toPoint()))
        if isinstance(target, ScenePad):
            self.session.scenes.swap(n, target.n)

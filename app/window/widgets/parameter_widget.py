"""Base class of knobs, faders, buttons and pads that are bound to one parameter.

The registry owns the value: a widget paints it after any change and writes its own input to it.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QEnterEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.parameters.registry import Change, Registry

DRAG_PIXELS = 180.0
"""Length of a drag over the whole range, in pixels."""
FINE_FACTOR = 0.1
"""Applied to a drag while Shift is held."""


class ParameterWidget(QWidget):
    """Widget bound to one parameter; subclasses paint it."""

    def __init__(self, registry: Registry, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.registry = registry
        self.parameter_name = name
        self.parameter = registry[name]
        self.hovered = False
        self.model_choice = ""  # the value that the model plays while this is at auto
        self.change_handler: Callable[[str], None] | None = None
        """Called with the source of a change; by default the widget repaints itself."""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.parameter.label)
        self.setAccessibleDescription(self.parameter.help)
        self._unsubscribe = registry.subscribe(self._on_change, name)
        self.destroyed.connect(self._unsubscribe)
        self.setToolTip(self.tooltip_text())
        self._sync_available()

    def tooltip_text(self) -> str:
        """Tooltip (HTML): what the parameter does, and how to change it."""
        hint = {
            "continuous": "Drag, wheel or arrows; shift for fine steps; double-click to reset.",
            "switch": "Click, or enter when it has the focus.",
            "trigger": "Click, or enter when it has the focus.",
            "choice": "Click, wheel or arrows.",
        }[self.parameter.kind]
        if self.parameter.auto:
            hint = f"{hint[:-1]} to auto." if "reset" in hint else hint
            hint += " A: auto."
        return (
            f"<b>{self.parameter.label}</b><br>{self.parameter.help}"
            f"<br><span style='color:#9aa3af'>{hint}</span>"
        )

    # -- from the registry ---------------------------------------------------------------------
    def _on_change(self, change: Change) -> None:
        # On every change: a batch merges the one with source "availability" into later ones.
        self._sync_available()
        if QAccessible.isActive():
            self._tell_screen_reader()
        if self.change_handler is None:
            self.update()
        else:
            self.change_handler(change.source)

    def _tell_screen_reader(self) -> None:
        """The value is a switch's state, and else part of the name (`accessible`)."""
        kind = self.parameter.kind
        if kind != "trigger":
            event = QAccessible.Event.StateChanged
            if kind != "switch":
                event = QAccessible.Event.NameChanged
            QAccessible.updateAccessibility(QAccessibleEvent(self, event))

    def _sync_available(self) -> None:
        self.setEnabled(self.registry.available(self.parameter_name))

    @property
    def unit_position(self) -> float:
        return self.registry.get_unit(self.parameter_name)

    @property
    def is_auto(self) -> bool:
        return self.registry.get(self.parameter_name) is None

    @property
    def text(self) -> str:
        if self.is_auto and self.model_choice:
            return f"auto · {self.model_choice}"
        return self.parameter.text(self.registry.get(self.parameter_name))

    # -- to the registry -----------------------------------------------------------------------
    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Up: 1.0,
            Qt.Key.Key_Right: 1.0,
            Qt.Key.Key_Down: -1.0,
            Qt.Key.Key_Left: -1.0,
            Qt.Key.Key_PageUp: 10.0,
            Qt.Key.Key_PageDown: -10.0,
        }.get(Qt.Key(event.key()))
        fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.modifiers() & ~(
            Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier
        ):
            event.ignore()
        elif steps is not None and self.parameter.kind in ("continuous", "choice"):
            self.registry.nudge(self.parameter_name, steps, fine=fine)
        elif event.key() == Qt.Key.Key_Home and self.parameter.kind == "continuous":
            self.registry.set_unit(self.parameter_name, 0.0)
        elif event.key() == Qt.Key.Key_End and self.parameter.kind == "continuous":
            self.registry.set_unit(self.parameter_name, 1.0)
        elif event.key() == Qt.Key.Key_A and self.parameter.auto:
            self.registry.toggle(f"{self.parameter_name}.auto")
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            if self.parameter.kind in ("continuous", "choice"):
                self.registry.reset(self.parameter_name)
        else:
            event.ignore()

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta().y() or event.angleDelta().x()
        if self.parameter.kind not in ("continuous", "choice") or not delta:
            event.ignore()
            return
        fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        steps = delta / 120.0
        if self.parameter.kind == "choice":
            steps = 1.0 if delta > 0 else -1.0
        self.registry.nudge(self.parameter_name, steps, fine=fine)
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.parameter.kind == "continuous":
            self.registry.reset(self.parameter_name)

    # -- painting ------------------------------------------------------------------------------
    def enterEvent(self, event: QEnterEvent) -> None:
        self.hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered = False
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.update()


class Drag:
    """Relative drag: a value 0..1 that follows the mouse from where it was pressed."""

    def __init__(self, position: QPointF, start: float) -> None:
        self._last = position
        self.value = start

    def move(self, position: QPointF, fine: bool, length: float = DRAG_PIXELS) -> float:
        """Follow the mouse (up and right increase); returns the new value."""
        distance = (self._last.y() - position.y()) + (position.x() - self._last.x())
        self._last = position
        step = distance / length * (FINE_FACTOR if fine else 1.0)
        self.value = min(max(self.value + step, 0.0), 1.0)
        return self.value


class TrackWidget(ParameterWidget):
    """Parameter that is dragged along a track, from wherever it is pressed."""

    _drag: Drag | None = None

    def track_length(self) -> float:
        """Length of the track in pixels: the way from 0 to 1."""
        raise NotImplementedError

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._drag = Drag(event.globalPosition(), self.unit_position)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None:
            fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            position = self._drag.move(event.globalPosition(), fine, self.track_length())
            self.registry.set_unit(self.parameter_name, position)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = None
        self.update()

"""What a screen reader hears of a widget that is bound to a parameter.

Role, value, state and actions come from the parameter. The value is part of the name ("Tempo: 124.0
bpm"): an object of Python cannot pass Qt a QAccessibleValueInterface. Qt asks for these objects
only where a screen reader runs.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QAccessibleWidget

from app.window.widgets.parameter_widget import ParameterWidget

ROLES: Final = {
    "continuous": QAccessible.Role.Slider,
    "switch": QAccessible.Role.CheckBox,
    "trigger": QAccessible.Role.Button,
    "choice": QAccessible.Role.SpinBox,
}
ACTIONS: Final = {
    "continuous": ("Increase", "Decrease"),
    "switch": ("Press",),
    "trigger": ("Press",),
    "choice": ("Increase", "Decrease"),
}
"""Names of Qt's own actions (QAccessibleActionInterface) by kind of parameter."""
_kept: list[object] = []
"""Qt deletes these objects with their widgets; Python must not do it before."""


class ParameterAccessible(QAccessibleWidget):
    """Role, value, state and actions of a `ParameterWidget`."""

    def __init__(self, widget: ParameterWidget) -> None:
        super().__init__(widget, ROLES[widget.parameter.kind], widget.accessibleName())

    @property
    def _widget(self) -> ParameterWidget | None:
        widget = self.object()
        return widget if isinstance(widget, ParameterWidget) else None

    def text(self, kind: QAccessible.Text) -> str:
        widget, text = self._widget, str(super().text(kind))
        if widget is None or widget.parameter.kind == "trigger":
            return text
        if kind == QAccessible.Text.Value:
            return widget.text
        if kind == QAccessible.Text.Name and widget.parameter.kind != "switch":
            return f"{text}: {widget.text}"
        return text

    def state(self) -> QAccessible.State:
        found, widget = super().state(), self._widget
        if widget is not None and widget.parameter.kind == "switch":
            found.checkable = True  # type: ignore[assignment, method-assign]
            found.checked = bool(widget.registry.get(widget.parameter_name))  # type: ignore
        return found

    def actionNames(self) -> list[str]:
        widget = self._widget
        own = () if widget is None or not widget.isEnabled() else ACTIONS[widget.parameter.kind]
        return [*own, *super().actionNames()]

    def doAction(self, name: str) -> None:
        widget = self._widget
        if widget is None or name not in self.actionNames():
            return
        registry, parameter = widget.registry, widget.parameter
        if name in ("Increase", "Decrease"):
            registry.nudge(parameter.name, 1.0 if name == "Increase" else -1.0)
        elif name != "Press":
            super().doAction(name)
        elif parameter.kind == "switch":
            registry.toggle(parameter.name)
        else:
            registry.trigger(parameter.name)


def _factory(name: str, found: QObject) -> QAccessibleInterface | None:
    if not isinstance(found, ParameterWidget):
        return None
    made = ParameterAccessible(found)
    _kept.append(made)
    return made


def install() -> None:
    """Have Qt ask here, from the making of the application on."""
    if not _kept:
        _kept.append(_factory)
        QAccessible.installFactory(_factory)

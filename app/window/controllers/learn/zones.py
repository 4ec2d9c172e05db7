"""Places in the window that learn mode lights: widgets of parameters, buttons, the prompt map."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QApplication, QWidget

from app.parameters.registry import Registry
from app.window.widgets.parameter_widget import ParameterWidget


@dataclass(frozen=True)
class Zone:
    """A place in the window that moves a target. `box` in the overlay's coordinates."""

    target: str
    box: QRect


@dataclass(frozen=True)
class LearnTargets:
    """Widgets of the window that can be mapped.

    centre: what the overlay covers. widgets: all widgets of parameters. buttons: target -> button
    of a target without a widget. prompt_map: the plane, whose edges stand for the cursor's axes.
    """

    centre: QWidget
    widgets: Callable[[], Sequence[ParameterWidget]]
    buttons: Mapping[str, QWidget]
    prompt_map: QWidget

    def zones(self, registry: Registry) -> Iterator[Zone]:
        """The zones that are visible now and whose parameters are available, one a target."""
        whole = self.centre.rect()
        seen: set[str] = set()
        for widget in self.widgets():
            name = widget.parameter_name
            if name in seen or not widget.isVisible() or not registry.available(name):
                continue
            box = box_in(widget, self.centre) & whole
            if not box.isEmpty():
                seen.add(name)
                yield Zone(name, box)
        for target, button in self.buttons.items():
            if button.isVisible():
                yield Zone(target, box_in(button, self.centre))
        if self.prompt_map.isVisible():
            box = box_in(self.prompt_map, self.centre).adjusted(6, 6, -6, -6)
            yield Zone("map.x", QRect(box.left() + 44, box.bottom() - 34, box.width() - 50, 34))
            yield Zone("map.y", QRect(box.left(), box.top() + 6, 34, box.height() - 50))


def box_in(widget: QWidget, parent: QWidget) -> QRect:
    """Where a widget is, in the coordinates of one that holds it."""
    return QRect(widget.mapTo(parent, QPoint(0, 0)), widget.size())


def control_at(position: QPoint) -> ParameterWidget | None:
    """The parameter's widget at a position of the screen."""
    widget: QWidget | None = QApplication.widgetAt(position)
    while widget is not None and not isinstance(widget, ParameterWidget):
        widget = widget.parentWidget()
    return widget

"""What a screen reader is told: roles, names, values, changes and actions, over the whole tree."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QAbstractButton, QComboBox, QWidget

from app.window.widgets import accessible
from app.window.widgets.accessible import ParameterAccessible
from app.window.widgets.parameter_widget import ParameterWidget
from tests.support.rig import Rig

NAME, VALUE = QAccessible.Text.Name, QAccessible.Text.Value


@pytest.fixture
def screen_reader(rig: Rig) -> Iterator[Rig]:
    accessible.install()
    QAccessible.setActive(True)
    yield rig
    QAccessible.setActive(False)


def tree(found: QAccessibleInterface) -> Iterator[QAccessibleInterface]:
    yield found
    for index in range(found.childCount()):
        child = found.child(index)
        if child is not None:
            yield from tree(child)


def interface(widget: QWidget) -> QAccessibleInterface:
    found = QAccessible.queryAccessibleInterface(widget)
    assert found is not None
    return found


def test_everything_that_can_be_played_has_name_role_and_value(screen_reader: Rig) -> None:
    window = screen_reader.window
    seen = 0
    for found in tree(interface(window)):
        widget = found.object()
        if isinstance(widget, ParameterWidget):
            seen += 1
            assert isinstance(found, ParameterAccessible)
            assert found.role() == accessible.ROLES[widget.parameter.kind]
            assert widget.parameter.label in found.text(NAME)
            assert found.text(QAccessible.Text.Description) == widget.parameter.help
            if widget.parameter.kind in ("continuous", "choice"):
                assert found.text(NAME).endswith(widget.text) and found.text(VALUE) == widget.text
        elif isinstance(widget, QAbstractButton | QComboBox):
            assert found.text(NAME) or found.text(QAccessible.Text.Description), widget
    assert seen > 60


def widget_of(rig: Rig, name: str) -> ParameterWidget:
    return next(w for w in rig.window.control_widgets() if w.parameter_name == name)


def test_a_change_is_told(screen_reader: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, QAccessible.Event]] = []
    monkeypatch.setattr(
        "app.window.widgets.parameter_widget.QAccessible.updateAccessibility",
        lambda event: told.append((event.object().accessibleName(), event.type())),
    )
    screen_reader.registry.set("density", 0.25)
    screen_reader.registry.set("prompt.1.mute", True)
    assert ("Density", QAccessible.Event.NameChanged) in told
    assert ("Prompt 1 mute", QAccessible.Event.StateChanged) in told
    density = interface(widget_of(screen_reader, "density"))
    assert density.text(NAME) == "Density: 25 %"
    mute = interface(widget_of(screen_reader, "prompt.1.mute"))
    assert mute.state().checkable and mute.state().checked


def test_actions_play_it(screen_reader: Rig) -> None:
    registry = screen_reader.registry
    for name, action, expected in (
        ("prompt.1.mute", "Press", True),
        ("prompt.1.weight", "Decrease", 0.95),
        ("scene.mode", "Increase", "bar"),
        ("transport.play", "Press", True),
    ):
        found = interface(widget_of(screen_reader, name)).actionInterface()
        assert action in found.actionNames()
        found.doAction(action)
        assert registry.get(name) == expected
    off = interface(widget_of(screen_reader, "prompt.9.mute")).actionInterface()
    assert "Press" not in off.actionNames()
    off.doAction("Press")
    assert registry.get("prompt.9.mute") is False


def test_every_field_has_a_tooltip(screen_reader: Rig) -> None:
    for widget in screen_reader.window.findChildren(QWidget):
        if isinstance(widget, ParameterWidget | QAbstractButton | QComboBox):
            name = widget.objectName()
            assert widget.toolTip() or name.startswith("qt_"), (widget, widget.parent())

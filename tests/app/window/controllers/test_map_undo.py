"""Edits of controller maps are taken back and made again by the program's own undo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.control.midi.map_file import write
from app.control.midi.mapping import ControllerMap
from app.window.controllers.pages.maps_page import MapsPage
from tests.support.controllers_rig import KEYS, KEYS_PORT, MIX, MIX_PORT, ControllersRig

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT_CTRL = CTRL | Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[ControllersRig]:
    rig = ControllersRig(qtbot, tmp_path)
    rig.plug(MIX)
    rig.hub.accept(MIX_PORT)
    rig.session.clear_history()
    yield rig
    rig.close()


def mix(rig: ControllersRig) -> ControllerMap:
    return rig.controller(MIX_PORT)


def shown(rig: ControllersRig, target: str = "prompt.1.weight") -> MapsPage:
    """The page of maps at the mapping of a target."""
    page = rig.controllers("Maps").maps
    page.port, page.mapping = MIX_PORT, mix(rig).mappings_of(target)[0]
    page.refresh()
    return page


def until_learned(rig: ControllersRig, target: str) -> None:
    rig.qtbot.waitUntil(lambda: bool(rig.controller(KEYS_PORT).mappings_of(target)), timeout=5000)


def there_and_back(rig: ControllersRig, before: ControllerMap, after: ControllerMap) -> None:
    """One step, and only one, in both directions; the session has nothing to save from it."""
    assert before != after and mix(rig) == after
    assert rig.window.top.undo.isEnabled() and not rig.session.unsaved
    rig.registry.trigger("edit.undo")
    assert mix(rig) == before and not rig.session.can_undo
    rig.registry.trigger("edit.redo")
    assert mix(rig) == after and not rig.session.can_redo
    rig.registry.trigger("edit.undo")
    assert mix(rig) == before


def test_a_deleted_mapping_comes_back_by_the_keys_of_the_page(rig: ControllersRig) -> None:
    before, page = mix(rig), shown(rig)
    page.delete()
    after = mix(rig)
    assert not after.mappings_of("prompt.1.weight")
    window = rig.controllers()
    assert "takes it back" in window.sentence.text()
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert mix(rig) == before
    QTest.keyClick(window, Qt.Key.Key_Z, SHIFT_CTRL)
    there_and_back(rig, before, after)
    # The list shows what is there again.
    assert "prompt.1.weight" in {m.target for m in page.controller.mappings}  # type: ignore[union-attr]


@pytest.mark.parametrize("field", ["curve", "takeover", "layer", "invert", "kind", "channel"])
def test_every_field_of_a_mapping(rig: ControllersRig, field: str) -> None:
    before, form = mix(rig), shown(rig).form
    if field == "invert":
        form.invert.click()
    else:
        combo = getattr(form, field)
        index = (combo.currentIndex() + 1) % combo.count()
        combo.setCurrentIndex(index)
        combo.activated.emit(index)
    there_and_back(rig, before, mix(rig))


def test_a_range_that_is_pulled_is_one_step(rig: ControllersRig) -> None:
    before, page = mix(rig), shown(rig)
    for percent in (3.0, 8.0, 20.0):
        page.form.low.setValue(percent)
    for percent in (95.0, 80.0):
        page.form.high.setValue(percent)
    after = mix(rig)
    QTest.keyClick(page.form.high.lineEdit(), Qt.Key.Key_Z, CTRL)  # from within the field
    assert mix(rig) == before
    assert page.form.low.value() == 0.0 and page.form.high.value() == 100.0
    rig.registry.trigger("edit.redo")
    there_and_back(rig, before, after)


def test_another_target(rig: ControllersRig) -> None:
    before, page = mix(rig), shown(rig)
    index = page.target.findData("density")
    page.target.setCurrentIndex(index)
    page.target.activated.emit(index)
    there_and_back(rig, before, mix(rig))


def test_another_map_or_a_file(rig: ControllersRig, tmp_path: Path) -> None:
    before, page = mix(rig), shown(rig)
    page.use_ready_made("")
    there_and_back(rig, before, mix(rig))
    path = tmp_path / "mine.json"
    path.write_text(write(before.without(target="prompt.2.weight")), encoding="utf-8")
    assert page.files.load(MIX_PORT, path)
    there_and_back(rig, before, mix(rig))


def test_a_lesson_is_taken_back_while_learning_goes_on(rig: ControllersRig) -> None:
    rig.plug(MIX, KEYS)
    rig.coordinator.start_learning()
    before = rig.controller(KEYS_PORT)
    for number, target in ((20, "density"), (21, "brightness")):
        rig.click(target)
        rig.turn(number)
        until_learned(rig, target)
    last = rig.coordinator.last_result
    assert last is not None and last[1].target == "brightness"
    QTest.keyClick(rig.overlay, Qt.Key.Key_Z, CTRL)
    assert not rig.controller(KEYS_PORT).mappings_of("brightness")
    assert rig.coordinator.last_result is None and "CC 21" not in rig.overlay.tags["brightness"]
    assert rig.controller(KEYS_PORT).mappings_of("density")
    QTest.keyClick(rig.overlay, Qt.Key.Key_Z, CTRL)
    assert rig.controller(KEYS_PORT) == before
    rig.registry.trigger("edit.redo")
    rig.registry.trigger("edit.redo")
    assert rig.controller(KEYS_PORT).mappings_of("brightness")


def test_a_control_freed_on_all_controllers_is_one_step(rig: ControllersRig) -> None:
    rig.plug(MIX, KEYS)
    rig.coordinator.start_learning()
    rig.click("prompt.1.weight")
    rig.turn(20)
    until_learned(rig, "prompt.1.weight")
    rig.session.clear_history()
    before = mix(rig), rig.controller(KEYS_PORT)
    rig.click("prompt.1.weight", Qt.MouseButton.RightButton)
    assert "prompt.1.weight" not in rig.hub.mapped_targets()
    rig.registry.trigger("edit.undo")
    assert (mix(rig), rig.controller(KEYS_PORT)) == before and not rig.session.can_undo


def test_turns_are_taken_with_edits_of_the_session(rig: ControllersRig) -> None:
    page, before = shown(rig), mix(rig)
    rig.registry.set("density", 0.25)
    page.delete()
    rig.registry.set("brightness", 0.75)
    rig.registry.trigger("edit.undo")
    assert rig.registry.get("brightness") is None and mix(rig) != before
    rig.registry.trigger("edit.undo")
    assert mix(rig) == before and rig.registry.get("density") == 0.25
    rig.registry.trigger("edit.undo")
    assert rig.registry.get("density") is None


def test_what_came_back_works_and_is_kept(rig: ControllersRig) -> None:
    page = shown(rig)
    page.delete()
    rig.registry.trigger("edit.undo")
    rig.registry.set("prompt.1.weight", 0.0)
    for value in (0, 60, 127):
        rig.backend.play(MIX, 0xB0, 19, value)
    rig.qtbot.waitUntil(lambda: rig.registry.get("prompt.1.weight") == 2.0, timeout=3000)
    rig.hub.map_store.save(0.0, everything=True)
    own = rig.hub.library.user_map(MIX_PORT)
    assert own is not None and own.mappings_of("prompt.1.weight")


def test_undo_while_it_is_unplugged(rig: ControllersRig) -> None:
    before, page = mix(rig), shown(rig)
    page.delete()
    rig.plug()
    rig.registry.trigger("edit.undo")
    assert mix(rig) == before
    rig.plug(MIX)
    assert mix(rig) == before

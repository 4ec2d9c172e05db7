"""Learn mode in the window, with a controller in memory: clicks, keys, kinds, corrections."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from tests.support.controllers_rig import KEYS, KEYS_PORT, MIX, MIX_PORT, ControllersRig

LEFT, NOTHING = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[ControllersRig]:
    rig = ControllersRig(qtbot, tmp_path)
    yield rig
    rig.close()


def test_sixteen_controls_by_sixteen_clicks_and_sixteen_moves(rig: ControllersRig) -> None:
    """The bar: 8 knobs and 8 pads from nothing in under a minute."""
    rig.plug(KEYS)
    began = time.monotonic()
    clicks = 0
    QTest.keyClick(rig.window, Qt.Key.Key_L)
    for n in range(1, 9):
        rig.click(f"prompt.{n}.weight")
        clicks += 1
        rig.turn(69 + n)
        rig.until_mapped(f"prompt.{n}.weight")
    for n in range(1, 9):
        rig.click(f"scene.{n}.recall")
        clicks += 1
        rig.hit(35 + n)
        rig.until_mapped(f"scene.{n}.recall")
    assert clicks == 16 and time.monotonic() - began < 60.0
    for n in range(1, 9):
        _, knob = rig.mapping_of(f"prompt.{n}.weight")
        assert (knob.kind, knob.message, knob.channel, knob.number) == ("knob", "cc", 1, 69 + n)
        _, pad = rig.mapping_of(f"scene.{n}.recall")
        assert (pad.kind, pad.message, pad.channel, pad.number) == ("pad", "note", 10, 35 + n)
    QTest.keyClick(rig.overlay, Qt.Key.Key_Escape)
    assert not rig.overlay.isVisible()
    # And they play: learned knobs are picked up where they meet the value.
    rig.registry.set("prompt.3.weight", 0.5)
    for value in (20, 30, 40):
        rig.backend.play(KEYS, 0xB0, 72, value)
    rig.qtbot.waitUntil(
        lambda: rig.registry.get("prompt.3.weight") == pytest.approx(80 / 127), timeout=3000
    )


def test_a_row_is_learned_with_one_click(rig: ControllersRig) -> None:
    rig.plug(KEYS)
    rig.window.top.learn.click()
    rig.click("prompt.1.weight")
    for n in range(1, 9):
        assert rig.hub.learn_mode.target == f"prompt.{n}.weight"
        rig.turn(20 + n)
        rig.until_mapped(f"prompt.{n}.weight")
    assert rig.hub.learn_mode.target is None


def test_a_sweep_of_the_mouse_is_a_list(rig: ControllersRig) -> None:
    rig.plug(KEYS)
    rig.coordinator.start_learning()
    names = ("density", "brightness", "chaos")
    places = []
    for name in names:
        zone = rig.overlay.zone_of(name)
        assert zone is not None
        places.append(zone.box.center())
    QTest.mousePress(rig.overlay, LEFT, NOTHING, places[0])
    for place in places[1:]:
        QTest.mouseMove(rig.overlay, place)
        # The offscreen platform's own move event holds no button: hand it over as it would be.
        rig.overlay.mouseMoveEvent(_move(place))
    QTest.mouseRelease(rig.overlay, LEFT, NOTHING, places[-1])
    assert rig.hub.learn_mode.target == "density" and rig.hub.learn_mode.left == 2
    for number, name in enumerate(names):
        rig.turn(30 + number)
        rig.until_mapped(name)
    first, last = rig.overlay.zone_of("prompt.1.mute"), rig.overlay.zone_of("prompt.8.mute")
    assert first is not None and last is not None
    QTest.mousePress(rig.overlay, LEFT, NOTHING, first.box.center())
    rig.overlay.mouseMoveEvent(_move(last.box.center()))  # in one leap, over the solos too
    QTest.mouseRelease(rig.overlay, LEFT, NOTHING, last.box.center())
    assert rig.overlay.queue == tuple(f"prompt.{n}.mute" for n in range(2, 9))


def _move(place: QPoint) -> QMouseEvent:
    spot = QPointF(place)
    return QMouseEvent(QEvent.Type.MouseMove, spot, spot, LEFT, LEFT, NOTHING)


def test_everything_that_can_be_mapped_is_lit(rig: ControllersRig) -> None:
    rig.coordinator.start_learning()
    lit = {zone.target for zone in rig.overlay.zones}
    wanted = {
        "transport.play", "transport.panic", "tempo", "tempo.tap", "key", "density", "mixer.master",
        "stem.drums", "record", "scene.16.recall", "scene.mode", "prompt.8.mute", "edit.undo",
        "view", "stage",
    }  # fmt: skip
    assert wanted <= lit
    assert all(target in rig.registry for target in lit)
    assert "prompt.9.weight" not in lit  # there is no such strip
    rig.registry.set("view", "map")
    rig.overlay.poll()
    assert {"map.x", "map.y", "map.orbit"} <= {zone.target for zone in rig.overlay.zones}
    rig.worker.ready(frozenset({"style", "bpm"}))
    rig.overlay.poll()
    assert rig.overlay.zone_of("density") is None, "the engine has no such control"


def test_nothing_is_played_while_learning_and_what_was_learned_last_is_shown(
    rig: ControllersRig,
) -> None:
    rig.plug(KEYS)
    before = rig.registry.get("density")
    rig.coordinator.start_learning()
    rig.click("density")
    rig.turn(40)
    rig.until_mapped("density")
    assert rig.registry.get("density") == before
    assert "Density" in rig.panel.learned.text() and "CC 40" in rig.panel.learned.text()
    assert rig.overlay.tags["density"] == "CC 40"


def test_a_lesson_is_corrected_and_forgotten(rig: ControllersRig) -> None:
    rig.plug(KEYS)
    rig.coordinator.start_learning()
    rig.click("density")
    rig.turn(40)
    rig.until_mapped("density")
    form = rig.panel.form
    form.kind.setCurrentIndex(form.kind.findData("relative-twos"))
    form.kind.activated.emit(form.kind.currentIndex())
    form.channel.setCurrentIndex(0)
    form.channel.activated.emit(0)
    form.low.setValue(25)
    form.high.setValue(75)
    mapping, control = rig.mapping_of("density")
    assert (control.kind, control.channel, control.shape) == ("relative-twos", None, "encoder")
    assert (mapping.low, mapping.high) == (0.25, 0.75)
    rig.panel.forget.click()
    assert not rig.controller().mappings_of("density")
    assert rig.hub.learn_mode.target == "density", "it waits again"


def test_one_control_may_move_two_targets_and_a_right_click_frees(rig: ControllersRig) -> None:
    rig.plug(KEYS)
    rig.coordinator.start_learning()
    for target in ("density", "brightness"):
        rig.click(target)
        # The same knob again: after a rest it is no longer taken for the last one's tail.
        rig.qtbot.wait(850)
        rig.turn(40)
        rig.until_mapped(target)
    assert len(rig.controller().controls) == 2  # the knob, and program change
    rig.click("density", Qt.MouseButton.RightButton)
    assert rig.hub.mapped_targets() & {"density", "brightness"} == {"brightness"}


def test_the_key_held_over_a_control(rig: ControllersRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.plug(KEYS)
    knob = rig.window.controls.knobs["chaos"]
    monkeypatch.setattr("app.window.controllers.coordinator.control_at", lambda place: knob)
    QTest.keyPress(rig.window, Qt.Key.Key_L)
    assert rig.hub.learn_mode.target == "chaos"
    rig.turn(50)
    rig.until_mapped("chaos")
    rig.qtbot.wait(450)
    # As X repeats a key where the machine is busy: up and down again at once.
    QTest.keyRelease(rig.overlay, Qt.Key.Key_L)
    QTest.keyPress(rig.overlay, Qt.Key.Key_L)
    rig.qtbot.wait(150)
    assert rig.coordinator.learning
    QTest.keyRelease(rig.overlay, Qt.Key.Key_L)
    rig.qtbot.waitUntil(lambda: not rig.coordinator.learning, timeout=2000)
    QTest.keyPress(rig.window, Qt.Key.Key_L)
    QTest.keyRelease(rig.overlay, Qt.Key.Key_L)
    rig.qtbot.wait(150)
    assert rig.coordinator.learning, "a tap stays"


def test_keys_of_the_instrument_still_work_while_learning(rig: ControllersRig) -> None:
    rig.coordinator.start_learning()
    QTest.keyClick(rig.overlay, Qt.Key.Key_Space)
    assert rig.registry.get("transport.play") is True
    QTest.keyClick(rig.overlay, Qt.Key.Key_Tab)
    first = rig.hub.learn_mode.target
    QTest.keyClick(rig.overlay, Qt.Key.Key_Right)
    assert first is not None and rig.hub.learn_mode.target not in (None, first)


def test_without_a_controller_it_says_so(rig: ControllersRig) -> None:
    rig.coordinator.start_learning()
    assert "No MIDI input" in rig.panel.input_text.text()
    rig.plug(KEYS)
    rig.qtbot.waitUntil(lambda: KEYS_PORT in rig.panel.input_text.text(), timeout=2000)


def test_a_map_is_offered_once(rig: ControllersRig) -> None:
    rig.plug(MIX)
    rig.qtbot.waitUntil(rig.coordinator.offer.isVisible, timeout=2000)
    assert (
        "Akai" in rig.coordinator.offer.words.text()
        and "Use its map?" in rig.coordinator.offer.words.text()
    )
    assert not rig.controller(MIX_PORT).mappings_of("prompt.1.weight")
    rig.coordinator.offer.later.click()
    assert not rig.coordinator.offer.isVisible()
    assert rig.hub.settings.maps == {MIX_PORT: ""}
    rig.plug()
    rig.plug(MIX)
    assert not rig.coordinator.offer.isVisible()


def test_the_offered_map_plays(rig: ControllersRig) -> None:
    rig.plug(MIX)
    rig.qtbot.waitUntil(rig.coordinator.offer.isVisible, timeout=2000)
    rig.coordinator.offer.yes.click()
    rig.backend.play(MIX, 0x90, 1, 127)
    rig.qtbot.waitUntil(lambda: rig.registry.get("prompt.1.mute") is True, timeout=2000)

"""Keyboard settings in the window: octave, latch, all notes off, and the strength knob."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.window.panels.played_keys import Stepper
from tests.support.controllers_rig import KEYS, KEYS_PORT, ControllersRig
from tests.support.fake_player import INFO

LEFT, NOTHING = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[ControllersRig]:
    rig = ControllersRig(qtbot, tmp_path)
    rig.plug(KEYS)
    yield rig
    rig.close()


def play(rig: ControllersRig, *notes: int, on: bool = True) -> None:
    for note in notes:
        rig.backend.play(KEYS, 0x90 if on else 0x80, note, 90)


def held(rig: ControllersRig, *notes: int) -> None:
    rig.qtbot.waitUntil(lambda: rig.window.live.notes == notes, timeout=3000)


def test_an_octave_up_by_its_arrow(rig: ControllersRig) -> None:
    stepper: Stepper = rig.window.controls.played_keys.octave
    right = QPoint(stepper.width() - 4, stepper.height() // 2)
    QTest.mouseClick(stepper, LEFT, NOTHING, right)
    assert stepper.label == "Octave +1"
    play(rig, 60)
    held(rig, 72)
    QTest.mouseClick(stepper, LEFT, NOTHING, QPoint(4, stepper.height() // 2))
    QTest.mouseClick(stepper, LEFT, NOTHING, QPoint(4, stepper.height() // 2))
    assert stepper.label == "Octave -1"
    play(rig, 60, on=False)  # released as it was pressed, whatever the octave is now
    held(rig)
    QTest.mouseDClick(stepper, LEFT, NOTHING, stepper.rect().center())
    assert stepper.label == "Octave 0"


def test_latch_and_all_notes_off(rig: ControllersRig) -> None:
    keys, selector = rig.window.controls.played_keys, rig.window.controls.key
    QTest.mouseClick(keys.latch, LEFT)
    play(rig, 60, 64)
    play(rig, 60, 64, on=False)
    held(rig, 60, 64)
    assert keys.off.on and selector.held_pitch_classes == {0, 4}
    QTest.mouseClick(keys.off, LEFT)
    held(rig)
    assert not keys.off.on and not selector.held_pitch_classes


def test_panic_puts_the_light_out(rig: ControllersRig) -> None:
    play(rig, 60)
    held(rig, 60)
    rig.registry.trigger("transport.panic")
    held(rig)
    assert not rig.window.controls.played_keys.off.on


def test_they_can_be_learned(rig: ControllersRig) -> None:
    rig.coordinator.start_learning()
    for number, target in ((20, "keys.latch"), (21, "keys.off"), (22, "keys.octave")):
        rig.click(target)
        rig.turn(number)
        rig.until_mapped(target)
    rig.click("strength")
    rig.turn(23)
    rig.until_mapped("strength")
    rig.coordinator.stop_learning()
    rig.backend.play(KEYS, 0xB0, 23, 67)  # from where the lesson left the knob
    strength = rig.registry["strength"]
    assert strength.default == 1.0 and rig.mapping_of("strength", KEYS_PORT)[1].kind == "knob"


def test_a_lamp_tells_that_notes_are_held(rig: ControllersRig) -> None:
    led = rig.hub._led
    assert led("keys.off") == 0.0
    play(rig, 60)
    held(rig, 60)
    assert led("keys.off") == 1.0


def test_an_engine_without_them_shows_none(rig: ControllersRig) -> None:
    controls = rig.window.controls
    assert controls.played_keys.isVisible() and controls.strength.isVisible()
    bare = replace(INFO, controls=INFO.controls - {"notes", "strength"})
    rig.worker.engine_ready.emit(bare)
    assert not controls.played_keys.isVisible() and not controls.strength.isVisible()
    assert not rig.registry.set("keys.latch", True) and not rig.registry.set("strength", 0.5)


def test_tooltips_say_what_they_do(rig: ControllersRig) -> None:
    controls = rig.window.controls
    keys = controls.played_keys
    for widget in (keys.octave, keys.latch, keys.off, controls.strength):
        assert widget.parameter.help in widget.toolTip()

"""Magenta's controls in the window: keys, drums, and the sampling page with its presets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint

from app.audio.input.settings import InputStatus
from app.parameters.input_parameters import FOLLOW_OPTIONS
from app.parameters.magenta_parameters import PRESET_TRIGGERS
from models.engine.controls import Controls
from models.engine.interface import SENDS
from models.magenta_rt2.conditioning import CONTROLS
from tests.support.fake_player import INFO
from tests.support.rig import LEFT, Rig


@pytest.fixture
def magenta(rig: Rig) -> Rig:
    rig.worker.ready(CONTROLS)
    return rig


def last(rig: Rig) -> Controls:
    return rig.worker.submitted[-1][0]


def test_they_are_shown_with_the_engine_alone(rig: Rig) -> None:
    controls = rig.window.controls
    widgets = (controls.onsets, controls.drums, controls.more, controls.knobs["note_width"])
    rig.worker.ready(frozenset({"style", "mute", "chaos"}))
    assert not any(widget.isVisible() for widget in widgets)
    assert controls.stems["drums"].isVisible()
    rig.worker.ready(CONTROLS)
    assert all(widget.isVisible() for widget in widgets)
    assert controls.stems["drums"].isHidden()
    rig.worker.ready(frozenset({"style", "mute", "chaos"}))
    assert not any(widget.isVisible() for widget in widgets)


def test_the_sends_that_act_and_their_options_alone(rig: Rig) -> None:
    """Of Follow tempo and chords; no echo, and Memory without a looper."""
    strip = rig.window.widgets.input
    rig.output.audio = replace(rig.output.audio, input=InputStatus(running=True))
    rig.window.input.frame()
    for name in ("send.follow", "send.memory"):
        rig.registry.set(name, 0.8)

    def shown() -> set[str]:
        knobs = (strip.style_send, strip.memory_send, strip.follow_send, strip.echo_send)
        memory, part = strip.memory_options.mode, strip.follow_options.part
        widgets = (*knobs, *strip.follow_options.rows, part, memory)
        return {w.parameter_name for w in widgets if w.isVisibleTo(strip)}

    sends = {"send.style", "send.memory", "send.follow"}
    rig.window.resize(2200, 1200)
    rig.worker.engine_ready.emit(replace(INFO, sends=SENDS))
    assert shown() == {*sends, "send.echo", "send.memory.mode", *FOLLOW_OPTIONS}
    rig.worker.engine_ready.emit(replace(INFO, controls=CONTROLS, sends=SENDS - {"echo"}))
    assert shown() == {*sends, "follow.lock", "follow.chords"}


def test_drums_on_off_and_auto(magenta: Rig) -> None:
    drums = magenta.window.controls.drums
    found = []
    for place in (0.55, 0.9, 0.1):
        before = len(magenta.worker.submitted)
        spot = QPoint(round(drums.width() * place), drums.height() // 2)
        magenta.qtbot.mouseClick(drums, LEFT, pos=spot)
        magenta.qtbot.waitUntil(lambda: len(magenta.worker.submitted) > before, timeout=2000)  # noqa: B023
        found.append(last(magenta).drums)
    assert found == [True, False, None]


def test_only_my_keys_and_strikes(magenta: Rig) -> None:
    registry = magenta.registry
    registry.set("note_width", 127.0)
    registry.set("note_onsets", "strike")
    magenta.window.live.set_notes((60,))
    magenta.qtbot.waitUntil(lambda: last(magenta).strikes == (60,), timeout=2000)
    found = last(magenta)
    assert (found.notes, found.note_width, found.note_onsets) == ((60,), 127.0, "strike")
    # What is struck and let go before the next submission is sent all the same, and once.
    magenta.window.live.set_notes((60, 64))
    magenta.window.live.set_notes((60,))
    magenta.qtbot.waitUntil(lambda: last(magenta).strikes == (64,), timeout=2000)
    assert last(magenta).notes == (60,)
    registry.set("chaos", 0.3)
    magenta.qtbot.waitUntil(lambda: last(magenta).chaos == 0.3, timeout=2000)
    assert last(magenta).strikes == ()


def test_a_preset_is_one_edit(magenta: Rig) -> None:
    controls = magenta.window.controls
    magenta.registry.set("guidance", 2.0)
    controls.more.click()
    assert controls.sampling.isVisible()
    magenta.qtbot.mouseClick(controls.sampling.presets["preset.runtime"], LEFT)
    magenta.qtbot.waitUntil(lambda: last(magenta).temperature == 1.0, timeout=2000)
    found = last(magenta)
    assert (found.top_k, found.guidance, found.guidance_notes) == (100.0, 3.0, 5.0)
    magenta.registry.trigger("edit.undo")
    magenta.qtbot.waitUntil(lambda: last(magenta).temperature is None, timeout=2000)
    assert (last(magenta).top_k, last(magenta).guidance) == (None, 2.0)
    controls.sampling.hide()


def test_a_preset_from_a_controller(magenta: Rig) -> None:
    assert magenta.registry.trigger("preset.collider", "midi")
    assert magenta.registry.get("guidance_notes") == 0.0
    magenta.worker.ready(frozenset({"style", "density"}))
    assert not any(magenta.registry.trigger(name, "midi") for name in PRESET_TRIGGERS)

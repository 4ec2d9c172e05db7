"""Main window with a fake player, offscreen: input, panels, scenes, files, closing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from models.engine.interface import ScoreInfo
from tests.support.rig import LEFT, Rig


def test_a_knob_reaches_the_worker(rig: Rig) -> None:
    rig.registry.set("prompt.2.weight", 2.0, "midi")
    rig.qtbot.waitUntil(lambda: rig.worker.submitted[-1][1][1].weight == 2.0, timeout=2000)
    assert rig.window.mixer.strips[1].share > 0.4


def test_knob_keys_and_auto(rig: Rig) -> None:
    knob = rig.window.controls.knobs["density"]
    rig.registry.set("density", 0.5)
    rig.qtbot.keyClick(knob, Qt.Key.Key_Up)
    assert rig.registry.get("density") == pytest.approx(0.55)
    rig.qtbot.keyClick(knob, Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert rig.registry.get("density") == pytest.approx(0.56)
    rig.qtbot.keyClick(knob, Qt.Key.Key_A)
    assert rig.registry.get("density") is None


def test_shortcuts(rig: Rig) -> None:
    rig.qtbot.keyClick(rig.window, Qt.Key.Key_Space)
    assert rig.worker.calls[-1] == ("play",)
    rig.qtbot.keyClick(rig.window, Qt.Key.Key_C)
    assert rig.worker.calls[-1] == ("clear",)
    rig.qtbot.keyClick(rig.window, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    assert ("panic",) in rig.worker.calls and rig.registry.get("transport.play") is False
    rig.qtbot.keyClick(rig.window, Qt.Key.Key_M)
    assert rig.window.widgets.views.currentWidget() is rig.window.map_panel


def test_only_what_the_engine_has_is_shown(rig: Rig) -> None:
    rig.worker.ready(frozenset({"style", "bpm"}))
    assert not rig.window.controls.tempo.isHidden()
    assert rig.window.controls.knobs["density"].isHidden()
    assert rig.window.controls.stems["drums"].isHidden()


FORM = frozenset({"energy", "fill", "next_section", "follow_prompts", "change_at"})


def test_the_controls_of_the_form_come_with_the_engine(rig: Rig) -> None:
    controls = rig.window.controls
    widgets = {
        "energy": controls.knobs["energy"], "fill": controls.fill,
        "next_section": controls.next_section, "follow_prompts": controls.follow,
        "change_at": controls.arrival,
    }  # fmt: skip
    for shown in (frozenset(), frozenset({"fill"}), FORM - {"fill"}, FORM):
        rig.worker.ready(frozenset({"style", "key"}) | shown)
        assert {name for name, widget in widgets.items() if widget.isVisible()} == shown
        assert {name for name, widget in widgets.items() if widget.isEnabled()} == shown


def test_a_trigger_is_of_one_submission(rig: Rig) -> None:
    def triggers() -> list[tuple[bool, bool]]:
        return [(c.fill, c.next_section) for c, *_ in rig.worker.submitted[before:]]

    for press, expected in (
        (lambda: rig.qtbot.mouseClick(rig.window.controls.fill, LEFT), (True, False)),
        (lambda: rig.qtbot.mouseClick(rig.window.controls.next_section, LEFT), (False, True)),
        (lambda: rig.qtbot.keyClick(rig.window, Qt.Key.Key_F), (True, False)),
        (lambda: rig.qtbot.keyClick(rig.window, Qt.Key.Key_N), (False, True)),
        (lambda: rig.registry.trigger("fill", "midi"), (True, False)),
    ):
        before = len(rig.worker.submitted)
        press()
        rig.qtbot.waitUntil(lambda: len(triggers()) == 1, timeout=2000)
        rig.registry.set("energy", 0.3 if rig.registry.get("energy") != 0.3 else 0.4)
        rig.qtbot.waitUntil(lambda: len(triggers()) == 2, timeout=2000)
        assert triggers() == [expected, (False, False)]


def test_an_engine_without_triggers_is_sent_none(rig: Rig) -> None:
    rig.worker.ready(frozenset({"style", "density"}))
    assert not rig.registry.trigger("fill", "osc")
    rig.qtbot.keyClick(rig.window, Qt.Key.Key_N)
    rig.registry.set("density", 0.7)
    rig.qtbot.waitUntil(lambda: rig.worker.submitted[-1][0].density == 0.7, timeout=2000)
    assert not any(c.fill or c.next_section for c, *_ in rig.worker.submitted)


def test_the_form_reaches_the_worker_a_scene_and_undo(rig: Rig) -> None:
    registry = rig.registry
    rig.qtbot.mouseClick(rig.window.controls.follow, LEFT)
    rig.qtbot.keyClick(rig.window.controls.arrival, Qt.Key.Key_Right)
    registry.set("energy", 0.8)

    def last() -> tuple[object, ...]:
        c = rig.worker.submitted[-1][0]
        return c.energy, c.follow_prompts, c.change_at

    rig.qtbot.waitUntil(lambda: last() == (0.8, True, "bar"), timeout=2000)
    registry.trigger("scene.1.save")
    for name, value in (("energy", None), ("follow_prompts", False), ("change_at", "now")):
        registry.set(name, value)
    rig.qtbot.waitUntil(lambda: last() == (None, False, "now"), timeout=2000)
    registry.trigger("edit.undo")
    assert registry.get("change_at") == "bar"
    registry.trigger("scene.1.recall")
    rig.qtbot.waitUntil(lambda: last() == (0.8, True, "bar"), timeout=2000)


def test_scenes_now_on_the_bar_and_as_a_morph(rig: Rig) -> None:
    rig.registry.set("density", 0.2)
    rig.registry.trigger("scene.1.save")
    rig.registry.set("density", 0.8)
    rig.registry.trigger("scene.1.recall")
    assert rig.registry.get("density") == 0.2
    rig.registry.set("density", 0.8)
    rig.registry.set("scene.mode", "bar")
    rig.worker.bar = 96_000
    rig.registry.trigger("scene.1.recall")
    assert rig.worker.submitted[-1][3] == 96_000 and rig.registry.get("density") == 0.8
    rig.output.read = 96_001.0
    rig.window.live.frame()
    assert rig.registry.get("density") == 0.2
    rig.registry.set("density", 0.8)
    rig.registry.set("scene.mode", "morph")
    rig.registry.set("scene.morph_time", 0.5)
    rig.registry.trigger("scene.1.recall")
    rig.qtbot.waitUntil(lambda: rig.registry.get("density") == 0.2, timeout=5000)


def test_writing_a_prompt(rig: Rig) -> None:
    rig.window.prompt_actions.edit(1)
    assert rig.window.editor.isVisible()
    rig.window.editor.line.setText("  tape   loops ")
    rig.qtbot.keyClick(rig.window.editor.line, Qt.Key.Key_Return)
    assert rig.session.prompts[0].text == "tape loops"
    assert rig.worker.wanted[-1] == "text:tape loops"
    rig.registry.trigger("edit.undo")
    assert rig.session.prompts[0].text == "Minimal Techno"


def test_a_failed_style_is_said(rig: Rig) -> None:
    rig.worker.answer_styles = False
    rig.session.prompts.set(1, text="x")
    assert rig.window.mixer.strips[0].state == "waiting"
    rig.worker.style_failed.emit("text:x", "that cannot be heard.")
    assert rig.window.mixer.strips[0].state == "failed"
    assert "cannot be heard" in rig.window.incidents.text()


def test_the_map_moves_the_mix(rig: Rig) -> None:
    rig.registry.set("view", "map")
    plane = rig.window.map_panel.map
    spot = plane.to_screen(rig.session.prompts.points()[2]).toPoint() + QPoint(0, 1)
    plane.locked = True  # so that the press takes the cursor, not the prompt
    rig.qtbot.mouseClick(plane, LEFT, pos=spot)
    shares = rig.session.prompts.shares()
    assert shares.index(max(shares)) == 2


def test_spectrogram_click_goes_back_and_drag_selects(rig: Rig) -> None:
    noise = np.random.default_rng(0).standard_normal((48_000 * 10, 2)).astype(np.float32) * 0.1
    rig.worker.plan(0, noise, ScoreInfo(tempo=120.0))
    for _ in range(60):
        rig.window.spectrogram.frame(48_000 * 8.0)
    picture = rig.window.spectrogram
    assert picture.plot.bars and picture.spectra.end > 450
    went: list[int] = []
    picture.seek_requested.connect(went.append)
    x = picture.point_at(-4.0)
    rig.qtbot.mouseClick(picture.viewport(), LEFT, pos=x)
    assert went and went[0] == pytest.approx(48_000 * 4, abs=4000)


def test_recording_and_its_failure(rig: Rig, tmp_path: Path) -> None:
    rig.window.apply_preferences(
        type(rig.window.preferences)(record_folder=str(tmp_path / "takes"))
    )
    rig.registry.set("record", True)
    assert rig.capture_thread.recording is not None
    rig.registry.set("record", False)
    rig.qtbot.waitUntil(lambda: rig.capture_thread.recording is None, timeout=2000)
    rig.qtbot.waitUntil(rig.window.recording.take.isVisible, timeout=2000)
    rig.capture_thread.problem = ValueError("the disk is full.")
    rig.capture_thread.range = (0, 480_000)
    rig.registry.trigger("capture.save")
    rig.qtbot.waitUntil(lambda: "disk is full" in rig.window.incidents.text(), timeout=2000)


def test_sessions_open_save_and_bad_files(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "x.segue.json"
    rig.registry.set("density", 0.3)
    assert rig.window.files.save_path(path) and not rig.session.unsaved
    rig.registry.set("density", 0.9)
    assert rig.window.files.open_path(path) and rig.registry.get("density") == 0.3
    path.write_text("{")
    assert not rig.window.files.open_path(path) and rig.registry.get("density") == 0.3

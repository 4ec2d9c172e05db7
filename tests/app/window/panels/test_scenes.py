"""Scene pads, tempo, key and prompt map, with mouse and keyboard."""

from __future__ import annotations

import math

import pytest
from PySide6.QtCore import QPoint, Qt

from tests.support.rig import CTRL, LEFT, SHIFT, Rig


def test_pads_keep_and_bring_back(rig: Rig) -> None:
    pads = rig.window.scenes.grid.pads
    rig.registry.set("density", 0.2)
    rig.qtbot.mouseClick(pads[0], LEFT, SHIFT)
    scene = rig.session.scenes[0]
    assert scene is not None and scene.name == "Minimal Techno" and pads[0].active
    rig.registry.set("density", 0.9)
    rig.qtbot.mouseClick(rig.window.scenes.save, LEFT)
    rig.qtbot.mouseClick(pads[5], LEFT)
    again = rig.session.scenes[5]
    assert again is not None and again.name == "Minimal Techno 2"
    assert not rig.window.scenes.save.isChecked(), "one pad, then the button is up again"
    rig.qtbot.mouseClick(pads[0], LEFT)
    assert rig.registry.get("density") == 0.2
    rig.key(Qt.Key.Key_6)
    assert rig.registry.get("density") == 0.9 and pads[5].active and not pads[0].active
    rig.key(Qt.Key.Key_3, CTRL)
    assert rig.session.scenes[2] is not None


def test_an_empty_pad_does_nothing_and_says_how(rig: Rig) -> None:
    rig.key(Qt.Key.Key_4)
    assert "empty" in rig.window.status.message and not rig.session.can_undo


def test_pads_are_moved_and_emptied(rig: Rig) -> None:
    pads = rig.window.scenes.grid.pads
    rig.registry.trigger("scene.1.save")
    target = pads[6].geometry().center() - pads[0].pos()
    rig.drag(pads[0], pads[0].rect().center(), target)
    assert rig.session.scenes[0] is None and rig.session.scenes[6] is not None
    menu = rig.context_menu(pads[6])
    assert menu is not None
    rig.pick(menu, "Empty")
    assert rig.session.scenes[6] is None
    rig.registry.trigger("edit.undo")
    assert rig.session.scenes[6] is not None


def test_on_the_next_bar_comes_to_the_sample_and_is_marked(rig: Rig) -> None:
    rig.registry.set("density", 0.2)
    rig.session.scenes.save(1, "Quiet")
    rig.registry.set("density", 0.8)
    rig.window.live.flush()
    rig.qtbot.mouseClick(rig.window.scenes.mode, LEFT, pos=_segment(rig, 1))
    assert rig.registry.get("scene.mode") == "bar"
    rig.worker.bar = 96_000
    rig.qtbot.mouseClick(rig.window.scenes.grid.pads[0], LEFT)
    controls, _, mark, at = rig.worker.submitted[-1]
    assert (controls.density, mark, at) == (0.2, "Quiet", 96_000)
    assert rig.window.scenes.grid.pads[0].waiting
    rig.output.read = 95_000.0
    rig.window.frames.draw()
    assert rig.registry.get("density") == 0.8
    rig.output.read = 96_001.0
    rig.window.frames.draw()
    assert rig.registry.get("density") == 0.2
    assert not rig.window.scenes.grid.pads[0].waiting


def test_where_no_bar_is_known_a_scene_comes_at_once(rig: Rig) -> None:
    rig.registry.set("density", 0.2)
    rig.session.scenes.save(1)
    rig.registry.set("density", 0.8)
    rig.registry.set("scene.mode", "bar")
    rig.registry.trigger("scene.1.recall")
    assert rig.registry.get("density") == 0.2


def test_a_morph_moves_and_a_hand_ends_it(rig: Rig) -> None:
    rig.registry.set("density", 0.0)
    rig.session.scenes.save(1)
    rig.registry.set("density", 1.0)
    rig.registry.set("scene.mode", "morph")
    rig.registry.set("scene.morph_time", 3.0)
    rig.registry.trigger("scene.1.recall")
    seen: list[float] = []

    def moved() -> bool:
        seen.append(rig.registry.number("density"))
        return seen[-1] < 0.97

    rig.qtbot.waitUntil(moved, timeout=3000)
    assert seen[-1] > 0.0, "on its way, not there"
    assert rig.window.live.scenes.morph is not None
    rig.registry.set("brightness", 0.5)
    assert rig.window.live.scenes.morph is None
    stays = rig.registry.number("density")
    rig.qtbot.wait(150)
    assert rig.registry.number("density") == stays


def test_a_scene_with_its_moment_goes_back_to_it(rig: Rig) -> None:
    rig.qtbot.mouseClick(rig.window.scenes.moment, LEFT)
    rig.registry.trigger("scene.2.save")
    rig.registry.trigger("scene.2.recall")
    scene = rig.session.scenes[1]
    assert scene is not None
    name, moment = rig.worker.calls[-1]
    assert (name, moment.engine) == ("go_to_moment", f"moment of {scene.moment}")
    rig.session.moments.clear()  # as in a session that was opened without them
    rig.registry.trigger("scene.2.recall")
    assert "without its place" in rig.window.status.message


def test_tap_tempo(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("app.live_controller.time.monotonic", lambda: now[0])
    for _ in range(5):
        rig.key(Qt.Key.Key_T)
        now[0] += 0.48
    assert rig.registry.number("tempo") == pytest.approx(125.0, abs=0.2)
    rig.window.live.flush()
    controls, _, mark, _ = rig.worker.submitted[-1]
    assert controls.bpm == pytest.approx(125.0, abs=0.2) and "bpm" in mark


def test_the_key_by_hand(rig: Rig) -> None:
    selector = rig.window.controls.key
    box = selector.key_boxes()[6]
    rig.qtbot.mouseClick(selector, LEFT, pos=box.center().toPoint())
    assert rig.registry.get("key") == "F# minor"
    rig.qtbot.mouseClick(selector, LEFT, pos=box.center().toPoint())
    assert rig.registry.get("key") is None, "the lit key goes back to auto"


def test_the_cursor_is_thrown_glides_and_rests(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.registry.set("view", "map")
    plane = rig.window.map_panel.map
    middle = plane.to_screen((0.0, 0.0)).toPoint()
    now = [50.0]
    monkeypatch.setattr("app.window.prompts.map.view.time.monotonic", lambda: now[0])
    rig.qtbot.mousePress(plane, LEFT, pos=middle)
    for step in range(1, 4):
        now[0] += 0.012
        rig.qtbot.mouseMove(plane, middle + QPoint(25 * step, 0))
    rig.qtbot.mouseRelease(plane, LEFT, pos=middle + QPoint(75, 0))
    let_go = rig.registry.number("map.x")
    assert plane.cursor_state.moving and plane._timer.isActive()
    plane.advance(0.1)
    assert rig.registry.number("map.x") > let_go + 0.05
    before = rig.session.prompts.shares()
    for _ in range(400):
        plane.advance(0.05)
    assert not plane.cursor_state.moving and rig.session.prompts.shares() != before
    rig.registry.trigger("edit.undo")
    assert rig.registry.get("map.x") == 0.0, "the throw is one step"


def test_the_cursor_orbits_at_its_speed_until_it_is_touched(rig: Rig) -> None:
    rig.registry.set("view", "map")
    plane = rig.window.map_panel.map
    rig.registry.set("map.x", 0.5)
    rig.key(Qt.Key.Key_O)
    assert plane.cursor_state.moving and rig.registry.get("map.orbit")
    rig.registry.set("map.speed", 0.25)
    start = plane.cursor_state.position
    centre = plane.cursor_state.centre
    assert centre is not None
    plane.stop()  # from here on the test is the clock
    plane.cursor_state = plane.cursor_state.moved_to(start).orbiting(centre)
    plane.advance(2.0)  # half a turn
    here = plane.cursor_state.position
    assert math.dist(here, centre) == pytest.approx(math.dist(start, centre), abs=1e-6)
    assert math.dist(here, start) == pytest.approx(2 * math.dist(start, centre), abs=1e-6)
    rig.qtbot.mouseClick(plane, LEFT, pos=plane.to_screen((0.0, 0.5)).toPoint())
    assert not rig.registry.get("map.orbit") and not plane.cursor_state.moving


def test_a_prompt_is_moved_on_the_map_and_the_arrows_move_the_cursor(rig: Rig) -> None:
    rig.registry.set("view", "map")
    plane = rig.window.map_panel.map
    spot = plane.to_screen(rig.session.prompts.points()[1]).toPoint()
    rig.drag(plane, spot, spot + QPoint(-60, -30))
    assert rig.session.prompts.points()[1] == pytest.approx(
        plane.to_plane((spot + QPoint(-60, -30)).toPointF()), abs=0.02
    )
    x = rig.registry.number("map.x")
    rig.qtbot.keyClick(plane, Qt.Key.Key_Right)
    wide = rig.registry.number("map.x") - x
    rig.qtbot.keyClick(plane, Qt.Key.Key_Right, SHIFT)
    fine = rig.registry.number("map.x") - x - wide
    assert 0.0 < fine < wide / 2


def _segment(rig: Rig, index: int) -> QPoint:
    return rig.window.scenes.mode._boxes()[index].center().toPoint()

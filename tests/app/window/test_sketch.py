"""Sketches in the window: sung into the input, drawn with the mouse, deleted."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint, Qt

from app.audio.input.history import InputHistory
from app.audio.shared_memory import WORDS
from app.window.sketch.control import NO_INPUT
from models.engine.interface import ScoreInfo
from models.music.hearing.sketch import Sketch
from tests.app.window.test_input import plug_in
from tests.models.music.test_transcriber import LINE, sung
from tests.support.rig import LEFT, Rig

RATE = 48_000


def sketches(rig: Rig) -> tuple[Sketch, ...]:
    """What the engine was told last."""
    rig.window.live.flush()
    return rig.worker.submitted[-1][0].sketches


def test_what_is_sung_is_played_and_shown(rig: Rig) -> None:
    plug_in(rig)
    control = rig.window.input.sketches
    ring = np.zeros((10 * RATE, 2), np.float32)
    history = rig.output.input = InputHistory(np.zeros(WORDS, np.int64), ring)
    start = history.end
    rig.worker.plan(start, np.zeros((10 * RATE, 2), np.float32), ScoreInfo(tempo=120.0))
    rig.registry.set("sketch.record", True)
    voice = sung(LINE).astype(np.float32)
    history.write(start, np.repeat(voice[:, None], 2, axis=1))
    rig.registry.set("sketch.record", False)
    rig.qtbot.waitUntil(lambda: bool(control.live.sketches), timeout=10_000)
    (sketch,) = sketches(rig)
    assert sketch.part == "lead" and len(sketch.notes) == len(LINE)
    assert control.dialog is not None and control.dialog.isVisible()
    assert control.dialog.sketch == sketch
    control.dialog.loop.click()
    assert not sketches(rig)[0].loop
    rig.registry.trigger("sketch.clear")
    assert sketches(rig) == ()


def test_one_is_drawn_moved_and_deleted_without_any_input(rig: Rig) -> None:
    said: list[str] = []
    rig.window.live.message.connect(lambda level, text: said.append(text))
    rig.registry.set("sketch.record", True)
    assert said == [NO_INPUT] and not rig.registry.get("sketch.record")
    rig.key(Qt.Key.Key_S)
    dialog = rig.window.input.sketches.dialog
    assert dialog is not None
    view = dialog.view
    middle = view.height() // 2
    rig.drag(view, QPoint(60, middle), QPoint(200, middle))
    (sketch,) = sketches(rig)
    assert sketch.part == "lead" and len(sketch.notes) >= 1
    first = sketch.notes[0]
    spot = view._boxes()[0].center().toPoint()
    rig.drag(view, spot, spot + QPoint(120, 0))
    assert sketches(rig)[0].notes[0].beat > first.beat
    dialog.part.setCurrentIndex(dialog.part.findData("bass"))
    dialog.part.activated.emit(1)
    assert [one.part for one in sketches(rig)] == ["bass"]
    rig.qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=view._boxes()[0].center().toPoint())
    assert sketches(rig) == ()
    dialog.part.setCurrentIndex(dialog.part.findData("drums"))
    dialog.part.activated.emit(3)
    rig.qtbot.mouseClick(view, LEFT, pos=QPoint(100, view.height() - 60))
    assert [hit.drum for hit in sketches(rig)[0].hits] == ["kick"]
    dialog.delete.click()
    assert sketches(rig) == ()

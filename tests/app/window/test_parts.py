"""Part strips: shown with an engine that has parts; what they set, and what they show."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from app.inference.messages import BlockReport
from app.window.parts.instruments import found_names
from app.window.parts.levels import PartLevels
from app.window.parts.strip import PartStrip
from models.engine.controls import Controls
from models.engine.interface import ScoreInfo
from models.music.instruments import SUITABLE
from models.music.score import PARTS
from tests.support.rig import LEFT, Rig


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(qtbot, tmp_path)
    rig.worker.ready(parts=PARTS)
    yield rig
    rig.window.shut(confirmed=True)


def strip(rig: Rig, part: str) -> PartStrip:
    return rig.window.widgets.parts.strips[part]


def submitted(rig: Rig) -> Controls:
    rig.window.live.flush()
    return rig.worker.submitted[-1][0]


def test_the_row_stands_where_the_engine_has_parts(rig: Rig) -> None:
    parts, stems = rig.window.widgets.parts, rig.window.controls.stems
    assert parts.isVisible() and not any(key.isVisible() for key in stems.values())
    rig.worker.ready()
    assert not parts.isVisible() and all(key.isVisible() for key in stems.values())
    rig.registry.set("part.lead.mute", True)
    assert not submitted(rig).parts


@pytest.mark.parametrize("size", [(1080, 640), (1080, 720), (1440, 900), (2560, 1440)])
def test_nothing_is_cut(rig: Rig, size: tuple[int, int]) -> None:
    rig.window.resize(*size)
    rig.window.proportions.apply(on_stage=False)
    rig.qtbot.wait(10)
    assert (rig.window.width(), rig.window.height()) == size
    for widget in (rig.window.controls.arrival, rig.window.controls.follow):
        inner = rig.window.controls.contentsRect()
        place = widget.mapTo(rig.window.controls, QPoint(0, 0))
        assert inner.contains(place) and place.x() + widget.width() <= inner.right()
        assert widget.width() >= widget.minimumWidth() > 50
    for own in rig.window.widgets.parts.strips.values():
        boxes = [own.title, own.instrument, own.octave, own.fader, *own.buttons]
        shown = [box.geometry() for box in boxes if box is not None]
        assert all(own.rect().contains(box) for box in shown)
        for index, box in enumerate(shown):
            assert not any(box.intersects(other) for other in shown[index + 1 :])


def test_what_the_strips_set(rig: Rig) -> None:
    lead = strip(rig, "lead")
    rig.qtbot.mouseClick(lead.mute, LEFT)
    rig.qtbot.mouseClick(lead.solo, LEFT)
    rig.qtbot.mouseClick(lead.dry, LEFT)
    lead.lock.setFocus()
    rig.qtbot.keyClick(lead.lock, Qt.Key.Key_Return)
    rig.qtbot.mouseClick(lead.reroll, LEFT)
    assert lead.octave is not None
    rig.qtbot.keyClick(lead.octave, Qt.Key.Key_Up)
    rig.drag(lead.fader, QPoint(60, 10), QPoint(40, 10))
    controls = submitted(rig)
    own = controls.part_map.of("lead")
    assert (own.mute, own.solo, own.lock, own.octave) == (True, True, True, 1) and own.dry
    assert -60.0 < own.level < 0.0 and controls.reroll == {"lead"}
    assert not submitted(rig).reroll
    assert strip(rig, "drums").octave is None
    heard = [part for part in PARTS if strip(rig, part).title.heard]
    assert heard == []


def test_everything_has_a_name_of_its_own(rig: Rig) -> None:
    names = [
        widget.accessibleName()
        for own in rig.window.widgets.parts.strips.values()
        for widget in (own.instrument, own.octave, own.fader, *own.buttons)
        if widget is not None
    ]
    assert len(set(names)) == len(names) == 39 and "Lead level" in names and "Bass lock" in names


def test_a_stem_that_is_out_is_a_mute_that_brings_it_in(rig: Rig) -> None:
    rig.key(Qt.Key.Key_F3)
    assert submitted(rig).mute == {"other"}
    chords = strip(rig, "chords")
    assert chords.mute.on and not chords.title.heard and strip(rig, "bass").title.heard
    rig.qtbot.mouseClick(chords.mute, LEFT)
    assert not submitted(rig).mute and not chords.mute.on and chords.title.heard


def test_an_instrument_is_found_by_typing(rig: Rig) -> None:
    button = strip(rig, "lead").instrument
    for keys, expected in (("mut trum", "muted_trumpet"), ("FLUTE", "flute")):
        rig.qtbot.keyClick(button, Qt.Key.Key_Return)
        opened = button.open_list
        assert opened is not None
        rig.qtbot.keyClicks(opened.search, keys)
        if keys == "FLUTE":
            rig.qtbot.keyClick(opened.search, Qt.Key.Key_Down)
            rig.qtbot.keyClick(opened.search, Qt.Key.Key_Up)
        rig.qtbot.keyClick(opened.search, Qt.Key.Key_Return)
        assert submitted(rig).part_map.of("lead").instrument == expected
    assert button.text == "flute"
    rig.qtbot.keyClick(button, Qt.Key.Key_A)
    assert submitted(rig).part_map.of("lead").instrument is None and button.text == "auto"


def test_hold_is_of_the_score_where_the_engine_holds_bars(rig: Rig) -> None:
    controls = rig.window.controls
    assert controls.hold_bars.isVisible() and controls.variation.isVisible()
    assert not submitted(rig).hold
    rig.key(Qt.Key.Key_H)
    assert (submitted(rig).hold, submitted(rig).variation) == (4, 0.0)
    rig.registry.set("hold.bars", "2")
    rig.registry.set("hold.variation", 0.3)
    assert (submitted(rig).hold, submitted(rig).variation) == (2, 0.3)
    rig.registry.trigger("transport.clear")
    assert not rig.registry.get("transport.hold") and not submitted(rig).hold
    assert ("hold", True) not in rig.worker.calls
    rig.worker.ready()
    assert not controls.hold_bars.isVisible()
    rig.key(Qt.Key.Key_H)
    assert rig.worker.calls[-1] == ("hold", True) and not submitted(rig).hold


def test_names_that_are_found() -> None:
    assert found_names(SUITABLE["lead"], "") == list(SUITABLE["lead"])
    assert found_names(SUITABLE["lead"], "sax")[0] == "soprano_sax"
    assert found_names(SUITABLE["lead"], "piano")[0] == "piano"
    assert found_names(SUITABLE["lead"], "kazoo") == []


def test_the_meters_follow_what_is_heard() -> None:
    levels = PartLevels()
    levels.add(0, 400, {"bass": (0.1, 0.2, 0.3, 0.4)})
    levels.add(400, 400, {"bass": (0.5,) * 4})
    levels.at(0.0, 0.0)
    assert levels.at(110.0, 0.0) == {"bass": 0.2}
    assert levels.at(399.0, 0.0) == {"bass": 0.4}
    levels.add(400, 400, {"lead": (0.9,) * 4})  # planned again
    assert levels.at(500.0, 1.7) == {"bass": pytest.approx(0.04), "lead": 0.9}
    # The playhead stands: they fall.
    assert levels.at(500.0, 3.4)["lead"] == pytest.approx(0.09)


def test_levels_that_nobody_looks_at_are_forgotten() -> None:
    levels = PartLevels()
    for block in range(2000):
        levels.add(block * 400, 400, {"bass": (0.1,) * 4})
    assert len(levels._starts) < 4200
    levels.at(1999 * 400.0, 0.0)
    assert levels.at(1999 * 400 + 10.0, 0.0) == {"bass": 0.1}


def test_a_block_moves_the_meters_and_names_the_instruments(rig: Rig) -> None:
    score = ScoreInfo(levels={"bass": (0.5,) * 4}, instruments={"bass": "synth_bass"})
    parts = rig.window.widgets.parts
    parts.add_block(BlockReport(0, np.zeros((3840, 2), np.float32), score, False, Controls()))
    parts.frame(0.0, 0.0)
    parts.frame(100.0, 0.01)
    assert strip(rig, "bass").fader.meter > 0.5 and strip(rig, "lead").fader.meter == 0.0
    assert strip(rig, "bass").instrument.text == "synth bass"


def test_what_changes_at_once_is_submitted_at_once(rig: Rig) -> None:
    """And as one submission; what follows within a frame waits for the rest of it."""
    submitted(rig)
    gather = rig.window.live._gather_timer
    rig.qtbot.waitUntil(lambda: not gather.isActive())
    rig.qtbot.wait(30)
    count = len(rig.worker.submitted)
    rig.registry.set("density", 0.9)
    rig.registry.set("energy", 0.4)
    assert gather.isActive() and gather.interval() == 0
    rig.qtbot.waitUntil(lambda: len(rig.worker.submitted) > count)
    rig.window.live._flushed = time.monotonic() + 0.03  # as if just now, however slow the machine
    rig.registry.set("density", 0.1)
    assert gather.isActive() and gather.interval() > 0
    rig.qtbot.waitUntil(lambda: len(rig.worker.submitted) > count + 1)
    assert [each[0].density for each in rig.worker.submitted[count:]] == [0.9, 0.1]
    assert rig.worker.submitted[count][0].energy == 0.4

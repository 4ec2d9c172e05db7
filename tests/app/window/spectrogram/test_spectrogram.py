"""Spectrogram widget: going back, selection, panning, zoom, and what is painted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from app.window.spectrogram.spectra import HOP
from app.window.spectrogram.view import MAX_PENDING_BLOCKS, SpectrogramView
from tests.support.fake_player import RATE
from tests.support.rig import LEFT, SHIFT, Rig

RIGHT = Qt.MouseButton.RightButton


def lightness(rig: Rig, seconds: float) -> float:
    """Mean lightness of the columns around a time relative to the playhead."""
    view = rig.window.spectrogram.viewport()
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    x = rig.at(seconds).x()
    return float(flat[30 : image.height() // 2, x - 4 : x + 4].mean())


def test_a_click_in_the_past_goes_on_from_there_and_plays(rig: Rig) -> None:
    rig.heard(12.0)
    view = rig.window.spectrogram.viewport()
    rig.qtbot.mouseClick(view, LEFT, pos=rig.at(-5.0))
    name, position = rig.worker.calls[-2]
    assert name == "go_to" and position == pytest.approx(7 * RATE, abs=RATE // 10)
    assert rig.worker.calls[-1] == ("play",) and rig.registry.get("transport.play")


def test_a_click_in_the_future_does_nothing(rig: Rig) -> None:
    rig.heard(12.0)
    rig.qtbot.mouseClick(rig.window.spectrogram.viewport(), LEFT, pos=rig.at(1.5))
    assert not rig.worker.calls


def test_what_is_selected_is_what_is_saved(rig: Rig) -> None:
    rig.heard(12.0)
    rig.capture_thread.range = (0, 12 * RATE)
    view = rig.window.spectrogram.viewport()
    rig.drag(view, rig.at(-2.0), rig.at(-8.0))
    for _ in range(12):
        rig.window.frame()
    assert rig.window.recording.capture.label.startswith("Save 0:0")
    rig.window.apply_preferences(
        type(rig.window.preferences)(record_folder=str(rig.folder / "takes"))
    )
    rig.key(Qt.Key.Key_K)
    rig.qtbot.waitUntil(lambda: bool(rig.capture_thread.saved), timeout=5000)
    assert rig.capture_thread.saved is not None
    _, start, stop = rig.capture_thread.saved[0]
    assert start == pytest.approx(4 * RATE, abs=RATE // 10)
    assert stop == pytest.approx(10 * RATE, abs=RATE // 10)
    assert not rig.worker.calls, "selecting plays nothing"
    rig.qtbot.mouseClick(view, LEFT, pos=rig.at(-5.0))
    assert rig.window.recordings.selection is None and not rig.worker.calls
    rig.drag(view, rig.at(-2.0), rig.at(-8.0))
    rig.qtbot.keyClick(rig.window.spectrogram, Qt.Key.Key_Escape)
    assert rig.window.recordings.selection is None


def test_looking_back_and_coming_home(rig: Rig) -> None:
    rig.heard(60.0)
    picture, button = rig.window.spectrogram, rig.window.widgets.back_to_now
    assert button.isHidden()
    for _ in range(5):
        rig.wheel(picture.viewport(), 1, SHIFT)
    assert button.isVisible() and picture.panning.is_panned
    origin = picture.item.origin
    assert origin == 35 * RATE
    rig.output.read += 3 * RATE
    rig.window.frame()
    assert picture.item.origin == origin, "it stands still while the music runs"
    # What is seen there is what can be gone on from, and then the picture is home again.
    rig.qtbot.mouseClick(picture.viewport(), LEFT, pos=rig.at(-43.0))
    assert rig.worker.calls[0][1] == pytest.approx(20 * RATE, abs=RATE // 10)
    assert button.isHidden() and picture.item.origin == picture.item.playhead
    start = rig.at(-10.0)
    rig.qtbot.mousePress(picture.viewport(), RIGHT, pos=start)
    rig.qtbot.mouseMove(picture.viewport(), start + QPoint(200, 0))
    rig.qtbot.mouseRelease(picture.viewport(), RIGHT, pos=start + QPoint(200, 0))
    assert picture.panning.is_panned and rig.at(-10.0).x() == pytest.approx(start.x() + 200, abs=2)
    rig.qtbot.mouseClick(button, LEFT)
    assert not picture.panning.is_panned
    rig.qtbot.keyClick(picture, Qt.Key.Key_Left)
    assert picture.panning.is_panned
    rig.qtbot.keyClick(picture, Qt.Key.Key_Home)
    assert not picture.panning.is_panned


def test_the_past_that_was_out_of_sight_is_drawn(rig: Rig) -> None:
    rig.heard(60.0)
    rig.window.spectrogram.pan(-30.0)
    loud = np.full((RATE * 3, 2), 0.0, np.float32)
    rig.worker.plan(62 * RATE, loud)  # music that comes meanwhile
    rig.window.frame()
    assert lightness(rig, -45.0) > 40 and lightness(rig, -28.0) > 40


def test_wheel_and_keys_zoom(rig: Rig) -> None:
    item = rig.window.spectrogram.item
    before = item.past
    rig.wheel(rig.window.spectrogram.viewport(), 1)
    assert item.past < before
    rig.key(Qt.Key.Key_Minus)
    rig.key(Qt.Key.Key_Minus)
    assert item.past > before
    for _ in range(20):
        rig.key(Qt.Key.Key_Minus)
    assert item.past == 1800.0


def test_the_future_is_dim_and_shows_that_it_is_rewritten(rig: Rig) -> None:
    rig.heard(12.0)
    past, future = lightness(rig, -4.0), lightness(rig, 1.0)
    assert 8 < future < 0.7 * past
    rig.worker.plan_rewritten.emit(int(12.3 * RATE))
    rig.window.frame()
    assert lightness(rig, 1.0) > future + 3


def test_marks_of_a_future_that_never_came_are_gone(rig: Rig) -> None:
    rig.heard(12.0)
    for seconds, text in ((10, "a"), (13, "b"), (12.5, "c")):
        rig.worker.mark(int(seconds * RATE), "controls", text)
    assert [mark.text for mark in rig.window.spectrogram.item.marks] == ["a", "c"]
    rig.window.spectrogram.viewport().grab()


def test_on_stage_the_past_is_not_touched_by_accident(rig: Rig) -> None:
    rig.heard(12.0)
    rig.window.spectrogram.locked = True
    view = rig.window.spectrogram.viewport()
    rig.qtbot.mouseClick(view, LEFT, pos=rig.at(-5.0))
    rig.drag(view, rig.at(-2.0), rig.at(-8.0))
    assert not rig.worker.calls and rig.window.recordings.selection is None


def test_a_dropped_file_is_continued_by_an_engine_that_can(rig: Rig, tmp_path: Path) -> None:
    sound, text = tmp_path / "end.wav", tmp_path / "end.txt"
    for path in (sound, text):
        path.write_bytes(b"x")
    view = rig.window.spectrogram.viewport()
    assert not rig.drop(view, sound), "this engine cannot"
    assert rig.window.files_in.continuation.menu_entries() == ()
    assert "Drop an audio file" not in rig.window.spectrogram.toolTip()
    rig.worker.ready(continues_audio=True)
    assert not rig.drop(view, text)
    assert rig.drop(view, sound)
    assert rig.worker.calls == [("continue_from", str(sound))]
    assert rig.window.spectrogram.drop_hint.isHidden()
    assert not rig.registry.get("transport.play")
    rig.worker.continued.emit(str(sound))
    assert rig.registry.get("transport.play")
    assert [words for words, _ in rig.window.files_in.continuation.menu_entries()] == [
        "Continue from audio file …"
    ]
    assert "Drop an audio file" in rig.window.spectrogram.toolTip()
    rig.registry.set("stage", True)
    assert not rig.drop(view, sound), "locked"


def test_knobs_are_those_of_the_engine(rig: Rig) -> None:
    knobs = rig.window.controls.knobs
    rig.worker.ready(frozenset({"style", "chaos", "guidance", "guidance_notes"}))
    assert [name for name, knob in knobs.items() if not knob.isHidden()] == [
        "chaos", "guidance", "guidance_notes",
    ]  # fmt: skip


def test_what_waits_to_be_drawn_is_little_while_the_window_is_put_away(rig: Rig) -> None:
    spectrogram = rig.window.spectrogram
    rig.window.showMinimized()
    rig.worker.plan(0, np.full((400 * 11_520, 2), 0.1, np.float32))
    rig.window.frame()
    assert rig.window.isMinimized()
    assert len(spectrogram._pending_blocks) <= MAX_PENDING_BLOCKS
    assert spectrogram.spectra.end * HOP > (400 - MAX_PENDING_BLOCKS - 2) * 11_520, (
        "it is all there again"
    )


def test_nothing_is_painted_while_nothing_changes(qtbot: QtBot, monkeypatch: Any) -> None:
    picture = SpectrogramView(seconds=30.0)
    qtbot.addWidget(picture)
    asked: list[int] = []
    monkeypatch.setattr(picture.item, "update", lambda: asked.append(1))
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)

    def painted() -> bool:
        asked.clear()
        picture.frame(playhead)
        return bool(asked)

    playhead = 48_000.0
    painted()
    assert not painted()
    picture.add_block(96_000, np.zeros((11_520, 2), np.float32))
    assert painted() and not painted()
    playhead += 1.0
    assert painted() and not painted()
    picture.add_mark(50_000, "controls", "Dub")
    assert painted() and not painted()
    picture.item.hover = -1.0
    assert painted() and not painted()
    picture.show_rewrite(60_000)
    assert painted() and painted()  # it fades
    monkeypatch.setattr(time, "monotonic", lambda: 1002.0)
    assert not painted()

"""Spectrogram widget: going back, selection, panning, zoom, and what is painted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot

from app.window.spectrogram.pending import MOST, PATIENCE
from app.window.spectrogram.spectra import HOP
from app.window.spectrogram.view import SpectrogramView
from models.engine.interface import ScoreInfo
from tests.support.fake_player import RATE
from tests.support.rig import LEFT, SHIFT, Rig

RIGHT = Qt.MouseButton.RightButton


def lightness(rig: Rig, seconds: float) -> float:
    """Mean lightness of the columns around a time relative to the playhead."""
    view = rig.window.spectrogram
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
        rig.window.frames.draw()
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
    origin = picture.plot.origin
    assert origin == 35 * RATE
    rig.output.read += 3 * RATE
    rig.window.frames.draw()
    assert picture.plot.origin == origin, "it stands still while the music runs"
    # What is seen there is what can be gone on from, and then the picture is home again.
    rig.qtbot.mouseClick(picture.viewport(), LEFT, pos=rig.at(-43.0))
    assert rig.worker.calls[0][1] == pytest.approx(20 * RATE, abs=RATE // 10)
    assert button.isHidden() and picture.plot.origin == picture.plot.playhead
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
    rig.window.frames.draw()
    assert lightness(rig, -45.0) > 40 and lightness(rig, -28.0) > 40


def test_wheel_and_keys_zoom(rig: Rig) -> None:
    item = rig.window.spectrogram.plot
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
    rig.window.frames.draw()
    assert lightness(rig, 1.0) > future + 3


def test_marks_of_a_future_that_never_came_are_gone(rig: Rig) -> None:
    rig.heard(12.0)
    for seconds, text in ((10, "a"), (13, "b"), (12.5, "c")):
        rig.worker.mark(int(seconds * RATE), "controls", text)
    assert [mark.text for mark in rig.window.spectrogram.plot.marks] == ["a", "c"]
    rig.window.spectrogram.grab()


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
    rig.window.frames.draw()
    assert rig.window.isMinimized()
    assert len(spectrogram.pending) <= MOST / 11_520
    assert spectrogram.spectra.end * HOP > 400 * 11_520 - MOST - 2 * 11_520, "it is all there again"


class CountingView(SpectrogramView):
    """Spectrogram that counts its repaints instead of painting."""

    repaints = 0

    def repaint_plot(self) -> None:
        self.repaints += 1


def test_nothing_is_painted_while_no_pixel_changes(qtbot: QtBot, monkeypatch: Any) -> None:
    picture = CountingView(seconds=30.0)
    qtbot.addWidget(picture)
    picture.resize(800, 200)
    picture.grab()
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)

    def painted() -> bool:
        before = picture.repaints
        picture.frame(playhead)
        return picture.repaints > before

    pixel = 24.0 * RATE / picture.plot.area.width()
    playhead = 100.5 * pixel
    painted()
    assert not painted()
    playhead += 0.4 * pixel
    assert not painted(), "it is still the same pixel"
    playhead += 0.2 * pixel
    assert painted() and not painted()
    picture.add_block(96_000, np.zeros((11_520, 2), np.float32))
    assert any(painted() for _ in range(PATIENCE)) and not painted()
    picture.add_mark(50_000, "controls", "Dub")
    assert painted() and not painted()
    picture.plot.hover = -1.0
    assert painted() and not painted()
    picture.show_rewrite(60_000)
    assert painted()  # it fades
    monkeypatch.setattr(time, "monotonic", lambda: 1000.2)
    assert painted()
    monkeypatch.setattr(time, "monotonic", lambda: 1002.0)
    assert painted() and not painted(), "without the light, and then it rests"


def pixels(picture: SpectrogramView) -> np.ndarray[Any, np.dtype[np.uint8]]:
    image = picture.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4).copy()


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_a_picture_that_scrolled_is_the_one_painted_whole(qtbot: QtBot, ratio: float) -> None:
    """Ring buffer, partial painting and rewritten plans leave no trace."""
    sound = np.random.default_rng(1).standard_normal((12 * RATE, 2)).astype(np.float32) * 0.1
    sound *= (np.arange(len(sound)) % RATE < RATE // 3)[:, None]
    score = ScoreInfo(tempo=113.0, bars=0.0, bars_at=0)

    def show(scrolls: bool) -> np.ndarray[Any, np.dtype[np.uint8]]:
        picture = SpectrogramView(seconds=60.0)
        qtbot.addWidget(picture)
        picture.resize(500, 160)
        picture.zoom(-2)
        picture.grab()  # its size arrives
        picture.plot.set_area(picture.plot.area, ratio)
        target = QImage(round(500 * ratio), round(160 * ratio), QImage.Format.Format_RGB32)
        target.setDevicePixelRatio(ratio)
        for start in range(0, len(sound), 4800):
            picture.add_block(start, sound[start : start + 4800], score)
            picture.frame(start * 0.8)
            if scrolls:
                painter = QPainter(target)
                picture.plot.paint(painter)
                painter.end()
            if scrolls and start == 8 * RATE:
                picture.add_block(7 * RATE, sound[:RATE])  # planned again
                picture.add_block(8 * RATE, sound[:4800])
        if not scrolls:
            picture.add_block(7 * RATE, sound[7 * RATE :])
        for start in range(7 * RATE, len(sound), 4800):
            picture.add_block(start, sound[start : start + 4800], score)
        for _ in range(60):
            picture.frame(9.0 * RATE)
        target.fill(0)
        painter = QPainter(target)
        picture.plot.paint(painter)
        painter.end()
        return np.frombuffer(target.constBits(), np.uint8).copy()

    scrolled, whole = show(True), show(False)
    assert (scrolled > 40).mean() > 0.1 and np.abs(
        scrolled.astype(int) - whole.astype(int)
    ).max() <= 2


def test_coming_back_from_far_is_the_same_picture(rig: Rig) -> None:
    rig.heard(40.0)
    picture = rig.window.spectrogram
    before = pixels(picture)
    picture.pan(-15.0)
    away = pixels(picture)
    picture.pan(-5.0)
    pixels(picture)
    picture.pan(2.0)
    picture.show_now()
    assert np.array_equal(pixels(picture), before) and not np.array_equal(away, before)


def test_tab_reaches_it_and_its_axes_say_so(rig: Rig) -> None:
    rig.heard(40.0)
    picture = rig.window.spectrogram
    before = pixels(picture)
    picture.setFocus(Qt.FocusReason.TabFocusReason)
    rig.qtbot.waitUntil(picture.hasFocus)
    assert not np.array_equal(pixels(picture), before)
    rig.qtbot.keyClick(picture, Qt.Key.Key_Left)
    assert picture.panning.is_panned
    rig.qtbot.keyClick(picture, Qt.Key.Key_Home)
    assert not picture.panning.is_panned
    picture.clearFocus()
    assert np.array_equal(pixels(picture), before)

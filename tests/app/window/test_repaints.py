"""What the window paints, counted: only what has moved, and nothing that nobody sees."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.audio.settings import AudioStatus
from app.inference.messages import BlockReport
from app.inference.status import WorkerStatus
from models.engine.controls import Controls
from models.engine.interface import ScoreInfo
from tests.support.fake_player import RATE
from tests.support.rig import Rig, rigs


class Paints(QObject):
    """Counts paint events of the window's widgets, and the pixels that they ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.areas: list[tuple[QWidget, int]] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if isinstance(event, QPaintEvent) and isinstance(watched, QWidget):
            size = event.rect().size()
            self.areas.append((watched, size.width() * size.height()))
        return False


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[Rig]:
    yield from rigs(qtbot, tmp_path)


@pytest.fixture
def paints(qapp: QApplication) -> Iterator[Paints]:
    counted = Paints()
    qapp.installEventFilter(counted)
    yield counted
    qapp.removeEventFilter(counted)


def settle(rig: Rig) -> None:
    """Music stands still, and all that the start had repainted is painted; frames only by hand."""
    window = rig.window
    window.frames.stop()
    rig.worker.ready(parts=("drums", "bass", "chords", "lead", "extra"))
    rig.heard(2.0)
    window.live.flush()
    throttle, gather = window.mixer.throttle, window.live._gather_timer
    rig.qtbot.waitUntil(lambda: not throttle._timer.isActive() and not gather.isActive())
    for _ in range(40):
        window.frames.draw()
        QApplication.processEvents()


def frames(rig: Rig, paints: Paints, count: int = 12) -> set[str]:
    """Draw so many frames; the classes that were painted."""
    paints.areas.clear()
    for _ in range(count):
        rig.window.frames.draw()
        QApplication.processEvents()
    return {type(widget).__name__ for widget, _ in paints.areas}


def test_nothing_is_painted_while_nothing_moves(rig: Rig, paints: Paints) -> None:
    settle(rig)
    assert frames(rig, paints) == set()


def test_the_music_repaints_the_spectrogram_and_nothing_below_it(rig: Rig, paints: Paints) -> None:
    settle(rig)
    paints.areas.clear()
    for _ in range(5):
        rig.output.read += RATE // 20
        rig.window.frames.draw()
        QApplication.processEvents()
    view = rig.window.spectrogram.viewport()
    assert {widget for widget, _ in paints.areas} == {view}
    assert all(area < view.width() * view.height() for _, area in paints.areas), "not the axes"


def test_a_meter_repaints_what_it_moved_over(rig: Rig, paints: Paints) -> None:
    settle(rig)
    fader = rig.window.widgets.parts.strips["bass"].fader
    fader.set_level(0.5)
    QApplication.processEvents()
    paints.areas.clear()
    fader.set_level(0.5005)
    QApplication.processEvents()
    assert not paints.areas, "less than a step of the meter"
    fader.set_level(0.35)
    QApplication.processEvents()
    assert [type(widget).__name__ for widget, _ in paints.areas] == ["LevelFader"], "no panel below"
    assert paints.areas[0][1] < 0.25 * fader.width() * fader.height()


def test_figures_that_change_with_every_block_wait_for_a_tick(rig: Rig, paints: Paints) -> None:
    settle(rig)
    bar = rig.window.status
    frames(rig, paints, 1)
    audio = AudioStatus(running=True)
    bar.show_status(WorkerStatus(state="playing", plan_seconds=2.0, audio=audio))
    QApplication.processEvents()
    paints.areas.clear()
    for tenths in range(21, 27):
        bar.show_status(WorkerStatus(state="playing", plan_seconds=tenths / 10, audio=audio))
        QApplication.processEvents()
    assert not paints.areas
    bar.tick()
    QApplication.processEvents()
    assert [widget for widget, _ in paints.areas] == [bar] and "plan 2.6 s" in bar.report()
    late = WorkerStatus(state="playing", plan_seconds=2.6, audio=replace(audio, xruns=1))
    bar.show_status(late)
    assert "xruns 1" in bar.report(), "the first is shown at once"
    QApplication.processEvents()
    paints.areas.clear()
    for count in range(2, 9):
        bar.show_status(replace(late, audio=replace(audio, xruns=count)))
        QApplication.processEvents()
    assert not paints.areas
    bar.tick()
    assert "xruns 8" in bar.report()
    bar.show_status(WorkerStatus(state="playing", plan_seconds=0.1, audio=audio))
    assert "plan 0.1 s" in bar.report(), "an alarm is shown at once"


def test_a_window_that_nobody_sees_paints_and_reads_nothing(
    rig: Rig, paints: Paints, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(rig)
    rig.window.hide()
    QApplication.processEvents()
    asked: list[float] = []
    monkeypatch.setattr(rig.window.spectrogram, "frame", asked.append)
    rig.output.read += RATE
    assert frames(rig, paints) == set() and not asked
    rig.window.show()
    QApplication.processEvents()
    rig.window.frames.draw()
    assert asked


def test_a_scene_arrives_at_its_bar_though_nobody_sees_the_window(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(rig)
    rig.window.showMinimized()
    recalled: list[bool] = []
    monkeypatch.setattr(rig.window.live.scenes, "frame", lambda: recalled.append(True))
    rig.window.frames.draw()
    assert recalled


def test_a_planned_block_is_painted_though_nothing_is_heard(rig: Rig, paints: Paints) -> None:
    settle(rig)
    paints.areas.clear()
    report = BlockReport(
        4 * RATE, np.full((RATE, 2), 0.2, np.float32), ScoreInfo(), False, Controls()
    )
    rig.worker.block_ready.emit(report)
    frames(rig, paints)
    assert rig.window.spectrogram.viewport() in {widget for widget, _ in paints.areas}


FILLS = """
import resource
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter
from app.window.style import theme
{prepare}
app = QGuiApplication([])
image = QImage(400, 400, QImage.Format.Format_RGB32)
painter = QPainter(image)
before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
for _ in range(200):
    painter.fillRect(0, 0, 300, 390, QColor(9, 9, 9, 99))
print(resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before)
painter.end()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts by RUSAGE_THREAD")
def test_painting_waits_for_no_other_thread() -> None:
    """The kernel counts how often the thread gave its core away to wait."""
    environment = {
        name: value for name, value in os.environ.items() if "GUI_THREADPOOL" not in name
    }
    waits = [
        int(
            subprocess.run(
                [sys.executable, "-c", FILLS.format(prepare=prepare)],
                env={**environment, "QT_QPA_PLATFORM": "offscreen"},
                capture_output=True, text=True, check=True,
            ).stdout
        )
        for prepare in ("theme.paint_in_one_thread()", "")
    ]  # fmt: skip
    assert waits[0] < 50 < waits[1]

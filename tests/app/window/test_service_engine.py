"""The window with an engine that only goes on: what it cannot do is not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from app.inference.status import WorkerStatus
from models.lyria.engine import CONTROLS
from tests.support.rig import Rig, rigs


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[Rig]:
    for rig in rigs(qtbot, tmp_path, ready=False):
        rig.worker.ready(CONTROLS, rewinds=False)
        rig.window.live.flush()
        yield rig


def test_what_needs_the_past_is_hidden(rig: Rig) -> None:
    window = rig.window
    assert not window.widgets.transport.hold.isVisible()
    assert window.widgets.transport.clear.isVisible()
    assert not window.scenes.moment.isVisible()
    assert not window.spectrogram.seekable
    view = window.spectrogram.viewport()
    rig.qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(100, view.height() // 2))
    rig.key(Qt.Key.Key_H)
    assert ("hold", True) not in rig.worker.calls
    assert "go_to" not in {name for name, *_ in rig.worker.calls}
    rig.worker.ready(frozenset({"style"}))  # an engine that can
    assert window.widgets.transport.hold.isVisible()
    assert window.spectrogram.seekable
    assert not window.controls.generation_mode.isVisible()


def test_the_generation_mode_is_the_services(rig: Rig) -> None:
    assert rig.window.controls.generation_mode.isVisible()
    rig.registry.set("generation_mode", "vocals")
    rig.window.live.flush()
    assert rig.worker.submitted[-1][0].generation_mode == "vocals"


def test_the_journey_is_shown(rig: Rig) -> None:
    status = rig.window.status
    there = WorkerStatus(state="playing", engine="lyria-realtime", remote=True, line_ms=41.7)
    status.show_status(there)
    assert ("line", "42 ms", False) in status.fields
    status.show_status(replace(there, line_ms=None))
    assert ("line", "down", True) in status.fields
    status.show_status(WorkerStatus(state="playing", engine="segue"))
    assert "line" not in [name for name, _, _ in status.fields]

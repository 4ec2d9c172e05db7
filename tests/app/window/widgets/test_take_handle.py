"""The take that can be dragged out of the window."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDrag
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.window.widgets.take_handle import TakeHandle, files_of

TRACKS = ["mix.wav", "bass.wav", "drums.wav", "take.mid"]


@pytest.fixture
def take(tmp_path: Path) -> Path:
    folder = tmp_path / "segue-take"
    folder.mkdir()
    for name in (
        "bass.wav",
        "mix.wav",
        "drums.wav",
        "take.mid",
        "performance.jsonl",
        "x.dawproject",
    ):
        (folder / name).write_bytes(b"")
    return folder


def test_a_take_is_its_mix_its_parts_and_its_notes(take: Path) -> None:
    assert [path.name for path in files_of(take)] == [
        "mix.wav",
        "bass.wav",
        "drums.wav",
        "take.mid",
    ]
    assert files_of(take / "mix.wav") == [take / "mix.wav"]
    assert files_of(take / "gone") == []


def test_the_handle_appears_with_a_take_and_drags_its_files(
    qtbot: QtBot, take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dragged: list[list[str]] = []

    def run(drag: QDrag, action: Qt.DropAction) -> Qt.DropAction:
        dragged.append([Path(url.toLocalFile()).name for url in drag.mimeData().urls()])
        return action

    monkeypatch.setattr(QDrag, "exec", run)
    handle = TakeHandle()
    qtbot.addWidget(handle)
    assert not handle.isVisible() and handle.mime() is None
    handle.show_take(take)
    assert handle.isVisible() and take.name in handle.toolTip()
    QTest.mousePress(handle, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    QTest.mouseMove(handle, QPoint(7, 5))
    assert dragged == []
    QTest.mouseMove(handle, QPoint(60, 5))
    qtbot.waitUntil(lambda: bool(dragged))
    assert dragged[0] == TRACKS


def test_a_take_that_was_moved_away_is_no_longer_offered(qtbot: QtBot, take: Path) -> None:
    handle = TakeHandle()
    qtbot.addWidget(handle)
    handle.show_take(take / "elsewhere")
    assert handle.mime() is None
    handle.click()
    assert not handle.isVisible()

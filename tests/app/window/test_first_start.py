"""First start with its steps, and a start without an engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.session import preferences
from tests.support.fake_player import status
from tests.support.rig import LEFT, Rig, rigs


@pytest.fixture
def early(qtbot: QtBot, tmp_path: Path) -> Iterator[Rig]:
    """A window whose engine is not ready yet."""
    yield from rigs(qtbot, tmp_path, ready=False)


def test_three_things_to_try_are_ticked_off_and_do_not_come_back(
    early: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, welcome = early, early.window.welcome
    assert welcome.isVisible() and QApplication.activeModalWidget() is None
    rig.qtbot.mouseClick(welcome.steps["play"], LEFT)
    assert rig.worker.calls == [("play",)], "one click, also before the engine is there"
    rig.worker.ready()
    rig.registry.set("prompt.1.weight", 0.2, "scene")
    assert not welcome.steps["prompt"].done, "that was no hand"
    rig.qtbot.keyClick(rig.window.mixer.strips[0].knob, Qt.Key.Key_Up)
    assert welcome.steps["play"].done and welcome.steps["prompt"].done
    rig.heard(12.0)
    rig.qtbot.mouseClick(rig.window.spectrogram.viewport(), LEFT, pos=rig.at(-5.0))
    assert all(step.done for step in welcome.steps.values()) and welcome.isVisible()
    monkeypatch.setattr("app.window.dialogs.welcome.LINGER_SECONDS", 0.0)
    welcome._leaves_at = 0.0
    for _ in range(12):
        rig.window.frames.draw()
    assert welcome.isHidden()
    assert preferences.load(rig.folder / "preferences.json").welcomed


def test_the_row_can_be_put_away_and_stays_away(early: Rig, qtbot: QtBot) -> None:
    qtbot.mouseClick(early.window.welcome.close_button, LEFT)
    assert early.window.welcome.isHidden()
    again = Rig(qtbot, early.folder)
    assert again.window.welcome.isHidden()
    again.registry.set("stage", True)
    again.registry.set("stage", False)
    assert again.window.welcome.isHidden(), "nor after stage mode"
    again.window.shut()


def test_the_window_says_that_the_engine_loads(early: Rig) -> None:
    assert early.window.status.fields[0][1] == "engine is loading …"
    assert not early.worker.submitted
    early.worker.ready()
    early.window.live.flush()
    assert early.worker.submitted and "ready" in early.window.status.message


def test_without_an_engine_the_reason_stays_in_sight(early: Rig) -> None:
    sentence = "renderer.safetensors is damaged: put it back."
    early.registry.set("transport.play", True)
    early.worker.engine_failed.emit(sentence)
    early.window.say("info", "MIDI is ready.")
    banner = early.window.banner
    assert banner.isVisible() and sentence in banner.text.text()
    assert early.registry.get("transport.play") is False, "the key does not say that it plays"
    early.key(Qt.Key.Key_Space)
    assert early.registry.get("transport.play") is False
    assert "damaged" in early.window.status.message
    early.window.resize(1080, 680)
    QApplication.processEvents()
    assert early.window.centre.rect().contains(banner.geometry())


def test_an_engine_that_is_lost_while_playing(rig: Rig) -> None:
    rig.registry.set("transport.play", True)
    rig.worker.status_changed.emit(status("failed"))
    assert rig.registry.get("transport.play") is False
    assert ("", "no engine", True) in rig.window.status.fields

"""Sliders of the style axes: shown where the engine has them, saved with a scene, steering."""

from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot

from app.session.session import Session
from app.window.main_window import MainWindow
from tests.support.fake_player import INFO, fake_player


def test_the_sliders_of_an_engine_with_axes(qtbot: QtBot, tmp_path: Path) -> None:
    player, worker, *_ = fake_player()
    window = MainWindow(Session(), player, tmp_path)
    qtbot.addWidget(window)
    window.show()
    worker.ready(controls=INFO.controls - {"electronic", "percussive"})
    assert window.widgets.axes.isHidden()
    worker.ready(controls=INFO.controls | {"electronic", "percussive"})
    assert window.widgets.axes.isVisible()
    slider = window.widgets.axes.sliders["electronic"]
    assert slider.ends == ("acoustic", "electronic")
    assert slider.accessibleName() == "Acoustic – electronic"
    slider.registry.set("electronic", 0.5)
    window.live.flush()
    assert (worker.submitted[-1][0].electronic, worker.submitted[-1][0].percussive) == (0.5, 0.0)
    assert window.session.scenes.current().values["electronic"] == 0.5
    assert slider.text == "50 %"
    window.shut()

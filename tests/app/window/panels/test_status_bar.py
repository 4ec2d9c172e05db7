"""Status bar: no underrun and no xrun is hidden."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from app.audio.settings import AudioStatus
from app.inference.status import WorkerStatus
from app.window.panels.status_bar import StatusBar


def test_xruns_stand_beside_underruns_and_are_said(qtbot: QtBot) -> None:
    bar, said = StatusBar(), list[tuple[str, str]]()
    qtbot.addWidget(bar)
    bar.incident.connect(lambda level, sentence: said.append((level, sentence)))
    bar.show_status(WorkerStatus(audio=AudioStatus(running=True)))
    assert not said
    for xruns in (569, 570):
        bar.show_status(WorkerStatus(audio=AudioStatus(running=True, xruns=xruns)))
    bar.tick()
    fields = {name: (value, alarm) for name, value, alarm in bar.fields}
    assert fields["underruns"] == ("0", False) and fields["xruns"] == ("570", True)
    assert len(said) == 1 and "569 times" in said[0][1]
    assert "xruns 570" in bar.report()

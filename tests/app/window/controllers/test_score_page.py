"""The page that sends the parts' notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.control.score.messages import PartRoute
from app.control.settings import load
from tests.support.controllers_rig import MIX, MIX_PORT, ControllersRig


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[ControllersRig]:
    rig = ControllersRig(qtbot, tmp_path)
    yield rig
    rig.close()


def test_the_notes_go_where_the_page_says_and_that_is_kept(rig: ControllersRig) -> None:
    rig.plug(MIX)
    page = rig.controllers("Notes").score
    assert not page.on.isChecked() and page.state.text() == "Off: no port is open."
    page.on.click()
    page.channels["lead"].setValue(7)
    page.parts["extra"].click()
    port = page.ports["bass"]
    port.setCurrentIndex(port.findData(MIX_PORT))
    port.activated.emit(port.currentIndex())
    page.delay.setValue(-12.5)
    score = rig.bridge.hub.settings.score
    assert score.on and score.delay_ms == -12.5
    assert score.routes["lead"] == PartRoute(True, 7)
    assert score.routes["bass"].port == MIX_PORT and not score.routes["extra"].on
    assert score.ports == ("", MIX_PORT)
    assert load(rig.bridge.hub.folder).score == score
    page.refresh()
    assert page.ports["bass"].currentData() == MIX_PORT and page.channels["lead"].value() == 7
    assert "Segue score" in page.state.text()

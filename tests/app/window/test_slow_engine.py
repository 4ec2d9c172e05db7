"""The question that an engine raises that is too slow for the machine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.inference.speed import DEEP_PLAN, ENOUGH_BLOCKS
from app.inference.status import WorkerStatus
from app.window.slow_engine import SlowEngineOffer
from app.window.widgets.banner import Banner
from tests.support.fake_player import FakeWorker

SLOW = WorkerStatus(
    state="paused", engine="magenta-rt2-small", real_time_factor=0.8, blocks=ENOUGH_BLOCKS
)


class Offer:
    """An offer with its worker and banner, and what it said and chose."""

    def __init__(self, qtbot: QtBot) -> None:
        self.host = QWidget()
        qtbot.addWidget(self.host)
        self.host.resize(1200, 400)
        self.host.show()
        self.worker, self.banner = FakeWorker(), Banner(self.host)
        self.said: list[str] = []
        self.chosen: list[bool] = []
        self.offer = SlowEngineOffer(
            self.worker,
            self.banner,
            lambda: self.chosen.append(True),
            lambda level, sentence: self.said.append(sentence),
        )

    def answers(self) -> list[str]:
        return [button.text() for button in self.banner.buttons]


@pytest.fixture
def offer(qtbot: QtBot) -> Offer:
    return Offer(qtbot)


def test_it_is_asked_once_and_only_of_a_slow_engine(offer: Offer) -> None:
    offer.worker.status_changed.emit(replace(SLOW, real_time_factor=4.0))
    assert offer.banner.isHidden()
    offer.worker.status_changed.emit(SLOW)
    assert "0.80 seconds of music" in offer.banner.text.text()
    assert offer.answers() == ["Plan 16 s ahead", "segue next time", "Leave it"]
    offer.banner.buttons[2].click()
    offer.worker.status_changed.emit(SLOW)
    assert offer.banner.isHidden() and offer.worker.calls == [] and offer.chosen == []
    assert len(offer.said) == 1


def test_a_deeper_plan(offer: Offer) -> None:
    offer.worker.status_changed.emit(SLOW)
    offer.banner.buttons[0].click()
    assert offer.worker.calls == [("set_plan_seconds", DEEP_PLAN)]


def test_another_engine(offer: Offer) -> None:
    offer.worker.status_changed.emit(SLOW)
    offer.banner.buttons[1].click()
    assert offer.chosen == [True] and "next start" in offer.said[-1]


def test_the_default_engine_offers_no_other(offer: Offer) -> None:
    offer.worker.status_changed.emit(replace(SLOW, engine="segue"))
    assert offer.answers() == ["Plan 16 s ahead", "Leave it"]

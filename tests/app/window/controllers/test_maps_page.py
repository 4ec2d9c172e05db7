"""Maps page: the list uses the form's words, shows its text, and the offer stands on it too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.control.midi.mapping import Mapping
from app.control.midi.shaping import RESPONSE_CURVES
from app.window.controllers import map_edits as edits
from tests.support.controllers_rig import MIX, MIX_PORT, ControllersRig


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Iterator[ControllersRig]:
    one = ControllersRig(qtbot, tmp_path)
    yield one
    one.close()


def test_every_curve_has_a_word() -> None:
    assert set(edits.CURVE_LABELS) == set(RESPONSE_CURVES)


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (Mapping("a", "density"), ""),
        (Mapping("a", "density", shape="slow"), "logarithmic"),
        (Mapping("a", "density", shape="fast"), "reverse logarithmic"),
        (Mapping("a", "density", shape="s"), "S"),
        (Mapping("a", "density", takeover="jump"), "jump"),
        (Mapping("a", "density", invert=True), "invert"),
        (Mapping("a", "density", layer="shift"), "second layer"),
        (Mapping("a", "density", layer="any"), "both layers"),
        (Mapping("a", "density", action="gate"), "momentary"),
        (Mapping("a", "density", action="set", value=0.5), "set 0.5"),
        (Mapping("a", "density", low=0.25, takeover="scale"), "25–100 %, scale"),
    ],
)
def test_the_list_says_what_the_form_says(mapping: Mapping, words: str) -> None:
    assert edits.details(mapping) == words


def test_an_offer_is_answered_on_the_maps_page(rig: ControllersRig) -> None:
    rig.plug(MIX)
    maps = rig.controllers("Maps").maps
    assert maps.offer.isVisible() and "MIDImix" in maps.offer.words.text()
    maps.offer.yes.click()
    assert not rig.hub.offers and not maps.offer.isVisible()
    assert not rig.coordinator.offer.isVisible()
    assert rig.controller(MIX_PORT).name == "MIDImix"


def test_the_list_shows_its_text_at_the_first_size(rig: ControllersRig) -> None:
    rig.plug(MIX)
    rig.hub.accept(MIX_PORT)
    maps = rig.controllers("Maps").maps
    QApplication.processEvents()
    metrics = maps.tree.fontMetrics()
    top = maps.tree.topLevelItem(0)
    assert top is not None
    for row in filter(None, (top.child(n) for n in range(top.childCount()))):
        for column in range(3):
            # A control's explanation in brackets may be cut; a tooltip has all of it.
            text = row.text(column).partition(" (")[0]
            assert metrics.horizontalAdvance(text) < maps.tree.columnWidth(column)
            assert row.toolTip(column) == row.text(column)

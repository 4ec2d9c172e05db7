"""The mix of a style: what terms say, means of them, and how it glides."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from models.segue.studio.production import (
    AMBIENCE,
    GLIDE,
    MixParameters,
    MixTable,
    glide_towards,
)
from models.segue.studio.studio import SEND, drums_send
from models.segue.style import anchors
from models.segue.style.terms import INDEX, NAMES


@pytest.fixture(scope="module")
def table() -> MixTable:
    return MixTable(anchors.load(), NAMES)


def style(**weights: float) -> np.ndarray:
    return anchors.mixture({name.replace("_", " "): weight for name, weight in weights.items()})


def test_a_term_is_itself(table: MixTable) -> None:
    for name in NAMES:
        shares = table.shares(anchors.load()[INDEX[name]])
        assert shares[0][0] == name and shares[0][1] > 0.95


def test_a_mean_of_two_is_taken_apart(table: MixTable) -> None:
    shares = dict(table.shares(style(Techno=0.7, Cello=0.3)))
    assert set(shares) == {"Techno", "Cello"} and shares["Techno"] > shares["Cello"]


def test_a_mean_lies_between(table: MixTable) -> None:
    techno, _ = table.of(style(Techno=1.0))
    ambient, room = table.of(style(Ambient=1.0))
    both, rooms = table.of(style(Techno=0.5, Ambient=0.5))
    assert techno.pump > both.pump > ambient.pump
    assert techno.reverb_amount < both.reverb_amount < ambient.reverb_amount
    assert room != rooms
    assert {kind for kind, _ in room.rooms} <= {kind for kind, _ in rooms.rooms}


def test_no_style_is_plain(table: MixTable) -> None:
    assert table.of(None)[0] == MixParameters()


def test_what_is_asked_is_reached_without_a_leap() -> None:
    now = MixParameters()
    goal = now._replace(pump=0.6, tilt_db=-3.0, lowpass_hz=6000.0, levels_db=(0, 2.5, 0, 0, 0))
    steps = [now]
    while steps[-1] != goal:
        steps.append(glide_towards(steps[-1], goal, 0.08))
        assert len(steps) < 20 * GLIDE / 0.08
    jumps = [abs(b.pump - a.pump) for a, b in pairwise(steps)]
    assert max(jumps) < 0.06


@pytest.mark.parametrize(("own", "share"), [(0.0, 0.0), (AMBIENCE, 0.5), (3 * AMBIENCE, 0.75)])
def test_drums_have_the_room_of_their_style_alone(own: float, share: float) -> None:
    send = drums_send(MixParameters(reverb_amount=own + AMBIENCE))
    assert send == pytest.approx(share * SEND[0])
    assert drums_send(MixParameters(reverb_amount=0.0)) == 0.0

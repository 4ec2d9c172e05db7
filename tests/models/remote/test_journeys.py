"""Journeys of pings, and replies to requests, as a client counts and keeps them."""

from __future__ import annotations

import pytest

from models.remote.client.journeys import JOURNEYS, Journeys
from models.remote.client.replies import Replies
from models.remote.protocol.messages import Answer


def test_journeys_are_smoothed_and_the_nearest_is_of_the_last_ones() -> None:
    journeys = Journeys()
    assert (journeys.seconds, journeys.spread, journeys.nearest) == (0.0, 0.0, 0.0)
    journeys.send(1, 10.0)
    journeys.arrive(1, 10.08)
    assert journeys.seconds == pytest.approx(0.08) and journeys.spread == pytest.approx(0.04)
    journeys.send(2, 11.0)
    journeys.arrive(2, 11.16)
    assert journeys.spread == pytest.approx(0.04 + 0.25 * (0.08 - 0.04))
    assert journeys.seconds == pytest.approx(0.08 + 0.125 * 0.08)
    journeys.arrive(2, 12.0)  # twice, or never sent
    assert journeys.nearest == pytest.approx(0.08)
    journeys.send(3, 12.0)
    journeys.begin()
    journeys.arrive(3, 15.0)  # of the connection before
    for number in range(4, 4 + JOURNEYS):
        journeys.send(number, float(number))
        journeys.arrive(number, number + 0.2)
    assert journeys.nearest == pytest.approx(0.2)


def test_replies_come_in_pieces_and_are_cancelled_with_the_line() -> None:
    replies = Replies()
    whole, empty, lost, gone = (replies.expect(number) for number in range(4))
    replies.add(0, b"early")  # before its answer: dropped
    replies.answered(Answer(0, size=6))
    replies.add(0, b"abc")
    assert not whole.done()
    replies.add(0, b"def")
    assert whole.result(0) == (Answer(0, size=6), b"abcdef")
    replies.add(0, b"more")
    replies.answered(Answer(1))
    assert empty.result(0) == (Answer(1), b"")
    replies.answered(Answer(99, size=3))
    replies.add(99, b"abc")
    replies.forget(3)
    replies.cancel()
    assert lost.cancelled() and not gone.done()

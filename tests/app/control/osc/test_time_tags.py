"""Bundles that are due later: kept until then, at most ten seconds, at most so many."""

from __future__ import annotations

import pytest

from app.control.osc.inbox import MAX_DELAYED, OscInbox
from app.control.osc.messages import (
    IMMEDIATELY,
    MAX_DEPTH,
    NTP_OFFSET,
    MalformedPacketError,
    build,
    split,
)

PEER = ("127.0.0.1", 9000)
WALL = 1_800_000_000.0
NOW = 50.0


def bundle(seconds: float | None, *parts: bytes) -> bytes:
    """A bundle that is due so many seconds from `WALL` on; None: immediately."""
    tag = IMMEDIATELY if seconds is None else round((WALL + seconds + NTP_OFFSET) * 2**32)
    head = b"#bundle\0" + tag.to_bytes(8, "big")
    return head + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@pytest.fixture
def inbox() -> OscInbox:
    return OscInbox(lambda: None, lambda: WALL)


def taken(inbox: OscInbox, now: float) -> list[bytes]:
    inbox.release(now)
    return [packet.data for packet in inbox.take()]


@pytest.mark.parametrize("seconds", [None, -5.0, 0.0])
def test_what_is_due_is_taken_at_once(inbox: OscInbox, seconds: float | None) -> None:
    message = build("/segue/tempo", [120.0])
    inbox.receive(bundle(seconds, message), PEER, NOW)
    assert taken(inbox, NOW) == [message] and inbox.counts.early == 0


def test_what_is_due_later_waits_in_the_order_of_time(inbox: OscInbox) -> None:
    first, second = build("/segue/tempo", [120.0]), build("/segue/density", [0.5])
    inbox.receive(bundle(2.0, second), PEER, NOW)
    inbox.receive(bundle(1.0, first), PEER, NOW)
    assert taken(inbox, NOW + 0.99) == []
    assert taken(inbox, NOW + 1.01) == [first]
    assert taken(inbox, NOW + 1.99) == []
    assert taken(inbox, NOW + 9.0) == [second]


def test_a_bundle_inside_is_due_no_earlier_than_the_outer_one(inbox: OscInbox) -> None:
    message = build("/segue/tempo", [120.0])
    inbox.receive(bundle(3.0, bundle(None, message)), PEER, NOW)
    assert taken(inbox, NOW + 2.9) == []
    assert taken(inbox, NOW + 3.1) == [message]


def test_too_far_ahead_is_applied_at_once_and_counted(inbox: OscInbox) -> None:
    message = build("/segue/tempo", [120.0])
    inbox.receive(bundle(10.5, message), PEER, NOW)
    assert taken(inbox, NOW) == [message] and inbox.counts.early == 1


def test_what_waits_is_bounded(inbox: OscInbox) -> None:
    messages = [build("/segue/scene/1/recall", [float(n)]) for n in range(MAX_DELAYED + 3)]
    inbox.triggers = frozenset({b"/segue/scene/1/recall"})
    for message in messages:
        inbox.receive(bundle(5.0, message), PEER, NOW)
    assert taken(inbox, NOW) == messages[MAX_DELAYED:] and inbox.counts.early == 3
    assert taken(inbox, NOW + 6.0) == messages[:MAX_DELAYED]


def test_nesting_ends_at_the_documented_depth() -> None:
    message = build("/segue/tempo", [120.0])
    data = message
    for _ in range(MAX_DEPTH):
        data = bundle(None, data)
    assert split(data) == [(IMMEDIATELY, message)]
    with pytest.raises(MalformedPacketError):
        split(bundle(None, data))


@pytest.mark.parametrize("size", [0, -4, 3, 400])
def test_a_wrong_size_is_counted_and_shown_with_its_bytes(size: int) -> None:

    inbox = OscInbox(lambda: None)
    data = bundle(None) + size.to_bytes(4, "big", signed=True) + b"/a\0\0"
    inbox.receive(data, PEER, NOW)
    assert inbox.counts.malformed == 1
    assert inbox.log[-1].outcome == "malformed" and "23 62 75" in inbox.log[-1].text

"""Every kind of control is recognised; held notes."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from app.control.midi.decode import KINDS
from app.control.midi.detection import ControlDetector
from app.control.midi.message import Message
from app.control.midi.notes import HeldNotes

MOVEMENTS: dict[str, Callable[[int, int], Message]] = {
    "knob": lambda n, click: Message("cc", 1, 20, 30 + 2 * n),
    "relative-twos": lambda n, click: Message("cc", 1, 20, click % 128),
    "relative-offset": lambda n, click: Message("cc", 1, 20, 64 + click),
    "relative-sign": lambda n, click: Message("cc", 1, 20, click if click > 0 else 64 - click),
    "bend": lambda n, click: Message("bend", 1, 0, 8192 + 200 * n),
    "aftertouch": lambda n, click: Message("aftertouch", 1, 0, 3 * n),
    "pressure": lambda n, click: Message("pressure", 1, 60, 3 * n),
}
"""The message of step n of a sweep, or of a click of an endless encoder."""


def sweep(kind: str, rng: random.Random) -> list[tuple[float, Message]]:
    at, found = 0.0, []

    def add(message: Message, after: float = 0.02) -> None:
        nonlocal at
        at += after
        found.append((at, message))

    clicks = [rng.choice([1, 1, 1, 2]) for _ in range(12)]
    clicks += [-rng.choice([1, 1, 1, 2]) for _ in range(12)]
    for n, click in enumerate(clicks):
        if kind in MOVEMENTS:
            add(MOVEMENTS[kind](n, click))
        elif kind == "knob14":
            add(Message("cc", 1, 3, 30 + n))
            add(Message("cc", 1, 35, rng.randrange(128)), 0.001)
        elif kind == "nrpn":
            for number, value in ((99, 1), (98, 7), (6, n), (38, 0)):
                add(Message("cc", 1, number, value), 0.001)
    if kind == "button":
        add(Message("note_on", 1, 40, 127))
        add(Message("note_off", 1, 40, 0), 0.1)
    elif kind == "toggle":
        add(Message("cc", 1, 40, 127))
    elif kind == "pad":
        add(Message("note_on", 10, 36, 83))
        add(Message("note_off", 10, 36, 0), 0.1)
    elif kind == "program":
        add(Message("program", 1, 0, 4))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_inferred(kind: str) -> None:
    for seed in range(10):
        heard = ControlDetector()
        entries = sweep(kind, random.Random(seed))
        for when, message in entries:
            heard.add(message, when)
        learned = heard.detect(entries[-1][0] + 2.5)
        assert learned is not None and learned.kind == kind


def test_no_note_hangs() -> None:
    notes = HeldNotes()
    notes.receive("a", Message("note_on", 1, 60, 90))
    notes.receive("b", Message("note_on", 1, 64, 90))
    notes.receive("a", Message("cc", 1, 64, 127))
    notes.receive("a", Message("note_off", 1, 60, 0))
    assert list(notes.held) == [60, 64]
    notes.receive("a", Message("cc", 1, 64, 0))
    assert list(notes.held) == [
        64,
    ]
    notes.release_port("b")
    assert list(notes.held) == []
    notes.latch = True
    notes.receive("a", Message("note_on", 1, 50, 90))
    notes.receive("a", Message("note_off", 1, 50, 0))
    assert list(notes.held) == [
        50,
    ]
    notes.panic()
    assert list(notes.held) == []


@pytest.mark.parametrize("kind", ["button", "pad", "aftertouch", "pressure", "bend"])
@pytest.mark.parametrize("before", [True, False])
def test_a_stray_message_of_another_knob_hides_no_pad(kind: str, before: bool) -> None:
    detector, path = ControlDetector(), sweep(kind, random.Random(1))
    stray = (0.0 if before else path[-1][0] + 0.05, Message("cc", 16, 119, 3))
    for when, message in sorted([*path, stray], key=lambda entry: entry[0]):
        detector.add(message, when)
    found = detector.detect(path[-1][0] + 2.2)
    assert found is not None and found.kind == kind


def test_the_touch_of_a_fader_that_hardly_moved_is_no_button() -> None:
    detector = ControlDetector()
    for when, message in (
        (0.0, Message("note_on", 1, 104, 127)),
        (0.1, Message("cc", 1, 7, 40)),
        (0.12, Message("cc", 1, 7, 41)),
        (0.3, Message("note_off", 1, 104)),
    ):
        detector.add(message, when)
    assert detector.detect(5.0) is None
    for when, message in (
        (5.0, Message("note_on", 1, 104, 127)),
        (5.1, Message("note_off", 1, 104)),
    ):
        detector.add(message, when)
    found = detector.detect(8.0)
    assert found is not None and found.kind == "button", "pressed again, it is one"

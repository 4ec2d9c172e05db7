"""Held notes: pedal, latch, octaves, all-notes-off, panic, unplugging; no note may hang."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.control.midi.message import Message
from app.control.midi.notes import MAX_NOTES, HeldNotes


def on(note: int, channel: int = 1) -> Message:
    return Message("note_on", channel, note, 90)


def off(note: int, channel: int = 1) -> Message:
    return Message("note_off", channel, note, 0)


def pedal(down: bool, channel: int = 1) -> Message:
    return Message("cc", channel, 64, 127 if down else 0)


def play(*messages: Message, latch: bool = False) -> HeldNotes:
    notes = HeldNotes()
    notes.latch = latch
    for message in messages:
        notes.receive("keys", message)
    return notes


TABLE: list[tuple[str, list[Message], bool, tuple[int, ...]]] = [
    ("keys sound while they are down", [on(60), on(64), off(60)], False, (64,)),
    ("struck twice, let go once", [on(60), on(60), off(60)], False, ()),
    ("the pedal keeps what is let go", [pedal(True), on(60), off(60), on(64)], False, (60, 64)),
    ("the pedal lets go", [pedal(True), on(60), off(60), pedal(False)], False, ()),
    ("but not of keys that are down", [pedal(True), on(60), pedal(False)], False, (60,)),
    ("a pedal is its channel's", [pedal(True, 2), on(60), off(60)], False, ()),
    ("struck again under the pedal", [pedal(True), on(60), off(60), on(60)], False, (60,)),
    ("latch keeps a chord", [on(60), on(64), off(60), off(64)], True, (60, 64)),
    ("until the next one", [on(60), off(60), on(65), off(65)], True, (65,)),
    ("which may be played finger by finger", [on(60), on(64), off(60), on(67)], True, (60, 64, 67)),
    ("all notes off", [on(60), on(64), Message("cc", 1, 123, 0)], False, ()),
    ("of one channel", [on(60), on(64, 2), Message("cc", 1, 123, 0)], False, (64,)),
    ("which obeys the pedal", [pedal(True), on(60), Message("cc", 1, 123, 0)], False, (60,)),
    ("and its end", [pedal(True), on(60), Message("cc", 1, 123, 0), pedal(False)], False, ()),
    ("all sound off does not", [pedal(True), on(60), Message("cc", 1, 120, 0)], False, ()),
    ("omni on ends notes too", [on(60), Message("cc", 1, 125, 0)], False, ()),
    ("local control does not", [on(60), Message("cc", 1, 122, 0)], False, (60,)),
    ("system reset", [pedal(True), on(60), on(64, 3), Message("reset")], False, ()),
]


@pytest.mark.parametrize(
    ("messages", "latch", "held"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_is_held(messages: list[Message], latch: bool, held: tuple[int, ...]) -> None:
    assert play(*messages, latch=latch).held == held


def test_octaves_may_change_under_a_held_key() -> None:
    notes = HeldNotes()
    notes.receive("keys", on(60), 12)
    assert list(notes.held) == [72]
    notes.receive("keys", off(60), -12)
    assert not notes.held
    notes.receive("keys", on(120), 12)
    assert not notes.held and notes.keys_down == 0


def test_two_keyboards_on_one_note() -> None:
    notes = HeldNotes()
    notes.receive("a", on(60))
    notes.receive("b", on(60))
    notes.receive("a", off(60))
    assert list(notes.held) == [60]
    notes.release_port("b")
    assert not notes.held


def test_latch_switched_off_keeps_what_is_down() -> None:
    notes = play(on(60), off(60), latch=True)
    notes.receive("keys", on(62))
    notes.receive("keys", off(62))
    notes.receive("other", on(65))
    notes.latch = False
    assert list(notes.held) == [65]


def test_a_hand_on_all_keys() -> None:
    assert play(*(on(note) for note in range(30, 90))).held == tuple(range(90 - MAX_NOTES, 90))


def test_listeners_are_told_each_change_once() -> None:
    notes = HeldNotes()
    received: list[tuple[int, ...]] = []
    notes.on_change = received.append
    for message in (on(60), on(60), pedal(True), off(60), pedal(False)):
        notes.receive("keys", message)
    assert received == [(60,), ()]


messages = st.one_of(
    st.builds(on, st.integers(0, 127), st.integers(1, 3)),
    st.builds(off, st.integers(0, 127), st.integers(1, 3)),
    st.builds(pedal, st.booleans(), st.integers(1, 3)),
    st.builds(Message, st.just("cc"), st.integers(1, 3), st.integers(120, 127), st.just(0)),
)
steps = st.tuples(st.sampled_from("ab"), messages, st.integers(-24, 24))


@given(st.lists(steps, max_size=60), st.booleans(), st.sampled_from(["panic", "unplug"]))
def test_no_note_outlives_panic_or_the_cable(
    played: list[tuple[str, Message, int]], latch: bool, end: str
) -> None:
    notes = HeldNotes()
    notes.latch = latch
    received: list[tuple[int, ...]] = []
    notes.on_change = received.append
    for port, message, transpose in played:
        notes.receive(port, message, transpose)
        assert all(0 <= note <= 127 for note in notes.held)
    if end == "panic":
        notes.panic()
    else:
        notes.release_port("a")
        notes.release_port("b")
    assert not notes.held and notes.keys_down == 0
    assert not received or received[-1] == ()


@given(st.lists(steps, max_size=60))
def test_no_note_outlives_its_key(played: list[tuple[str, Message, int]]) -> None:
    """Without latch, once all keys and pedals are up nothing sounds, whatever the octave did."""
    notes = HeldNotes()
    for port, message, transpose in played:
        notes.receive(port, message, transpose)
    for port in "ab":
        for channel in (1, 2, 3):
            notes.receive(port, pedal(False, channel))
            for note in range(128):
                notes.receive(port, off(note, channel))
    assert not notes.held

"""Values in two halves: 14-bit controllers in either order, NRPN, learning them; reset."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.control.midi.decode import Cc14Decoder, NrpnDecoder
from app.control.midi.learn_mode import LearnMode, LearnResult
from app.control.midi.message import Message
from app.control.midi.notes import HeldNotes

values = st.lists(st.integers(0, 16383), min_size=1, max_size=30)


@given(values)
def test_the_lsb_comes_first(path: list[int]) -> None:
    decoder, seen = Cc14Decoder(), []
    for value in path:
        seen += [decoder.lsb(value & 127), decoder.msb(value >> 7)]
    assert [value for value in seen if value is not None] == path


def test_a_falling_fader_with_the_lsb_first() -> None:
    decoder, seen = Cc14Decoder(), []
    for value in (300, 280, 260, 256, 255):
        seen += [decoder.lsb(value & 127), decoder.msb(value >> 7)]
    assert [value for value in seen if value is not None] == [300, 280, 260, 256, 255]


@given(values)
def test_the_msb_comes_only_on_change(path: list[int]) -> None:
    decoder, seen, coarse = Cc14Decoder(), [], -1
    for value in path:
        if value >> 7 != coarse:
            coarse = value >> 7
            seen.append(decoder.msb(coarse))
        seen.append(decoder.lsb(value & 127))
    assert [value for value in seen if value is not None] == path


@given(st.integers(0, 16383), st.lists(st.integers(-20, 20), max_size=60))
def test_the_lsb_first_and_the_msb_only_on_change(first: int, steps: list[int]) -> None:
    """A slow movement passes through no value far from its own, and is exact at rest."""
    decoder, value, coarse = Cc14Decoder(), first, -1
    seen = last = first
    for step in [0, 0, *steps, 1, 1]:
        value = min(max(value + step, 0), 16383)
        told = [decoder.lsb(value & 127)]
        if value >> 7 != coarse:
            coarse = value >> 7
            told.append(decoder.msb(coarse))
        for each in told:
            if each is not None:
                assert min(last, value) - 20 <= each <= max(last, value) + 20
                seen = each
        last = value
    assert seen == value


def nrpn(decoder: NrpnDecoder, *pairs: tuple[int, int]) -> list[int]:
    found = [decoder.receive(number, value) for number, value in pairs]
    return [each[1] for each in found if each is not None]


@pytest.mark.parametrize("value", [0, 1, 64, 127])
def test_a_parameter_with_the_msb_alone_reaches_both_ends(value: int) -> None:
    decoder = NrpnDecoder()
    assert nrpn(decoder, (99, 0), (98, 1), (6, value)) == [value << 7 | value]


@given(st.lists(st.integers(0, 16383), min_size=2, max_size=20, unique=True))
def test_a_new_msb_has_no_stale_lsb_and_overshoots_nowhere(path: list[int]) -> None:
    decoder = NrpnDecoder()
    nrpn(decoder, (99, 0), (98, 1), (6, path[0] >> 7), (38, path[0] & 127))
    for before, after in pairwise(path):
        seen = nrpn(decoder, (6, after >> 7), (38, after & 127))
        assert seen[-1] == after
        assert all(min(before, after) <= value <= max(before, after) for value in seen)


def learn(mode: LearnMode, path: list[tuple[int, int]], start: float) -> LearnResult | None:
    now = start
    for number, value in path:
        mode.receive("Port", Message("cc", 1, number, value), now)
        now += 0.0 if number < 32 else 0.02
        if (result := mode.poll(now)) is not None:
            return result
    return mode.poll(now + 3.0)


def test_a_fader_that_sends_its_msb_only_on_change_is_one_control() -> None:
    mode = LearnMode()
    mode.begin(["tempo", "density"])
    path = [(7, 23), *((39, fine) for fine in (0, 32, 64, 96, 120)), (7, 24), (39, 10), (39, 40)]
    result = learn(mode, path, 1.0)
    assert result is not None
    assert (result.control.kind, result.control.number) == ("knob14", 7)
    # A trial movement later is not the next target's control.
    trial = [(7, value) for value in range(30, 60)]
    assert learn(mode, trial, 10.0) is None and mode.target == "density"
    other = learn(mode, [(20, value) for value in range(30, 60)], 20.0)
    assert other is not None and (other.target, other.control.number) == ("density", 20)


def test_the_msb_may_come_once_in_the_whole_movement() -> None:
    mode = LearnMode()
    mode.begin(["tempo"])
    result = learn(mode, [(7, 23), *((39, fine) for fine in range(0, 128, 16))], 1.0)
    assert result is not None
    assert (result.control.kind, result.control.number) == ("knob14", 7)


def test_a_target_chosen_by_hand_may_have_the_same_control() -> None:
    mode = LearnMode()
    mode.begin(["tempo", "density"])
    assert learn(mode, [(20, value) for value in range(30, 60)], 1.0) is not None
    mode.choose("density")
    again = learn(mode, [(20, value) for value in range(30, 60)], 20.0)
    assert again is not None and again.target == "density"


def test_two_knobs_whose_numbers_differ_by_32_are_two() -> None:
    mode = LearnMode()
    mode.begin(["tempo"])
    now = 1.0
    for value in range(30, 60):
        mode.receive("Port", Message("cc", 1, 39, value), now)
        now += 0.02
    mode.receive("Port", Message("cc", 1, 7, 3), now + 0.2)
    result = mode.poll(now + 3.0)
    assert result is not None and (result.control.kind, result.control.number) == ("knob", 39)


def test_reset_all_controllers_ends_no_key_but_raises_the_pedal() -> None:
    notes = HeldNotes()
    notes.receive("Port", Message("note_on", 1, 60, 64))
    notes.receive("Port", Message("note_on", 1, 64, 64))
    notes.receive("Port", Message("cc", 1, 64, 127))
    notes.receive("Port", Message("note_off", 1, 64))
    assert set(notes.held) == {60, 64}
    assert notes.receive("Port", Message("cc", 1, 121, 0))
    assert set(notes.held) == {60}
    notes.receive("Port", Message("note_off", 1, 60))
    assert not notes.held

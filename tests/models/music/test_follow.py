"""Tests of the controls that accompany, against the arranger's own clock."""

from __future__ import annotations

import pytest

from models.music.tracking.follow import (
    BandPosition,
    FollowState,
    accompany,
    answering_density,
    chord_keys,
    phase_error,
)
from models.music.tracking.harmony import Harmony
from models.music.tracking.onsets import Onset
from models.music.tracking.pulse import Pulse
from models.segue.arranger.clock import Clock

LATE = 0.4
"""Seconds between what is heard when a step is written and when the step is heard."""


def play(change: float, offset: float, seconds: float = 40.0) -> list[tuple[float, float]]:
    """(time, error in seconds) of each beat of a clock that follows a pulse.

    The pulse begins at 110 beats a minute, `offset` beats away, and changes its tempo after 20 s.
    """
    clock, state, errors = Clock(bpm=120.0), FollowState(), []
    while clock.start < seconds:
        now = max(0.0, clock.start - LATE)
        rate = 110.0 if now < 20 else 110.0 * change
        beat = offset + min(now, 20.0) * 110 / 60 + max(0.0, now - 20) * 110 * change / 60
        pulse = Pulse(now, rate, 0.9, beat, 4, 0, 0.0)
        position = BandPosition(clock.start, clock.beats, clock.step_in_bar / 4, 4)
        if clock.on_beat(4):
            errors.append((clock.start, phase_error(pulse, position) * 60 / rate))
        state, controls = accompany(state, pulse, Harmony(), position)
        assert controls.bpm is not None
        _, clock = clock.tick(controls.bpm, 0.5, 4, 16)
    return errors


@pytest.mark.parametrize("offset", [0.0, 0.3, -0.45])
@pytest.mark.parametrize("change", [1.0, 1.1, 1 / 1.1])
def test_the_clock_locks_onto_a_pulse_and_follows_a_change(change: float, offset: float) -> None:
    errors = play(change, offset)
    assert all(abs(error) < 0.02 for time, error in errors if 12 < time < 20)
    assert all(abs(error) < 0.02 for time, error in errors if time > 32)


def test_the_bar_is_followed_where_it_is_sure() -> None:
    pulse = Pulse(10.0, 120.0, 0.9, 21.0, 4, 20, 0.9)
    position = BandPosition(10.0, 80.0, 0.0, 4)
    assert phase_error(pulse, position) == pytest.approx(-1.0)
    unsure = Pulse(10.0, 120.0, 0.9, 21.0, 4, 20, 0.3)
    assert phase_error(unsure, position) == pytest.approx(0.0)
    waltz = BandPosition(10.0, 80.0, 0.0, 3)
    assert phase_error(pulse, waltz) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("root", "quality", "keys"),
    [
        (0, "maj", (60, 64, 67)),
        (9, "min", (57, 60, 64)),
        (5, "sus", (65, 70, 72)),
        (6, "5", (54, 61)),
        (-1, "", ()),
    ],
)
def test_keys_of_a_chord(root: int, quality: str, keys: tuple[int, ...]) -> None:
    assert chord_keys(Harmony(root, quality, 1.0)) == keys


def test_what_is_unsure_stays() -> None:
    position = BandPosition(5.0, 10.0, 2.0, 4)
    sure = Pulse(5.0, 100.0, 0.9, 10.0)
    state, first = accompany(FollowState(), sure, Harmony(2, "min", 0.9, 2, True, 0.9), position)
    assert first.bpm == pytest.approx(100.0)
    assert (first.notes, first.key, first.density) == ((62, 65, 69), "D minor", None)
    unsure = Pulse(6.0, 170.0, 0.1, 12.3)
    state, second = accompany(state, unsure, Harmony(7, "maj", 0.2, 2, True, 0.2), position)
    assert second.bpm == pytest.approx(100.0)
    assert (second.notes, second.key) == ((62, 65, 69), None)


def test_nothing_heard_steers_nothing() -> None:
    _, controls = accompany(FollowState(), Pulse(), Harmony(), BandPosition(0.0, 0.0, 0.0, 4), ())
    assert (controls.bpm, controls.notes, controls.key) == (None, (), None)
    assert controls.density == 1.0


def test_the_less_is_played_the_more_is_answered() -> None:
    densities = [
        answering_density([Onset(10 - k / rate, 1.0) for k in range(4 * rate)], 10.0)
        for rate in (1, 2, 4, 8, 16)
    ]
    assert densities == sorted(densities, reverse=True)
    assert densities[-1] == pytest.approx(0.1)
    assert answering_density([Onset(1.0, 1.0)], 10.0) == 1.0

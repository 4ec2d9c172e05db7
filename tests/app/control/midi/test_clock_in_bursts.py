"""A clock through a port that delivers once a period, as JACK's does: the tempo is still right."""

from __future__ import annotations

import math
import random

import pytest

from app.control.midi.clock.follower import CLOCKS_PER_BEAT, ClockFollower
from app.control.midi.message import Message


@pytest.mark.parametrize("frames", [256, 512, 1024])
@pytest.mark.parametrize("bpm", [60.0, 90.0, 97.3, 128.0, 174.0, 190.0])
def test_tempo_of_clocks_that_come_in_bursts(bpm: float, frames: int) -> None:
    follower, received = ClockFollower(), []
    period = frames / 48_000
    for n in range(24 * CLOCKS_PER_BEAT):
        when = math.ceil(n * 60 / bpm / CLOCKS_PER_BEAT / period) * period
        tempo = follower.receive(Message("clock"), 10.0 + when)
        if n > 16 * CLOCKS_PER_BEAT and tempo is not None:
            received.append(tempo)
    assert follower.tempo == pytest.approx(bpm, abs=0.3)
    assert all(tempo == pytest.approx(bpm, abs=0.5) for tempo in received)


@pytest.mark.parametrize("seed", range(5))
def test_a_fast_clock_under_normal_jitter(seed: int) -> None:
    """2 ms is a seventh of a clock at 174 bpm: a late one must not pass for one that was lost."""
    follower, rng, when = ClockFollower(), random.Random(seed), 0.0
    for n in range(28 * CLOCKS_PER_BEAT):
        when = max(when, n * 60 / 174 / CLOCKS_PER_BEAT + rng.gauss(0.0, 0.002))
        tempo = follower.receive(Message("clock"), 10.0 + when)
        if n > 16 * CLOCKS_PER_BEAT and tempo is not None:
            assert tempo == pytest.approx(174.0, abs=0.5)
    assert follower.tempo == pytest.approx(174.0, abs=0.3)

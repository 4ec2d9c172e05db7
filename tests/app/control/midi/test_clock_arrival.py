"""The tempo of clocks that arrive in blocks, in bursts, doubled, late, or not at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from app.control.midi.clock.follower import CLOCKS_PER_BEAT, ClockFollower
from app.control.midi.clock.tempo import Floats, arrival_of
from app.control.midi.message import Message

SECONDS = 6.5


def clocks(
    bpm: float,
    seed: int,
    *,
    block: float = 0.0,
    jitter: float = 0.0,
    lost: float = 0.0,
    burst: int = 1,
    gap: float = 0.0,
) -> Floats:
    """Times of arrival in seconds. block, jitter, gap (inside a burst): seconds."""
    rng = np.random.default_rng(seed)
    period = 60 / bpm / CLOCKS_PER_BEAT
    number = np.arange(int(SECONDS / period) + burst)
    when = number // burst * burst * period + number % burst * gap + rng.uniform(0, period)
    when = np.maximum.accumulate(when + rng.uniform(-jitter, jitter, len(when)))
    if block:
        when = np.ceil(when / block) * block
    when = when[rng.random(len(when)) >= lost]
    return when[when < SECONDS]


def follow(times: Floats) -> list[tuple[float, float]]:
    """(time, tempo) of each tempo that is told."""
    follower, told = ClockFollower(), []
    for when in times:
        tempo = follower.receive(Message("clock"), 10.0 + float(when))
        if tempo is not None:
            told.append((float(when), tempo))
    return told


def is_right(told: list[tuple[float, float]], bpm: float, after: float = 4.0) -> bool:
    """Whether the tempo is right from `after` on, and steady."""
    by_then = [tempo for when, tempo in told if when <= after]
    later = [tempo for when, tempo in told if when > after]
    right = all(abs(tempo - bpm) <= 0.2 for tempo in [*by_then[-1:], *later])
    return bool(by_then) and right and len(later) <= 4


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("frames", [32, 64, 128, 256, 512, 1024])
def test_blocks_of_an_audio_server(frames: int, rate: int) -> None:
    rng = np.random.default_rng(frames + rate)
    for bpm in (112.0, *rng.uniform(60, 190, 1)):
        times = clocks(bpm, frames, block=frames / rate, jitter=0.003, lost=0.02)
        assert is_right(follow(times), bpm), (bpm, follow(times))


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("bpm", [73.0, 162.1])
def test_whole_blocks_pass_between_clocks(bpm: float, rate: int) -> None:
    """Within 4 s, losses and all; 162.1 bpm was 160.9, and 73 bpm took 6 s."""
    for frames in (1024, 2048) if is_told(bpm, 2048 / rate) else (1024,):
        times = clocks(bpm, 2, block=frames / rate, jitter=0.003, lost=0.02)
        assert is_right(follow(times), bpm), (frames, follow(times))


@pytest.mark.parametrize("gap", [0.0, 0.0001, 0.4])
@pytest.mark.parametrize("burst", [2, 3, 5, 8, 12])
def test_bursts(burst: int, gap: float) -> None:
    """gap: seconds, or a share of the clock's period."""
    for bpm in (61.0, 137.0):
        inside = gap * 60 / bpm / CLOCKS_PER_BEAT if gap == 0.4 else gap
        told = follow(clocks(bpm, burst, jitter=0.0001, burst=burst, gap=inside))
        assert is_right(told, bpm), (bpm, told)


@pytest.mark.parametrize("jitter", [0.0, 0.001])
@pytest.mark.parametrize("bpm", [60.0, 103.0, 115.9, 171.0])
def test_one_clock_a_second_is_doubled(bpm: float, jitter: float) -> None:
    times = clocks(bpm, 3, jitter=jitter)
    again = [times[np.searchsorted(times, second)] + 0.0005 for second in range(int(SECONDS) - 1)]
    assert is_right(follow(np.sort([*times, *again])), bpm)


def is_told(bpm: float, block: float) -> bool:
    """Whether blocks tell the tempo within 4 s.

    Where a block is a whole number of clocks, or of clocks and a half, long, to a percent, every
    block has as many, whatever the tempo is exactly.
    """
    clocks_a_block = block * bpm * CLOCKS_PER_BEAT / 60
    near = max(round(2 * clocks_a_block), 1) / 2
    return clocks_a_block < 0.9 or abs(clocks_a_block / near - 1) > 0.015


@settings(max_examples=8, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    st.floats(60, 190),
    st.sampled_from([0.0, 32, 128, 512, 1024, 2048]),
    st.sampled_from([44_100, 48_000]),
    st.floats(0, 0.003),
    st.floats(0, 0.02),
    st.integers(0, 999),
)
def test_any_tempo_block_jitter_and_loss(
    bpm: float, frames: float, rate: int, jitter: float, lost: float, seed: int
) -> None:
    assume(is_told(bpm, frames / rate))
    times = clocks(bpm, seed, block=frames / rate, jitter=jitter, lost=lost)
    assert is_right(follow(times), bpm)


def test_more_clocks_are_lost_than_usual() -> None:
    """Seven of a hundred were outside the tempi that were searched."""
    for seed, lost in ((1, 0.07), (2, 0.1), (3, 0.15)):
        times = clocks(65.76, seed, block=64 / 44_100, jitter=0.003, lost=lost)
        assert is_right(follow(times), 65.76), (lost, follow(times))


def test_the_last_clock_of_a_block_is_no_lost_one() -> None:
    """112 bpm at 1024 frames and 48 kHz was 117.2 bpm: the rate of the blocks."""
    told = follow(clocks(112.0, 0, block=1024 / 48_000))
    assert [tempo for _, tempo in told] == pytest.approx([112.0] * len(told), abs=0.2)
    assert 1 <= len(told) <= 4


@pytest.mark.parametrize(
    ("bpm", "options", "words"),
    [
        (112.0, {"block": 1024 / 48_000}, "clocks every 22.3 ms in steps of 21.3 ms"),
        (120.0, {"block": 2048 / 44_100}, "clocks every 20.8 ms in steps of 46.4 ms"),
        (120.0, {}, "clocks every 20.8 ms"),
        (120.0, {"burst": 2, "gap": 0.0001}, "clocks every 20.8 ms in bursts of 2"),
        (90.0, {"burst": 6, "gap": 0.0}, "clocks every 27.8 ms in bursts of 6"),
        (60.0, {"jitter": 0.003}, "clocks every 41.7 ms, 3 ms early or late at most"),
    ],
)
def test_how_clocks_come_in_is_told(bpm: float, options: dict[str, float], words: str) -> None:
    times = clocks(bpm, 1, **options)  # type: ignore[arg-type]
    assert arrival_of(times[:240], 60 / bpm / CLOCKS_PER_BEAT) == words
    follower = ClockFollower()
    for when in times:
        follower.receive(Message("clock"), 10.0 + float(when))
    assert follower.arrival.startswith(words.partition(",")[0])
    follower.reset()
    assert follower.arrival == ""

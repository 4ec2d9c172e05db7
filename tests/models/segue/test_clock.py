"""The clock: tempo, swing, metre and phases."""

from __future__ import annotations

import numpy as np
import pytest

from models.segue.arranger.clock import LATEST, Clock, Tick, glide, lateness, phases, scramble


def run(
    clock: Clock, count: int, bpm: float, swing: float = 0.5, metre: tuple[int, int] = (4, 16)
) -> tuple[list[Tick], Clock]:
    """`count` steps at one tempo."""
    ticks = []
    for _ in range(count):
        tick, clock = clock.tick(bpm, swing, *metre)
        ticks.append(tick)
    return ticks, clock


@pytest.mark.parametrize(("bpm", "metre"), [(120.0, (4, 16)), (97.3, (3, 12)), (174.0, (4, 14))])
def test_steps_follow_the_tempo_exactly(bpm: float, metre: tuple[int, int]) -> None:
    ticks, clock = run(Clock(), 400, bpm, metre=metre)
    assert clock.start == pytest.approx(400 * 60 / bpm / metre[0], abs=1e-9)
    assert ticks[-1].beats == pytest.approx(399 / metre[0])
    assert ticks[-1].bars == pytest.approx(399 / metre[1])
    assert [t.step_in_bar for t in ticks] == [i % metre[1] for i in range(400)]


def test_swing_lengthens_the_first_of_a_pair_and_keeps_the_beat() -> None:
    ticks, clock = run(Clock(), 16, 100.0, swing=0.62)
    assert ticks[0].length / (ticks[0].length + ticks[1].length) == pytest.approx(0.62)
    assert clock.start == pytest.approx(4 * 0.6)


@pytest.mark.parametrize(
    ("played", "before_bar"), [(0, []), (3, [15]), (4, []), (5, [13, 14, 15]), (16, []), (31, [15])]
)
def test_a_bar_can_begin_with_the_next_beat(played: int, before_bar: list[int]) -> None:
    _, clock = run(Clock(), played, 120.0)
    moved = clock.at_bar(4)
    ticks, _ = run(moved, len(before_bar) + 2, 120.0)
    assert [t.step_in_bar for t in ticks] == [*before_bar, 0, 1]
    assert ticks[0].start == pytest.approx(clock.start)
    starts = [t for t in ticks if t.on_bar]
    assert starts[0].beats % 1 == pytest.approx(0.0, abs=1e-9), "on a beat of the music before"
    assert moved.on_bar is (not before_bar)
    assert [t.bars for t in ticks] == sorted(t.bars for t in ticks)


def test_triplet_metres_do_not_swing() -> None:
    ticks, _ = run(Clock(), 6, 100.0, swing=0.66, metre=(3, 6))
    assert {round(t.length, 9) for t in ticks} == {round(0.2, 9)}


@pytest.mark.parametrize(("old", "new"), [(120.0, 140.0), (170.0, 60.0), (90.0, 91.0)])
def test_a_new_tempo_is_reached_within_two_beats_and_exactly(old: float, new: float) -> None:
    _, clock = run(Clock(), 8, old)
    ticks, _ = run(clock, 12, new)
    tempi = [old] + [t.bpm for t in ticks]
    assert tempi[-1] == new
    assert abs(np.log(tempi[4] / new)) <= 0.051 * abs(np.log(old / new)) + 1e-9
    steps = np.diff(np.log(tempi))
    assert (steps * np.sign(new - old) >= 0).all()  # never past the goal


def test_glide_snaps() -> None:
    assert glide(100.0, 101.0, 4) == 101.0
    assert 100.0 < glide(100.0, 130.0, 4) < 130.0


def test_a_shorter_metre_begins_a_new_bar() -> None:
    _, clock = run(Clock(), 13, 120.0)
    tick, clock = clock.tick(120.0, 0.5, 3, 12)
    assert tick.step_in_bar == 1 and clock.step_in_bar == 2


def test_phases_interpolate_within_steps() -> None:
    ticks, _ = run(Clock(), 32, 60.0)
    index, beats, bars = phases(ticks, np.array([0.0, 0.125, 1.0, 4.5]))
    assert index.tolist() == [0, 0, 4, 18]
    assert beats == pytest.approx([0.0, 0.125, 1.0, 4.5])
    assert bars == pytest.approx([0.0, 0.03125, 0.25, 1.125])


def test_phases_hold_at_the_end_of_the_last_step() -> None:
    tick = Tick(0.0, 0.1, 120.0, 0, 4, 16, 0.0, 0.0)
    _, beats, _ = phases([tick], np.array([5.0]))
    assert beats == pytest.approx([0.25])


def test_lateness_is_small_never_early_and_repeatable() -> None:
    values = [lateness(7, step, 0, 0.02) for step in range(500)]
    assert min(values) >= 0.0 and max(values) == LATEST
    assert values == [lateness(7, step, 0, 0.02) for step in range(500)]
    assert lateness(7, 3, 0, 0.0) == 0.0


def test_scramble_is_even() -> None:
    values = np.array([scramble(1, i) for i in range(4000)])
    assert abs(values.mean() - 0.5) < 0.02
    assert np.abs(np.histogram(values, 10, (0, 1))[0] / 400 - 1).max() < 0.2

"""Tests of the duplex benchmark: when a stroke is first heard, and what was lost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.benchmarks.duplex.delays import (
    RATE,
    Reader,
    Write,
    figures,
    first_joins,
    plan_delays,
    returned,
    undelivered,
)
from tests.benchmarks.duplex.memory import held
from tests.benchmarks.duplex.player import Player, part

STROKE = 100_000


def test_a_stroke_is_heard_in_the_first_block_that_knows_it() -> None:
    writes = [
        Write(join=102_000, stop=106_000, read=99_000, noted=90_000),
        Write(join=112_000, stop=120_000, read=104_000, noted=STROKE - 300),
        Write(join=108_000, stop=112_000, read=105_000, noted=STROKE),
        Write(join=120_000, stop=124_000, read=109_000, noted=STROKE),
    ]
    assert first_joins([STROKE], writes, "noted") == [pytest.approx(8000 / RATE)]
    # What an ear puts a little before its time is that stroke, and not what came before it.
    assert first_joins([STROKE], writes[:2], "noted", early=0.03) == [pytest.approx(12_000 / RATE)]
    assert math.isnan(first_joins([STROKE + 48_000], writes, "noted")[0])


def test_a_join_that_the_reader_has_passed_sounds_no_sooner_than_it_was_written() -> None:
    late = Write(join=101_000, stop=110_000, read=104_000, noted=STROKE)
    assert first_joins([STROKE], [late], "noted") == [pytest.approx(4000 / RATE)]


def test_a_plan_of_follow_counts_once_and_a_newer_one_stands_for_it() -> None:
    writes = [
        Write(join=9000, stop=13_000, read=0, followed=4200),
        Write(join=13_000, stop=17_000, read=0, followed=4200),
        Write(join=30_000, stop=34_000, read=20_000, followed=20_000),
        Write(join=26_000, stop=30_000, read=21_000, followed=22_000),
        Write(join=34_000, stop=38_000, read=22_000),
    ]
    expected = [4800 / RATE, 6000 / RATE, 4000 / RATE]
    assert plan_delays(writes, 0, 40_000) == pytest.approx(expected)
    assert len(plan_delays(writes, 4200, 21_000)) == 1  # neither what began before nor what ended


def test_an_echo_is_back_where_the_last_block_written_before_it_has_the_stroke() -> None:
    due = STROKE + 57_600
    dry = Write(join=due - 1000, stop=due + 3000, read=90_000, known=90_000)
    wet = Write(join=due - 1000, stop=due + 3000, read=120_000, known=STROKE + 500)
    late = Write(join=due - 1000, stop=due + 3000, read=due + 10, known=STROKE + 500)
    assert returned([STROKE], [dry, wet], 57_600) == 1.0
    assert returned([STROKE], [dry, late], 57_600) == 0.0
    assert returned([STROKE], [dry], 57_600) == 0.0


def test_the_reader_tells_what_is_heard_at_a_time() -> None:
    reader = Reader([10.0, 10.1], [48_000, 52_800], [0.01, 0.01])
    assert reader.at(10.06) == pytest.approx(48_000 + 2400)
    assert reader.at(10.16) == pytest.approx(52_800 + 2400)


def test_what_never_arrived_is_counted_however_late_the_rest_was_read() -> None:
    rng = np.random.default_rng(5)
    given = [(256 * n / RATE, 256 * (n + 1)) for n in range(2000)]
    polls = np.arange(1.5, 10.0, 0.01)
    there = 256 * (polls * RATE / 256).astype(int) - 256 * rng.integers(0, 3, len(polls))
    assert undelivered(given, list(zip(polls, there, strict=True)), 100) < 256
    missing = there - 3 * 256 * (polls > 6.0)
    found = undelivered(given, list(zip(polls, missing, strict=True)), 100)
    assert found == pytest.approx(768, abs=128)
    assert undelivered([], [], 100) == 0


def test_figures_name_what_had_no_answer() -> None:
    found = figures([0.1, 0.2, float("nan"), 0.4])
    assert (found["count"], found["unanswered"]) == (4, 1)
    assert (found["median_ms"], found["worst_ms"]) == (200.0, 400.0)
    assert figures([float("nan")]) == {"count": 1, "unanswered": 1}


def test_the_player_says_when_each_stroke_began() -> None:
    sound, strokes = part()
    player, out = Player(sound, strokes), np.zeros((256, 2), np.float32)
    for _ in range(200):
        player.callback(out, 256, None, None)
    before = [stroke for stroke in strokes if stroke < 200 * 256]
    assert len(player.times) == len(before) > 0 and player.frames == 200 * 256
    steps = np.abs(np.diff(sound[:, 0]))
    loudest = steps[strokes[5] - 480 : strokes[5] + 480].argmax() - 480
    assert 0 <= loudest < 100  # its click


def test_memory_counts_what_is_shared_once() -> None:
    array = np.zeros(1000)
    seen: set[int] = set()
    whole = held({"a": array, "b": (array, array[10:20])}, seen)
    assert 8000 < whole < 9000 and held([array], seen) < 200

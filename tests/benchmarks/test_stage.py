"""Tests of the stage benchmark: comparing captures, clicks, knob delays."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.benchmarks.stage import hour
from tests.benchmarks.stage.compare import clicks, compare
from tests.benchmarks.stage.figures import slope
from tests.benchmarks.stage.knobs import KnobDelays

RATE = 48_000


@pytest.fixture
def music() -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    t = np.arange(6 * RATE) / RATE
    sound = 0.3 * np.sin(2 * np.pi * 110 * t)[:, None] + 0.02 * rng.standard_normal((len(t), 2))
    return sound.astype(np.float32)


def captured(sound: NDArray[np.float32], lead: int = 7000) -> NDArray[np.float32]:
    """As 24 bits, with silence before and after."""
    silence = np.zeros((lead, 2), np.float32)
    rounded = np.round(sound * 2**23) / 2**23
    return np.concatenate([silence, rounded, silence]).astype(np.float32)


def test_what_is_the_same_is_the_same(music: NDArray[np.float32]) -> None:
    result = compare(captured(music), music)
    assert result.breaks == [] and result.unmatched == 0
    assert result.frames > len(music) - 3000


def test_lost_and_repeated_frames_are_one_break_each(music: NDArray[np.float32]) -> None:
    lost = np.concatenate([music[:100_000], music[100_256:]])
    assert compare(captured(lost), music).breaks == [
        pytest.approx((7000 + 100_000) / RATE, abs=0.01)
    ]
    assert compare(captured(lost), music).inside == [pytest.approx(100_000 / RATE, abs=0.01)]
    again = np.concatenate([music[:100_000], music[99_744:]])
    assert len(compare(captured(again), music).breaks) == 1
    hole = music.copy()
    hole[100_000:100_256] = 0.0
    result = compare(captured(hole), music)
    assert len(result.breaks) == 1 and 0 < result.unmatched <= 2048


def test_other_music_is_found_nowhere(music: NDArray[np.float32]) -> None:
    result = compare(captured(music[::-1].copy()), music)
    assert result.frames == 0 and result.unmatched > len(music) - 3000


def test_a_step_is_a_click_and_a_drum_is_none(music: NDArray[np.float32]) -> None:
    rng = np.random.default_rng(2)
    smooth = np.repeat(music[:, :1] * 0 + 0.3, 2, axis=1)
    smooth *= np.sin(2 * np.pi * 110 * np.arange(len(smooth)) / RATE)[:, None].astype(np.float32)
    assert clicks(smooth) == []
    broken = smooth.copy()
    broken[50_000:] += 0.1
    assert clicks(broken) == [pytest.approx(50_000 / RATE, abs=1e-3)]
    drum = smooth.copy()
    tail = np.exp(-np.arange(4800) / 900.0)[:, None] * rng.standard_normal((4800, 2))
    drum[50_000:54_800] += (0.4 * tail).astype(np.float32)
    assert clicks(drum) == []


def test_a_delay_ends_when_the_join_is_heard() -> None:
    delays = KnobDelays()
    delays.turned(10.0)
    delays.heard(1000, 10.1, 0.01)
    assert delays.seconds == [] and delays.open == 1
    delays.rewritten(12_000)
    delays.heard(11_999, 10.2, 0.01)
    assert delays.open == 1
    delays.heard(14_400, 10.3, 0.01)
    assert delays.seconds == [pytest.approx(10.3 - 2400 / RATE + 0.01 - 10.0)]
    delays.rewritten(20_000)  # nobody turned anything
    delays.heard(30_000, 11.0, 0.01)
    assert len(delays.seconds) == 1 and delays.open == 0


def test_slope_is_that_of_the_second_half() -> None:
    rss = [(5.0 * i, 100.0 + 50.0 * min(i, 10) + 0.5 * i) for i in range(30)]
    assert slope(rss) == pytest.approx(6.0)
    assert slope(rss[:3]) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_level_once_what_is_kept_is_full() -> None:
    found = hour.play(minutes=1.2, capture_seconds=10.0, moments_mb=4.0, count=10)
    assert max(found[4:]) - min(found[4:]) < 4.0  # it would be 8 MB with the capture alone

"""Blocks that wait for their analysis: what is taken, in which order, and what never is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.window.spectrogram.pending import ENOUGH, MOST, PATIENCE, PendingBlocks


def block(frames: int, value: float = 0.0) -> NDArray[np.float32]:
    return np.full((frames, 2), value, np.float32)


def test_little_waits_and_much_does_not() -> None:
    queue = PendingBlocks()
    assert not queue.due()
    queue.add(0, block(ENOUGH // 4))
    assert [queue.due() for _ in range(PATIENCE)] == [False] * (PATIENCE - 1) + [True]
    queue.take()
    assert not queue.due()
    queue.add(0, block(ENOUGH))
    assert queue.due()


def test_blocks_without_a_gap_are_taken_as_one() -> None:
    queue = PendingBlocks()
    for start in (0, 10, 20, 50):
        queue.add(start, block(10, start))
    position, samples = queue.take()
    assert position == 0 and samples[::10, 0].tolist() == [0, 10, 20]
    assert queue.take()[0] == 50 and not len(queue)


def test_what_is_planned_again_is_dropped() -> None:
    queue = PendingBlocks()
    for start in (0, 10, 20):
        queue.add(start, block(10, 1.0))
    queue.add(15, block(10, 2.0))
    position, samples = queue.take()
    assert position == 0 and len(samples) == 25
    assert samples[:15, 0].tolist() == [1.0] * 15 and samples[15:, 0].tolist() == [2.0] * 10
    queue.add(30, block(10))
    queue.add(0, block(5))
    assert queue.take()[0] == 0 and not len(queue)


def test_it_is_full_and_takes_no_more_than_that_at_once() -> None:
    queue = PendingBlocks()
    for start in range(0, MOST + 2000, 1000):
        queue.add(start, block(1000))
    assert queue.full
    assert len(queue.take()[1]) == MOST and not queue.full

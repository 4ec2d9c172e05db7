"""What is said of an engine that is too slow, before it plays."""

from __future__ import annotations

import pytest

from app.inference.speed import DEEP_PLAN, ENOUGH_BLOCKS, slow_engine
from app.inference.status import WorkerStatus


def status(
    factor: float, blocks: int = ENOUGH_BLOCKS, line_ms: float | None = None
) -> WorkerStatus:
    return WorkerStatus(
        state="paused",
        engine="magenta-rt2-small",
        real_time_factor=factor,
        blocks=blocks,
        line_ms=line_ms,
    )


@pytest.mark.parametrize(
    ("given", "slow"),
    [
        (status(0.9), True),
        (status(1.01), True),
        (status(1.02), False),
        (status(5.0), False),
        (status(0.0), False),  # not known
        (status(0.9, blocks=ENOUGH_BLOCKS - 1), False),  # not known yet
        (status(0.9, line_ms=20.0), False),  # of a line, not of this machine
    ],
)
def test_which_engine_is_too_slow(given: WorkerStatus, slow: bool) -> None:
    assert (slow_engine(given) is not None) is slow


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (0.5, "makes 0.50 seconds of music in a second here: it plays 7 seconds, then breaks off. "
              "Made 16 s ahead, it plays 32 seconds."),
        (0.9, "it plays 36 seconds, then breaks off. Made 16 s ahead, it plays 3 minutes."),
        (1.01, "it plays 6 minutes, then breaks off. Made 16 s ahead, it plays 27 minutes."),
    ],
)  # fmt: skip
def test_the_sentence_says_how_long_it_plays(factor: float, words: str) -> None:
    slow = slow_engine(status(factor))
    assert slow is not None and slow.sentence.startswith("magenta-rt2-small makes ")
    assert words in slow.sentence


def test_a_stretch_is_the_plan_over_what_is_missing() -> None:
    slow = slow_engine(status(0.75))
    assert slow is not None
    assert slow.stretch(3.6) == pytest.approx(14.4) and slow.stretch(DEEP_PLAN) == 64.0

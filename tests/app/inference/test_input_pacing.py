"""Which of what comes in rewrites the plan: Follow before memory and echo, and none where it is
short.
"""

from __future__ import annotations

import pytest

from app.inference.health import RenderTimes, RewritePacing
from app.inference.input_pacing import GIVES_WAY, InputPacing
from app.inference.messages import WorkerSettings
from models.engine.hearing import Hearing
from models.music.hearing.transcript import Transcript

RATE = 48000


class Clock:
    """Seconds that are set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def pacing(clock: Clock, told: list[str], block: float = 0.01, plan: float = 3.6) -> InputPacing:
    """Pacing of a plan whose blocks take so many seconds."""
    times = RenderTimes(0.08)
    for _ in range(20):
        times.add(block)
    settings = WorkerSettings(plan_seconds=plan)
    rewrites = RewritePacing(settings, times, RATE)
    return InputPacing(rewrites, RATE, lambda level, sentence: told.append(sentence), clock)


@pytest.mark.parametrize(
    ("block", "plan", "seconds", "follows", "remembers"),
    [
        (0.01, 3.6, 3.0, True, True),
        (0.01, 3.6, 1.1, True, True),
        (0.01, 3.6, 0.65, True, True),
        (0.01, 3.6, 0.55, True, False),
        (0.01, 3.6, 0.45, False, False),
        (0.04, 3.6, 0.7, False, False),  # twice real time: half as much again
        (0.04, 3.6, 0.8, True, False),
        (0.04, 3.6, 1.0, True, True),
        (0.3, 3.6, 2.6, False, False),  # too slow for any
        (0.3, 3.6, 2.8, True, True),
        (0.01, 1.6, 1.25, True, True),  # of a short plan three quarters
    ],
)
def test_what_a_plan_may_be_rewritten_for(
    block: float, plan: float, seconds: float, follows: bool, remembers: bool
) -> None:
    inputs, depth = pacing(Clock(), [], block, plan), round(seconds * RATE)
    assert (inputs.may_follow(depth), inputs.may_remember(depth)) == (follows, remembers)


def test_it_is_said_once_where_nothing_is_remembered_for_long() -> None:
    clock, told = Clock(), list[str]()
    inputs = pacing(clock, told)
    for _ in range(100):  # refused, and taken soon after: no word
        inputs.may_remember(0)
        inputs.may_remember(2 * RATE)
        clock.now += 0.24
    clock.now += 30.0
    inputs.may_remember(0)  # after a rest of the player
    assert told == []
    for _ in range(100):
        clock.now += 0.24
        inputs.may_remember(0)
    assert told == [GIVES_WAY]


def test_the_renderer_of_the_echo_rests_where_the_plan_is_short() -> None:
    inputs = pacing(Clock(), [])
    given = Hearing(0, Transcript(), lambda start, stop: None, 0)  # type: ignore[arg-type,return-value]
    for seconds, spare in ((0.6, True), (0.45, False)):
        heard = inputs.live(given, round(seconds * RATE))
        assert heard is not None and heard.live and heard.spare is spare
    assert inputs.live(None, 0) is None


def test_what_comes_while_the_plan_is_short_waits_and_is_not_lost() -> None:
    inputs = pacing(Clock(), [])
    inputs.note(99.9, 2 * RATE, True)
    assert inputs.take(0, ring=RATE // 2) is None
    inputs.note(99.95, 2 * RATE, True)
    change = inputs.take(0, ring=2 * RATE)
    assert change is not None and change.turned_at == 99.9  # of the first that waited
    assert inputs.take(0, ring=2 * RATE) is None


def test_nothing_is_made_again_for_what_all_of_the_plan_knows() -> None:
    inputs = pacing(Clock(), [])
    inputs.note(100.0, 9_000, True)
    assert inputs.take(9_000, ring=2 * RATE) is None
    assert inputs.take(0, ring=2 * RATE) is None


def test_follow_goes_before_memory_and_one_rewrite_serves_both() -> None:
    inputs = pacing(Clock(), [])
    inputs.note(100.0, 2 * RATE, True)
    inputs.note(100.0, 2 * RATE, False)
    change = inputs.take(0, ring=2 * RATE)
    assert change is not None and not change.remembers and change.hurry > 0.0
    assert inputs.take(0, ring=2 * RATE) is None


def test_the_plan_grows_whole_only_in_a_rest_of_the_player() -> None:
    clock = Clock()
    inputs = pacing(clock, [])
    assert inputs.wanted(3.6 * RATE) == 3.6 * RATE
    inputs.note(clock.now, 2 * RATE, True)
    assert inputs.take(0, ring=2 * RATE) is not None
    assert 0.8 * RATE < inputs.wanted(3.6 * RATE) < 1.2 * RATE
    clock.now += 1.5
    assert inputs.wanted(3.6 * RATE) == 3.6 * RATE

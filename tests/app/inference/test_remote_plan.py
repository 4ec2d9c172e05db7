"""The plan with an engine elsewhere: blocks that are late, a line that is down, a server anew."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from app.audio import shared_memory as s
from app.inference.health import RenderTimes
from app.inference.style_queue import EmbedRequest, StyleQueue
from models.engine.controls import Controls
from models.engine.interface import Audio
from models.errors import BlockPendingError, PlaceLostError
from tests.app.inference.test_planner import QUIET_B, A, Rig
from tests.support.thin_line import ThinLine
from tests.support.tone_engine import ToneEngine, ToneMoment, ToneStream

QUIET_A = A.with_(mute=["drums"])


class LineRig(Rig):
    """A planner whose engine is elsewhere. down_until: simulated time at which the line is back.

    journey: seconds until the first block comes that does not follow from the one before.
    """

    def __init__(self, journey: float = 0.0, **options: float) -> None:
        self.down_until, self.journey = 0.0, journey
        self.on_its_way: object = None
        self.lost = False
        super().__init__(block_seconds=0.1, **options)

    def _slow_down(self, engine: ToneEngine) -> None:
        super()._slow_down(engine)
        object.__setattr__(engine.info, "remote", True)
        rig, start = self, engine.start

        def start_elsewhere(seed: int = 0) -> ToneStream:
            stream = start(seed)
            render = stream.render

            def far(controls: Controls) -> Audio:
                if rig.now < rig.down_until:
                    rig.run(0.05)
                    raise BlockPendingError("not yet")
                if rig.lost:
                    rig.lost = False
                    stream._now = ToneMoment("tone", 99, 0, 0.37)
                    raise PlaceLostError("the server was started anew: it begins afresh.")
                if (controls, stream._now) != rig.on_its_way:
                    rig.run(rig.journey)
                block = render(controls)
                rig.on_its_way = controls, stream._now
                return block

            stream.render = far  # type: ignore[method-assign]
            return stream

        engine.start = start_elsewhere  # type: ignore[method-assign]


def playing(**options: float) -> LineRig:
    rig = LineRig(**options)
    rig.planner.submit(QUIET_A)
    rig.work(0.3)
    rig.play()
    rig.work(4.0)
    return rig


def test_a_drop_within_the_plan_is_not_heard() -> None:
    rig = playing()
    rig.down_until = rig.now + 3.0
    rig.work(5.0)
    assert rig.words[s.UNDERRUNS] == 0 and rig.planner.recoveries == 0 and not rig.incidents
    assert rig.clicks() == 0


def test_a_drop_of_twenty_seconds_fades_and_goes_on_where_it_was() -> None:
    rig = playing()
    rig.down_until = rig.now + 20.0
    rig.work(30.0)
    assert rig.words[s.UNDERRUNS] == 1 and rig.planner.recoveries == 0
    assert rig.clicks() == 0
    assert rig.planner.source.last_good == QUIET_A
    stream = rig.planner.stream
    assert isinstance(stream, ToneStream)
    assert stream._now.seed == 0 and stream._now.position > 12 * s.SAMPLE_RATE  # nothing forgotten
    assert rig.planner.depth > 2.5 * s.SAMPLE_RATE
    assert rig.frequency() == pytest.approx(220, abs=6)


def test_a_control_that_is_turned_while_the_line_is_down_holds_afterwards() -> None:
    rig = playing()
    rig.down_until = rig.now + 1.5
    rig.planner.submit(QUIET_B)
    rig.work(3.0)
    assert rig.words[s.UNDERRUNS] == 0 and rig.planner.source.last_good == QUIET_B
    assert rig.frequency() == pytest.approx(440, abs=6)
    assert rig.clicks() == 0


def test_a_server_that_was_started_anew_is_faded_into() -> None:
    rig = playing()
    rig.lost = True
    rig.work(6.0)
    assert rig.incidents == ["the server was started anew: it begins afresh."]
    assert rig.words[s.UNDERRUNS] == 0 and rig.planner.recoveries == 0
    assert rig.clicks() == 0
    rig.lost = True
    rig.planner.submit(QUIET_B)
    rig.work(6.0)
    assert rig.frequency() == pytest.approx(440, abs=6)
    assert rig.clicks() == 0


@pytest.mark.parametrize(("remote", "estimate"), [(False, 0.002), (True, 0.2)])
def test_a_rewrite_counts_on_the_whole_journey(remote: bool, estimate: float) -> None:
    """What is under way already says nothing about how long a change takes on a line."""
    times = RenderTimes(0.08, remote=remote)
    for _ in range(20):
        times.add(0.001)
        times.add(0.2, changed=True)
    times.recent.extend([0.001] * 20)
    assert times.estimate == pytest.approx(estimate)


def test_styles_of_an_engine_elsewhere_are_made_beside() -> None:
    engine, asked, ready = ToneEngine(), threading.Event(), threading.Event()
    object.__setattr__(engine.info, "remote", True)
    embed = engine.embed_text

    def slow(text: str) -> np.ndarray:
        asked.set()
        assert ready.wait(5.0)
        return embed(text)

    engine.embed_text = slow  # type: ignore[method-assign]
    done: list[str] = []
    queue = StyleQueue(lambda key, style: done.append(key), print, print)
    for key in ("one", "two"):
        queue.add(EmbedRequest(key, text=key))
    assert not queue.embed_one(engine, True)  # returns at once
    assert asked.wait(5.0) and not done
    assert not queue.embed_one(engine, True)
    ready.set()
    while len(done) < 2:
        queue.embed_one(engine, False)
    assert done == ["one", "two"]


def test_the_style_of_what_comes_in_is_made_beside() -> None:
    """Each bar anew: the music must not wait for it. Nothing else is embedded meanwhile."""
    engine, asked, ready = ToneEngine(), threading.Event(), threading.Event()
    embed, done = engine.embed_audio, list[str]()

    def slow(samples: np.ndarray, sample_rate: int) -> np.ndarray:
        asked.set()
        assert ready.wait(5.0)
        return embed(samples, sample_rate)

    engine.embed_audio = slow  # type: ignore[method-assign]
    queue = StyleQueue(
        lambda key, style: done.append(key),
        lambda key, text: done.append(text),
        lambda key, terms: None,
    )
    sound = np.random.default_rng(0).standard_normal(48_000).astype(np.float32)
    queue.add(EmbedRequest("heard", source=lambda: sound, sample_rate=48_000))
    queue.add(EmbedRequest("word", text="word"))
    assert not queue.embed_one(engine, True)  # returns at once
    assert asked.wait(5.0)
    assert not queue.embed_one(engine, True) and not done
    ready.set()
    deadline = time.monotonic() + 5.0
    while len(done) < 2 and time.monotonic() < deadline:
        queue.embed_one(engine, True)
    assert done == ["heard", "word"]


def test_new_controls_wait_for_a_plan_that_outlasts_the_journey() -> None:
    """On a thin line the first block under them takes long, and the plan must not run dry."""
    rig = playing(journey=0.4, render_seconds=0.06)
    for turn in range(8):
        rig.planner.submit(QUIET_B if turn % 2 == 0 else QUIET_A)
        rig.work(3.0)
        assert rig.frequency() == pytest.approx(440 if turn % 2 == 0 else 220, abs=6)
    assert rig.words[s.UNDERRUNS] == 0
    assert rig.clicks() == 0
    assert rig.planner.latency_stats.worst < 2.0


class ThinRig(Rig):
    """A planner whose engine is behind a thin line, with blocks as long as those of `segue`."""

    def __init__(self, **line: Any) -> None:
        self._options = line
        super().__init__(block_seconds=0.08)

    def _slow_down(self, engine: ToneEngine) -> None:
        object.__setattr__(engine.info, "remote", True)
        self.line = line = ThinLine(self.run, **self._options)
        rig, start = self, engine.start

        def start_elsewhere(seed: int = 0) -> ToneStream:
            stream = start(seed)
            render = stream.render

            def far(controls: Controls) -> Audio:
                line.take(rig.now, (controls, stream._now))
                block = render(controls)
                line.follows((controls, stream._now))
                return block

            stream.render = far  # type: ignore[method-assign]
            return stream

        engine.start = start_elsewhere  # type: ignore[method-assign]


def turning(rig: ThinRig, seconds: float, every: float) -> float:
    """Turn a knob so often; the shortest plan meanwhile, in seconds."""
    shortest, turn, next_turn, until = np.inf, 0, rig.now, rig.now + seconds
    while rig.now < until:
        if rig.now >= next_turn:
            rig.planner.submit(QUIET_B if turn % 2 == 0 else QUIET_A)
            next_turn, turn = rig.now + every + 0.0137 * turn % 0.1, turn + 1
        rig.work(0.02)
        shortest = min(shortest, rig.ring.depth / s.SAMPLE_RATE)
    return float(shortest)


@pytest.mark.parametrize(("every", "median"), [(0.3, 3.0), (2.0, 1.8), (10.0, 1.2)])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_knob_behind_a_thin_line_does_not_use_up_the_plan(
    every: float, median: float, seed: int
) -> None:
    """A quarter more than is played comes in, for all that the changes throw away."""
    rig = ThinRig(seed=seed)
    rig.planner.submit(QUIET_A)
    rig.work(3.0)
    rig.play()
    rig.work(5.0)
    delays: list[float] = []
    scheduled = rig.planner.latency_stats.scheduled

    def note(turned_at: float, join: int) -> None:
        scheduled(turned_at, join)
        delays.append(rig.now - turned_at + (join - rig.ring.read) / s.SAMPLE_RATE)

    rig.planner.latency_stats.scheduled = note  # type: ignore[method-assign]
    assert turning(rig, 60.0, every) > 0.1
    assert rig.words[s.UNDERRUNS] == 0
    assert float(np.median(delays)) < median and max(delays) < 5.0
    assert rig.clicks() == 0
    rig.planner.submit(QUIET_A)
    rig.work(0.5)
    rig.planner.submit(QUIET_B)
    rig.work(6.0)
    assert rig.frequency() == pytest.approx(440, abs=6)


def test_what_is_at_hand_says_nothing_about_the_line() -> None:
    times = RenderTimes(0.08, remote=True)
    times.add(0.064)
    times.rest()
    for _ in range(6):
        times.add(0.0001)
    assert times.sustained == pytest.approx(1.25)
    times.add(0.064)
    times.add(0.0001)  # arrived with the one before
    assert len(times.recent) == 3


def test_a_block_on_its_way_is_not_asked_for_again() -> None:
    """Each time it would be a journey more, for which a line with a long one may never be done."""
    rig = ThinRig(loss=0.0, journey=0.8, patience=0.2, ahead=16)
    rig.planner.submit(QUIET_A)
    rig.work(6.0)
    rig.play()
    rig.work(5.0)
    runs = rig.line.runs
    rig.planner.submit(QUIET_B)
    rig.work(4.0)
    assert rig.line.runs <= runs + 2  # how long it takes was not known the first time
    assert rig.words[s.UNDERRUNS] == 0
    assert rig.frequency() == pytest.approx(440, abs=6)

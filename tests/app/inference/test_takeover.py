"""An engine of this machine takes over where the line to one elsewhere is dead."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from app.audio import shared_memory as s
from app.inference.messages import PlannerListener, WorkerSettings
from app.inference.planner import Planner
from app.inference.takeover import DEAD_SECONDS, LISTEN_SECONDS, Takeover, take_over
from models.engine.interface import Engine
from models.errors import SegueError
from tests.app.inference.test_planner import QUIET_B
from tests.app.inference.test_remote_plan import QUIET_A, LineRig
from tests.support.tone_engine import ToneEngine, ToneStream


class TakeoverRig(LineRig):
    """A line, and the engine of this machine that is named for when it dies."""

    def __init__(self, opened: Engine | SegueError | None) -> None:
        super().__init__()
        self.said: list[str] = []
        self.loads = 0

        def load() -> Engine:
            self.loads += 1
            if isinstance(opened, SegueError):
                raise opened
            assert opened is not None
            return opened

        report = self.said
        self.takeover = Takeover(
            None if opened is None else load, lambda level, sentence: report.append(sentence)
        )
        self.planner.submit(QUIET_A)
        self.live(0.3)
        self.play()
        self.live(4.0)

    def live(self, seconds: float) -> None:
        """The worker's loop for so long; what is loaded beside it is loaded at once."""
        until = self.now + seconds
        while self.now < until:
            self.work(0.02)
            loaded = self.takeover.step(self.planner)
            for beside in (self.takeover._loading, self.takeover._listening):
                if beside is not None:
                    beside.join()
            if loaded is not None:
                old = self.planner
                self.planner = Planner(
                    loaded[0], self.ring, WorkerSettings(), seed=old.source.seed,
                    listener=PlannerListener(), clock=lambda: self.now,
                )  # fmt: skip
                self.planner.reader_stopped = False
                self.planner.margin = old.margin
                take_over(old, self.planner, loaded[1])


def test_a_stutter_is_waited_for() -> None:
    rig = TakeoverRig(ToneEngine(block_seconds=0.1, name="here"))
    rig.down_until = rig.now + DEAD_SECONDS - 0.5
    rig.live(8.0)
    assert (rig.loads, rig.said) == (1, [])
    assert rig.planner.info.remote
    assert rig.words[s.UNDERRUNS] <= 1
    rig.takeover.end()


def test_a_dead_line_is_taken_over_from_the_sound_that_was_planned_last() -> None:
    here = ToneEngine(block_seconds=0.1, name="here", continues_audio=True, style_dim=64)
    heard: list[int] = []
    after = here.snapshot_after

    def listen(samples: np.ndarray, rate: int, seed: int = 0) -> object:  # type: ignore[type-arg]
        heard.append(len(samples))
        return after(samples, rate, seed)

    here.snapshot_after = listen  # type: ignore[method-assign, assignment]
    rig = TakeoverRig(here)
    rig.down_until = rig.now + 1e6
    end = rig.ring.end
    rig.live(LISTEN_SECONDS + 0.3)
    assert rig.loads == 1
    assert rig.planner.info.remote
    rig.planner.submit(QUIET_B)  # what is turned while nothing comes holds afterwards
    rig.live(6.0)
    assert rig.planner.info.name == "here"
    assert heard == [pytest.approx(end, abs=9600)]
    assert rig.said == [rig.said[0]]
    assert "tone has been silent for 4 s: here of this machine plays on" in rig.said[0]
    assert rig.planner.source.last_good == QUIET_B
    assert isinstance(rig.planner.stream, ToneStream)
    assert rig.frequency() == pytest.approx(440, abs=6)
    assert rig.words[s.UNDERRUNS] <= 1
    assert rig.clicks() == 0
    rig.live(2.0)
    assert rig.loads == 1
    rig.takeover.end()


def test_a_stutter_of_before_is_not_gone_on_from() -> None:
    here = ToneEngine(block_seconds=0.1, name="here", continues_audio=True)
    heard: list[int] = []
    after = here.snapshot_after

    def listen(samples: np.ndarray, rate: int, seed: int = 0) -> object:  # type: ignore[type-arg]
        heard.append(len(samples))
        return after(samples, rate, seed)

    here.snapshot_after = listen  # type: ignore[method-assign, assignment]
    rig = TakeoverRig(here)
    rig.down_until = rig.now + 2.0
    rig.live(4.0)
    assert len(heard) == 1
    assert rig.planner.info.remote
    rig.down_until = rig.now + 1e6
    rig.live(7.0)
    assert rig.planner.info.name == "here"
    assert len(heard) == 2
    rig.takeover.end()


def test_without_a_name_or_an_engine_the_line_is_waited_for() -> None:
    rig = TakeoverRig(None)
    rig.down_until = rig.now + 10.0
    rig.live(8.0)
    assert rig.planner.info.remote
    assert rig.said == []
    rig = TakeoverRig(SegueError("its weights are missing."))
    rig.down_until = rig.now + 10.0
    rig.live(8.0)
    assert rig.planner.info.remote
    assert rig.said == ["no engine of this machine can take over: its weights are missing."]
    rig.live(5.0)
    assert rig.frequency() == pytest.approx(220, abs=6)


def test_what_was_loaded_for_nothing_is_closed() -> None:
    here = ToneEngine(block_seconds=0.1)
    rig = TakeoverRig(here)
    rig.down_until = rig.now + 2.0
    rig.live(3.0)
    rig.takeover.end()
    assert here.closed
    assert not [thread for thread in threading.enumerate() if thread.name == "takeover"]

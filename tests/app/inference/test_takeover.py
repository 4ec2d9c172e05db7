"""An engine of this machine takes over where the line to one elsewhere is dead."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from app.audio import shared_memory as s
from app.inference.messages import PlannerListener, WorkerSettings
from app.inference.planner import Planner
from app.inference.stems import switch_stems
from app.inference.takeover import (
    DEAD_SECONDS,
    LISTEN_SECONDS,
    PATIENCE_SECONDS,
    STILL_LOADING,
    Takeover,
    take_over,
)
from models.engine.interface import Engine
from models.errors import SegueError
from tests.app.inference.test_planner import QUIET_B
from tests.app.inference.test_remote_plan import QUIET_A, LineRig
from tests.app.inference.test_stems import PARTS, NoiseEngine, Stage
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
                self.planner, _ = take_over(
                    self.planner, self.begin, *loaded, lambda level, told: self.said.append(told)
                )

    def begin(self, engine: Engine, seed: int) -> Planner:
        planner = Planner(
            engine, self.ring, WorkerSettings(), seed=seed, listener=PlannerListener(),
            clock=lambda: self.now,
        )  # fmt: skip
        planner.reader_stopped, planner.margin = False, self.planner.margin
        return planner


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


def test_an_engine_that_is_loaded_too_late_plays_on_at_once() -> None:
    """The plan is long empty then: it does not listen first, which would take seconds more."""
    here = ToneEngine(block_seconds=0.1, name="here", continues_audio=True)
    loaded, listened = threading.Event(), []
    here.snapshot_after = lambda *words: listened.append(words)  # type: ignore[method-assign, assignment]
    rig = TakeoverRig(None)

    def load() -> Engine:
        assert loaded.wait(20.0)
        return here

    takeover = Takeover(load, lambda level, sentence: rig.said.append(sentence))
    rig.down_until = rig.now + 1e6
    for _ in range(600):
        rig.work(0.02)
        assert takeover.step(rig.planner) is None
    assert rig.planner.source.pending_seconds > PATIENCE_SECONDS
    assert rig.said == [STILL_LOADING.format(name="tone")]  # told once
    loaded.set()
    assert takeover._loading is not None
    takeover._loading.join()
    found = takeover.step(rig.planner)
    assert found == (here, None) and not listened
    rig.planner, _ = take_over(rig.planner, rig.begin, *found, lambda level, told: None)
    rig.work(1.0)
    assert rig.planner.info.name == "here" and rig.frequency() == pytest.approx(220, abs=6)
    takeover.end()


def test_what_fails_on_the_way_does_not_end_the_music() -> None:
    said: list[str] = []

    def report(level: str, sentence: str) -> None:
        said.append(sentence)

    rig = TakeoverRig(None)
    old = rig.planner
    broken = ToneEngine(name="here", start_fault=True)
    assert take_over(old, rig.begin, broken, None, report) == (old, None)
    assert "here could not take over" in said[0] and not broken.closed
    foreign = ToneEngine(name="other").start(1).snapshot()
    here = ToneEngine(block_seconds=0.1, name="here")
    new, _ = take_over(old, rig.begin, here, foreign, report)
    assert new.source.engine is here and "here begins afresh" in said[1]
    rig.planner = new
    rig.work(0.5)
    assert new.depth > 0


@pytest.mark.parametrize("users", [{"take"}, {"outputs"}, {"outputs", "take"}, set()])
def test_stems_are_on_for_the_same_users(users: set[str]) -> None:
    """A take that runs and the parts' outputs: the planned stems are heard, and new ones follow."""
    stage = Stage()
    old = stage.planner
    for user in users:
        switch_stems(old.source.stems, old.plan, old.ring, True, user)
    stage.play(48_000)
    new, filling = take_over(
        old, lambda engine, seed: Planner(engine, stage.ring, WorkerSettings(plan_seconds=0.8)),
        NoiseEngine(), None, lambda level, sentence: None,
    )  # fmt: skip
    new.reader_stopped = False
    assert filling is None and new.source.stems.users == users
    assert new.source.stems.on == bool(users)
    joint, stage.planner = stage.ring.end, new
    stage.feed.open(PARTS, new.ring)
    stage.play(48_000)
    if not users:
        assert stage.feed.copy(joint, joint + 10) is None
        return
    before, after = stage.feed.copy(joint - 4800, joint), stage.feed.copy(joint, joint + 24_000)
    assert before is not None and after is not None
    for mix, stems in (before, after):
        assert np.abs(stems).mean() > 0.3 * np.abs(mix).mean() > 0.0
    switch_stems(new.source.stems, new.plan, new.ring, False, "take")
    assert new.source.stems.on == ("outputs" in users)


def test_stems_of_an_engine_with_other_parts_are_kept_on() -> None:
    rig = TakeoverRig(None)
    rig.planner.source.stems.users = {"outputs"}  # wanted, but this engine has none
    new, _ = take_over(rig.planner, rig.begin, NoiseEngine(), None, lambda level, told: None)
    assert new.source.stems.on and new.source.stems.users == {"outputs"}
    assert new.ring.stems is not None

"""Stems of the plan: they go through every splice as the mix does."""

from __future__ import annotations

import numpy as np
import pytest

from app.audio.ring import PlanRing
from app.audio.stem_delay import StemDelay
from app.audio.stem_ring import StemFeed
from app.inference.messages import WorkerSettings
from app.inference.planner import Planner
from app.inference.stems import StemFill, switch_stems
from models.engine.controls import Controls
from models.engine.interface import Audio, Engine, EngineInfo, Samples, Snapshot, Stream, Style

FRAMES, LEAD, PARTS = 4000, 96, ("low", "high")


class NoiseStream(Stream):
    """Two parts of noise that depend on position and density; the mix is their sum, LEAD late."""

    def __init__(self) -> None:
        self.state: tuple[int, Audio] = (0, np.zeros((LEAD, 2), np.float32))
        self._stems: dict[str, Audio] = {}

    @property
    def stems(self) -> dict[str, Audio]:
        return self._stems

    def render(self, controls: Controls) -> Audio:
        number, tail = self.state
        rng = np.random.default_rng([number, round(100 * (controls.density or 0.0))])
        noise = 0.1 * rng.standard_normal((2, FRAMES, 2)).astype(np.float32)
        self._stems = dict(zip(PARTS, noise, strict=True))
        joined = np.concatenate([tail, noise.sum(axis=0)])
        self.state = (number + 1, joined[FRAMES:])
        return np.ascontiguousarray(joined[:FRAMES])

    def snapshot(self) -> Snapshot:
        return self.state

    def restore(self, snapshot: Snapshot) -> None:
        assert isinstance(snapshot, tuple)
        self.state = snapshot
        self._stems = {}

    def clear(self) -> None:
        self.state = (self.state[0] + 1000, self.state[1])


class NoiseEngine(Engine):
    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            "noise", 48_000, 2, FRAMES, 1.0, 4, frozenset({"density"}), parts=PARTS,
            stems_lead=LEAD,
        )  # fmt: skip

    def embed_text(self, text: str) -> Style:
        return np.zeros(4, np.float32)

    def embed_audio(self, samples: Samples, sample_rate: int) -> Style:
        return np.zeros(4, np.float32)

    def start(self, seed: int = 0) -> Stream:
        return NoiseStream()


class Stage:
    """A planner and a reader that plays."""

    def __init__(self) -> None:
        self.ring = PlanRing.local(200_000)
        self.now = 0.0
        settings = WorkerSettings(plan_seconds=0.8, reserve_seconds=0.1, promised_ms=60.0)
        self.planner = Planner(NoiseEngine(), self.ring, settings, clock=lambda: self.now)
        self.planner.reader_stopped = False
        self.feed = StemFeed()
        self.feed.open(PARTS, self.planner.ring)
        self.filling: StemFill | None = None

    def switch(self, on: bool) -> None:
        source = self.planner.source
        self.filling = switch_stems(source.stems, self.planner.plan, self.planner.ring, on)

    def play(self, frames: int) -> None:
        for _ in range(frames // 240):
            for _ in range(4):
                if self.filling is None or not self.filling.step(self.planner.stream):
                    self.planner.step()
            self.ring.advance(240)
            self.now += 240 / 48_000


def difference(stage: Stage, start: int, stop: int) -> np.ndarray:
    found = stage.feed.copy(start, stop)
    assert found is not None
    mix, stems = found
    return np.abs(mix - stems[:, :2] - stems[:, 2:]).max(axis=1)


def test_a_delay_line_goes_on_from_block_to_block() -> None:
    delay = StemDelay(PARTS, 3)
    sound = np.arange(40, dtype=np.float32).reshape(20, 2)
    blocks = [delay.push({"low": sound[at : at + 5], "high": sound[at : at + 5]}) for at in (0, 5)]
    joined = np.concatenate(blocks)
    assert not joined[:3].any()
    assert np.array_equal(joined[3:], np.tile(sound[:7], (1, 2)))


def test_stems_follow_rewrites_to_the_sample() -> None:
    stage = Stage()
    stage.planner.reader_stopped = True
    stage.planner.step()
    stage.planner.reader_stopped = False
    stage.switch(True)
    begin = stage.ring.read
    for turn in range(6):
        stage.play(7200)
        stage.planner.submit(Controls(density=0.1 * (turn + 1)))
        stage.play(9600)
    assert stage.planner.rewrites >= 5
    # The first block of a plan fades in, which was before the stems.
    heard = difference(stage, begin + 720, stage.ring.read)
    assert heard.max() < 1e-5, np.flatnonzero(heard > 1e-5)[[0, -1]]


def test_what_was_planned_before_gets_stems_too_and_plays_on_unchanged() -> None:
    stage, other = Stage(), Stage()
    for rig in (stage, other):
        rig.planner.reader_stopped = True
        for _ in range(12):
            rig.planner.step()
        rig.planner.reader_stopped = False
        rig.play(9600)
    stage.switch(True)
    at = stage.ring.read
    for rig in (stage, other):
        rig.play(24_000)
    # All of it but the look-ahead at the front of the first block that was rendered again.
    heard = difference(stage, at, stage.ring.read)
    assert heard.max() < 1e-5, np.flatnonzero(heard > 1e-5)[[0, -1]]
    assert np.array_equal(stage.ring.copy(0, at + 24_000), other.ring.copy(0, at + 24_000))


@pytest.mark.parametrize("leap", ["clear", "moment"])
def test_after_a_leap_only_the_look_ahead_is_missing(leap: str) -> None:
    stage = Stage()
    stage.planner.reader_stopped = True
    stage.planner.step()
    stage.planner.reader_stopped = False
    stage.switch(True)
    stage.play(24_000)
    begin = stage.ring.read
    if leap == "clear":
        stage.planner.clear()
    else:
        moment = stage.planner.moment_at(begin - 9600)
        assert moment is not None
        stage.planner.go_to_moment(moment)
    stage.play(24_000)
    heard = difference(stage, begin, stage.ring.read)
    assert np.count_nonzero(heard > 1e-5) <= LEAD
    stage.switch(False)
    assert stage.feed.copy(begin, begin + 10) is None

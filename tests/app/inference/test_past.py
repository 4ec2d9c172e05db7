"""Rendering the past once more: every sample of mix and stems is the one that was heard."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from app.audio.past import render_log
from app.audio.past.render_log import RenderLog
from app.audio.past.rerender import rerender, with_sources
from models.engine.controls import Controls
from tests.app.inference.test_stems import FRAMES, PARTS, NoiseEngine, Stage


class Past(Stage):
    """A stage with stems, that also notes how it was rendered, and keeps what was heard."""

    def __init__(self) -> None:
        super().__init__()
        self.log: RenderLog = self.planner.renders.of(NoiseEngine())
        self.log.on = True
        self.switch(True)
        self.filling = None
        self.planner.reader_stopped = True
        self.planner.step()
        self.planner.reader_stopped = False
        self.heard: list[np.ndarray] = []

    def play(self, frames: int) -> None:
        for _ in range(frames // 2400):
            start = self.ring.read
            super().play(2400)
            found = self.feed.copy(start, self.ring.read)
            assert found is not None
            self.heard.append(np.concatenate(found, axis=1))

    def again(self, start: int, stop: int) -> np.ndarray:
        records = self.log.between(start - FRAMES, stop)
        return np.concatenate([b.sound for b in rerender(NoiseEngine(), records, start, stop)])


def turn(stage: Past, what: str, number: int) -> None:
    planner = stage.planner
    if what == "knob":
        planner.submit(Controls(density=0.01 * number))
    elif what == "clear":
        planner.clear()
    elif what == "back":
        if (moment := planner.moment_at(max(0, stage.ring.read - 20_000))) is not None:
            planner.go_to_moment(moment)
    elif what == "hold":
        planner.hold(number % 2 == 0)


@pytest.mark.parametrize(
    "turns",
    [
        ("knob",), ("knob", "knob", "clear"), ("knob", "back"), ("hold", "knob"),
        ("knob", "clear", "back", "hold", "knob"),
    ],
)  # fmt: skip
def test_the_past_is_rendered_to_the_bit(turns: tuple[str, ...]) -> None:
    stage = Past()
    rng = np.random.default_rng(len(turns))
    for number, what in zip(range(16), itertools.cycle(turns), strict=False):
        stage.play(2400 * int(rng.integers(1, 6)))
        turn(stage, what, number)
    stage.play(24_000)
    assert stage.planner.rewrites >= 10
    heard = np.concatenate(stage.heard)
    start = FRAMES
    again = stage.again(start, len(heard))
    wrong = np.flatnonzero((again != heard[start:]).any(axis=1))
    assert not len(wrong), (len(wrong), wrong[:5] + start)


def test_a_part_of_the_past_begins_anywhere_and_needs_few_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(render_log, "DEPTH", 12)
    stage = Past()
    for number in range(20):
        stage.play(24_000)
        stage.planner.submit(Controls(density=0.01 * (number % 90)))
    heard = np.concatenate(stage.heard)
    start, stop = len(heard) - 100_123, len(heard) - 7001
    assert np.array_equal(stage.again(start, stop), heard[start:stop])
    records = stage.log.between(start, stop)
    assert len(with_sources(records)) <= 12 + len(records)
    # What was planned and never heard is not kept.
    assert len(stage.log.between(0, len(heard))) < 1.6 * len(heard) / FRAMES
    stage.log.forget(start)
    assert len(stage.log.between(0, start - 1)) <= 3
    assert np.array_equal(stage.again(start + FRAMES, stop), heard[start + FRAMES : stop])


def test_a_plan_that_is_cut_is_forgotten() -> None:
    stage = Past()
    stage.play(48_000)
    read = stage.ring.read
    stage.planner.reader_stopped = True
    stage.planner.restart(5)
    assert not stage.log.between(read, read + 1_000_000)
    stage.planner.step()
    stage.planner.reader_stopped = False
    stage.play(24_000)
    heard = np.concatenate(stage.heard)
    assert np.array_equal(stage.again(FRAMES, len(heard)), heard[FRAMES:])
    assert heard.shape[1] == 2 + 2 * len(PARTS)


def test_nothing_is_kept_unless_it_is_wanted() -> None:
    stage = Past()
    stage.log.on = False
    before = len(stage.log.between(0, 10**9))
    stage.play(48_000)
    assert len(stage.log.between(0, 10**9)) == before

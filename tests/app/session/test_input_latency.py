"""From what is played in to the first sound that knows it, in simulated time: buffers of the audio
process, the ear's looks at the input, the news, the planner and its blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.audio import shared_memory as s
from app.audio.input.history import InputHistory
from app.inference.planner import IDLE
from app.session.ears.memory_ear import MemoryEar
from app.session.ears.memory_link import MemoryLink
from models.engine.controls import Controls
from models.engine.hearing import HearingSource
from models.engine.interface import ScoreInfo
from tests.app.inference.test_planner import BUFFER, Rig
from tests.benchmarks.duplex.delays import Write, first_joins
from tests.benchmarks.duplex.play import BlockNotes
from tests.support.ears import EarsByHand

RATE = s.SAMPLE_RATE
WORST, WORST_FOLLOW = 0.4, 0.15
"""Seconds from what was played in to its first sound: of memory and echo, and of Follow."""
SECONDS = 12.0
REST = 3.0
"""Seconds before anything is played in, in which the plan grows whole."""


class Played(Rig):
    """A rig into which somebody plays.

    Args:
        sound: (n,), heard from REST on. memory, echo: amounts of the sends.
        render_seconds: that each block of 80 ms takes to make.

    """

    def __init__(
        self, sound: np.ndarray, memory: float, echo: float, render_seconds: float = 0.01
    ) -> None:
        self.input: InputHistory | None = None
        super().__init__(render_seconds=render_seconds, block_seconds=0.08)
        self.words[s.INPUT_RUNNING] = 1
        start = np.zeros(round(REST * RATE))
        self.sound_in = np.repeat(np.concatenate([start, sound])[:, None], 2, axis=1)
        self.input = InputHistory(self.words, np.zeros((30 * RATE, 2), np.float32))
        self.news: list[Callable[[], None]] = []
        self.ears = EarsByHand(lambda say: MemoryEar(self.heard_in(), say), self._fail)
        self.link = MemoryLink(self.ears, self.input, self._hear)
        self.link.configure(memory, frozen=False, echo=echo)
        self.listened = 0
        self.writes: list[Write] = []
        self.followed = -1
        self._note_writes()

    def heard_in(self) -> InputHistory:
        assert self.input is not None
        return self.input

    def _fail(self, level: str, text: str) -> None:
        raise AssertionError(text)

    def _hear(self, source: HearingSource, written: bool) -> None:
        now = self.now
        self.news.append(lambda: self.planner.input_changed(now, source, written))

    def _note_writes(self) -> None:
        notes, log, report = BlockNotes(), self.planner._log, self.planner._log.report

        def reported(rendered: Any, join: int, rewritten: bool) -> None:
            notes._steer = self.followed
            self.writes.append(notes._write(rendered, join, self.ring.read, lambda clock: clock))
            report(rendered, join, rewritten)

        object.__setattr__(log, "report", reported)  # it is frozen

    def run(self, seconds: float) -> None:
        """Let time go by: each buffer that is heard brings one of input, and the ear looks."""
        self.now += seconds
        self.debt += seconds * RATE
        while self.debt >= BUFFER:
            self.debt -= BUFFER
            self.player.process(np.zeros((BUFFER, 2), np.float32))
            if self.input is None or not self.ring.read:
                continue
            end = self.input.end
            part = np.zeros((max(0, self.ring.read - end), 2), np.float32)
            there = self.sound_in[end : end + len(part)]
            part[: len(there)] = there
            self.input.write(end, part)
            if self.input.end - self.listened >= MemoryEar.EVERY * RATE:
                self.listened = self.input.end
                self.ears.hear()

    def work(self, seconds: float) -> None:
        """The worker's loop: commands as they come, then a block."""
        until = self.now + seconds
        while self.now < until:
            while self.news:
                self.news.pop(0)()
            if self.planner.step() == IDLE:
                self.run(0.001)

    def start(self) -> None:
        self.planner.submit(Controls(notes=(57,)))
        self.work(2.0)
        self.play()


def strokes() -> tuple[np.ndarray, list[float]]:
    """Plucked notes, most of them faster than the plan may be rewritten; seconds of each."""
    rng, times = np.random.default_rng(5), [0.2]
    while times[-1] < SECONDS - 1.0:
        times.append(times[-1] + float(rng.uniform(0.13, 0.5)))
    out = 1e-4 * rng.standard_normal(round(SECONDS * RATE))
    for time in times:
        at = np.arange(round(0.5 * RATE)) / RATE
        pitch = 220.0 * 2 ** (int(rng.integers(0, 12)) / 12)
        note = sum(np.sin(2 * np.pi * k * pitch * at) / k for k in range(1, 6)) * np.exp(-at / 0.07)
        start = round(time * RATE)
        out[start : start + len(note)] += 0.2 * note[: len(out) - start]
    return out.astype(np.float32), times


@pytest.mark.parametrize("render_seconds", [0.01, 0.02, 0.027])
def test_memory_has_each_stroke_within_400_ms(render_seconds: float) -> None:
    sound, times = strokes()
    rig = Played(sound, memory=0.6, echo=0.5, render_seconds=render_seconds)
    rig.start()
    rig.work(REST + SECONDS)
    places = [round((REST + time) * RATE) for time in times]
    delays = first_joins(places, rig.writes, "noted", early=0.03)
    assert max(delays) <= WORST, [round(delay, 3) for delay in delays]
    assert rig.words[s.UNDERRUNS] == 0


@pytest.mark.parametrize("render_seconds", [0.01, 0.02])
def test_the_echo_has_a_held_sound_within_400_ms(render_seconds: float) -> None:
    at = np.arange(round(SECONDS * RATE)) / RATE
    held = (0.2 * np.sin(2 * np.pi * 220 * at)).astype(np.float32)
    rig = Played(held, memory=0.0, echo=0.5, render_seconds=render_seconds)
    rig.start()
    rig.work(REST + SECONDS)
    places = [round((REST + time) * RATE) for time in np.arange(0.0, SECONDS - 1.0, 0.013)]
    delays = first_joins(places, rig.writes, "known")
    assert max(delays) <= WORST, max(delays)
    assert rig.words[s.UNDERRUNS] == 0


def test_follow_changes_the_plan_within_150_ms_while_memory_and_echo_do_too() -> None:
    sound, _ = strokes()
    rig = Played(sound, memory=0.6, echo=0.5)
    rig.start()
    rig.work(REST)
    played: list[int] = []
    for _ in range(24):
        rig.work(0.413)
        place = rig.ring.read

        def steer(
            controls: Controls, score: ScoreInfo | None, start: int, place: int = place
        ) -> Controls:
            rig.followed = place
            return controls

        # Its ear looks at frames of 10 ms every 20 ms.
        rig.run(0.03)
        age = (rig.ring.read - place) / RATE
        rig.planner.accompany = steer
        rig.planner.input_changed(rig.now - age)
        played.append(place)
    rig.work(0.5)
    delays = first_joins(played, rig.writes, "followed")
    assert max(delays) <= WORST_FOLLOW, [round(delay, 3) for delay in delays]
    assert rig.words[s.UNDERRUNS] == 0

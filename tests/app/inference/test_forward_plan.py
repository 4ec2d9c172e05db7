"""The plan of an engine that only goes on, as Lyria RealTime does."""

from __future__ import annotations

from typing import Any

import pytest

from app.audio import shared_memory as s
from app.inference.messages import FORWARD_SECONDS
from models.engine.interface import Snapshot
from tests.app.inference.test_planner import QUIET_B, A, Rig
from tests.support.tone_engine import ToneEngine, ToneStream

QUIET_A = A.with_(mute=["drums"])


class ForwardRig(Rig):
    """A planner whose engine cannot go back: a stream that is asked to fails the test."""

    def __init__(self, **options: Any) -> None:
        self.cleared = 0
        super().__init__(block_seconds=0.1, **options)

    def _slow_down(self, engine: ToneEngine) -> None:
        super()._slow_down(engine)
        object.__setattr__(engine.info, "rewinds", False)
        start = engine.start

        def start_forward(seed: int = 0) -> ToneStream:
            stream = start(seed)

            def restore(moment: Snapshot) -> None:
                assert moment == stream.snapshot()

            def clear() -> None:
                self.cleared += 1

            stream.restore = restore  # type: ignore[method-assign]
            stream.clear = clear  # type: ignore[method-assign]
            return stream

        engine.start = start_forward  # type: ignore[method-assign]


@pytest.fixture
def rig() -> ForwardRig:
    rig = ForwardRig()
    rig.planner.submit(QUIET_A)
    rig.work(0.3)
    rig.play()
    rig.work(3.0)
    return rig


def test_a_change_follows_what_is_planned(rig: ForwardRig) -> None:
    assert rig.planner.depth < (FORWARD_SECONDS + 0.2) * s.SAMPLE_RATE
    rig.planner.submit(QUIET_B)
    rig.work(0.5)
    assert rig.planner.rewrites == 0
    assert rig.frequency() == pytest.approx(220, abs=6)
    rig.work(3.0)
    assert rig.frequency() == pytest.approx(440, abs=6)
    assert rig.words[s.UNDERRUNS] == 0
    assert rig.clicks() == 0


def test_there_are_no_moments_and_no_loops(rig: ForwardRig) -> None:
    planner = rig.planner
    assert planner.moment_at(planner.ring.read) is None
    assert planner.moment_at(planner.ring.read - s.SAMPLE_RATE) is None
    planner.hold(True)
    assert not planner.holding
    rig.work(1.0)
    assert planner.rewrites == 0


def test_clear_is_the_streams(rig: ForwardRig) -> None:
    rig.planner.clear()
    rig.work(1.0)
    assert rig.cleared == 1
    assert rig.planner.rewrites == 0
    assert rig.words[s.UNDERRUNS] == 0
    assert rig.clicks() == 0

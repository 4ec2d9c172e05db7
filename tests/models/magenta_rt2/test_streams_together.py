"""Several streams of Magenta RealTime 2 in one step: each plays what it plays alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.engine.controls import Controls
from models.engine.interface import Audio
from models.errors import SegueError
from models.magenta_rt2.checkpoint.random_weights import write
from models.magenta_rt2.engine import MAX_TOGETHER, MagentaEngine, MagentaStream
from tests.models.magenta_rt2.test_magenta_engine import CODEC, TINY


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> MagentaEngine:
    place: Path = tmp_path_factory.mktemp("models")
    write(place, "small", config=TINY, codec=CODEC)
    return MagentaEngine("small", "cpu", place, "float32", config=TINY, codec=CODEC)


CONTROLS = (Controls(), Controls(notes=(60, 64)), Controls(temperature=0.5))


def alone(engine: MagentaEngine, seed: int, blocks: int) -> list[Audio]:
    stream = engine.start(seed)
    return [stream.render(CONTROLS[(seed + number) % 3]) for number in range(blocks)]


def together(
    engine: MagentaEngine, streams: dict[int, MagentaStream], at: dict[int, int], seeds: list[int]
) -> dict[int, Audio]:
    """The next block of some streams. at: how many blocks each has had."""
    jobs = [(streams[seed], CONTROLS[(seed + at[seed]) % 3]) for seed in seeds]
    blocks = engine.render_together(jobs)
    for seed in seeds:
        at[seed] += 1
    heard = {}
    for seed, block in zip(seeds, blocks, strict=True):
        assert isinstance(block, np.ndarray)
        heard[seed] = block
    return heard


def test_streams_that_come_and_go_play_what_they_play_alone(engine: MagentaEngine) -> None:
    """In twos and threes, in other rows, in a step by themselves, and after going back."""
    streams = {seed: engine.start(seed) for seed in range(3)}
    at = dict.fromkeys(streams, 0)
    heard: dict[int, list[Audio]] = {seed: [] for seed in streams}
    for seeds in ([0, 1], [2, 0, 1], [1, 2], [2, 1, 0], [0, 2], [1], [0, 1, 2]):
        for seed, block in together(engine, streams, at, seeds).items():
            heard[seed].append(block)
    for seed, blocks in heard.items():
        expected = alone(engine, seed, len(blocks))
        assert len(blocks) >= 4
        for one, other in zip(blocks, expected, strict=True):
            assert np.allclose(one, other, atol=1e-5)
    snapshot = streams[1].snapshot()
    first = together(engine, streams, at, [0, 1])[1]
    streams[1].restore(snapshot)
    at[1] -= 1
    assert np.array_equal(together(engine, streams, at, [2, 1])[1], first)


def test_an_error_of_one_leaves_the_others_alone(engine: MagentaEngine) -> None:
    streams = [engine.start(seed) for seed in (0, 1)]
    wrong = Controls(style=np.zeros(3, np.float32))
    fault, block = engine.render_together([(streams[0], wrong), (streams[1], CONTROLS[1])])
    assert isinstance(fault, SegueError) and isinstance(block, np.ndarray)
    assert np.allclose(block, alone(engine, 1, 1)[0], atol=1e-5)
    again = streams[0].render(CONTROLS[0])
    assert np.array_equal(again, alone(engine, 0, 1)[0])


def test_eight_bit_weights_are_rendered_one_stream_at_a_time(engine: MagentaEngine) -> None:
    assert engine.max_together == MAX_TOGETHER
    precision, engine.precision = engine.precision, "int8"
    try:
        assert engine.max_together == 1
    finally:
        engine.precision = precision

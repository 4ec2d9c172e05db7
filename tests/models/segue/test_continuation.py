"""Continuing an audio file with both of our engines: tempo, key and sound are taken up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from models.engine.controls import Controls
from models.engine.interface import Engine
from models.errors import SegueError
from models.segue.continuation import context_after, decoding_after, last_latents
from models.segue.diffusion_engine import DiffusionEngine, StreamState
from models.segue.engine import SegueEngine
from models.segue.renderer.network import FRAMES_PER_BLOCK

CUTS = [(3, 40_000, 3), (2, 40_000, 2), (3, 14_000, 1), (9, 5, 1)]
"""Blocks at most, samples, blocks that are found."""


@pytest.fixture(scope="module")
def diffusion() -> DiffusionEngine:
    return DiffusionEngine("cpu")


@pytest.fixture(scope="module")
def studio() -> Iterator[SegueEngine]:
    made = SegueEngine()
    yield made
    made.close()


@pytest.fixture(scope="module")
def song(studio: SegueEngine) -> np.ndarray:
    """Eleven seconds at 100 beats a minute in E minor."""
    controls = Controls(style=studio.embed_text("funk"), bpm=100.0, key="E minor")
    stream = studio.start(4)
    return np.concatenate([stream.render(controls) for _ in range(138)])


@pytest.mark.parametrize("name", ["diffusion", "studio"])
def test_it_goes_on_in_tempo_and_key(
    name: str, song: np.ndarray, request: pytest.FixtureRequest
) -> None:
    engine: Engine = request.getfixturevalue(name)
    assert engine.info.continues_audio
    snapshot = engine.snapshot_after(song, 48_000, seed=3)
    one, two = engine.start(1), engine.start(2)
    controls = Controls(style=engine.embed_text("jazz trio"), dream=0.5)
    for stream in (one, two):
        stream.restore(snapshot)
    heard = [one.render(controls) for _ in range(6)]
    assert all(np.array_equal(two.render(controls), block) for block in heard)
    assert one.score is not None
    assert one.score.tempo == pytest.approx(100.0, rel=0.03)
    assert one.score.key is not None
    assert one.score.key.startswith("E ")
    two.restore(engine.unpack(engine.pack(snapshot)))  # type: ignore[arg-type]
    assert np.array_equal(two.render(controls), heard[0])


def test_the_renderer_remembers_what_it_did_not_play(
    diffusion: DiffusionEngine, song: np.ndarray
) -> None:
    """What follows depends on the sound before it, and is as loud."""
    stream = diffusion.start(3)
    latents = last_latents(diffusion.codec, song, 8)
    state = stream.snapshot()
    assert isinstance(state, StreamState)
    player = decoding_after(diffusion.codec, latents, 3)
    state = replace(state, player=player)
    stream.restore(replace(state, cache=context_after(diffusion.renderer, latents)))
    first = stream.render(Controls())
    level = 20 * np.log10(first.std() / song[-48_000:].std())
    assert abs(level) < 9.0
    stream.restore(state)
    assert not np.array_equal(stream.render(Controls()), first)


def test_short_audio_of_another_rate_and_silence(diffusion: DiffusionEngine) -> None:
    time = np.arange(26_000) / 44_100
    tone = 0.1 * np.sin(2 * np.pi * 220 * time)
    stream = diffusion.start(1)
    stream.restore(diffusion.snapshot_after(tone, 44_100))
    assert np.isfinite(stream.render(Controls())).all()
    with pytest.raises(SegueError, match="silent"):
        diffusion.snapshot_after(np.zeros(48_000), 48_000)


@pytest.mark.parametrize(
    ("blocks", "samples", "found"), [(3, 40_000, 3), (3, 14_000, 1), (9, 5, 1)]
)
def test_context_ends_before_the_end(
    diffusion: DiffusionEngine, blocks: int, samples: int, found: int
) -> None:
    audio = 0.1 * np.random.default_rng(1).standard_normal((samples, 2)).astype(np.float32)
    latents = last_latents(diffusion.codec, audio, blocks)
    assert len(latents) == found * FRAMES_PER_BLOCK
    assert np.isfinite(latents).all()

"""Memory of Magenta: what is played in takes its place in the context, never in the output."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.engine.controls import Controls
from models.engine.hearing import Hearing
from models.magenta_rt2 import engine as engine_module
from models.magenta_rt2.checkpoint.random_weights import write
from models.magenta_rt2.continuation import extend_context
from models.magenta_rt2.depthformer.config import DepthformerConfig, ModelSpec
from models.magenta_rt2.engine import MagentaEngine, MagentaStream
from models.magenta_rt2.injection import AUDIBLE, DECODER_DELAY, MAX_BLOCKS, mix
from models.magenta_rt2.spectrostream.codec import SpectroStreamConfig
from models.music.hearing.transcript import Transcript

TINY = DepthformerConfig(
    "magenta-rt2-small",
    16,
    ModelSpec(2, 32, 64, 2, 16),
    ModelSpec(1, 24, 48, 3, 8),
    max_past_horizon=5,
)
CODEC = SpectroStreamConfig(encoder_base_depth=4, decoder_base_depth=4, features=16, levels=12)
BLOCK, FRAME = 5760, 1920
OPEN = Controls(memory=1.0)
LATE = 7200
"""Samples by which the input is known after it is played, 150 ms."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> MagentaEngine:
    folder = tmp_path_factory.mktemp("models")
    write(folder, "small", config=TINY, codec=CODEC)
    return MagentaEngine("small", "cpu", folder, "float32", config=TINY, codec=CODEC)


class Player:
    """A performer who plays noise from one sample to another of the stream."""

    def __init__(self, start: int = 0, stop: int = 10**9, level: float = 0.3) -> None:
        self.start, self.stop, self.level = start, stop, level

    def sound(self, start: int, stop: int) -> NDArray[np.float32]:
        places = np.arange(start, stop)
        noise = self.level * np.sin(places * (1.0 + np.sin(places * 0.01)))
        noise[(places < self.start) | (places >= self.stop)] = 0.0
        return np.repeat(noise[:, None], 2, axis=1).astype(np.float32)

    def at(self, position: int, late: int = LATE) -> Hearing:
        return Hearing(position, Transcript(), self.sound, position - late)


def play(
    stream: MagentaStream,
    count: int,
    player: Player | None,
    controls: Controls = OPEN,
    first: int = 0,
) -> NDArray[np.float32]:
    blocks = []
    for number in range(first, first + count):
        stream.hear(None if player is None else player.at(number * BLOCK))
        blocks.append(stream.render(controls))
    return np.concatenate(blocks)


def tokens_of(stream: MagentaStream) -> torch.Tensor:
    assert stream.state.injection is not None
    return torch.cat([block.tokens for block in stream.state.injection.blocks])


def test_it_is_one_of_the_sends(engine: MagentaEngine) -> None:
    assert "memory" in engine.info.sends and "memory" in engine.info.controls
    assert "memory_mode" not in engine.info.controls


@pytest.mark.parametrize(
    ("player", "controls"),
    [
        (None, OPEN),
        (Player(), Controls()),
        (Player(level=AUDIBLE / 2), OPEN),
        (Player(start=12 * BLOCK), OPEN),  # not yet
    ],
)
def test_nothing_changes_where_nothing_is_remembered(
    engine: MagentaEngine, player: Player | None, controls: Controls
) -> None:
    plain = play(engine.start(3), 8, None, Controls())
    assert np.array_equal(play(engine.start(3), 8, player, controls), plain)


def test_what_is_played_steers_what_comes_after_it(engine: MagentaEngine) -> None:
    plain = play(engine.start(3), 12, None)
    starts = 4 * BLOCK
    played = play(engine.start(3), 12, Player(start=starts))
    heard = starts + LATE  # in the plan it is known that much later
    assert np.array_equal(played[:heard], plain[:heard])
    assert not np.array_equal(played[-3 * BLOCK :], plain[-3 * BLOCK :])
    half = play(engine.start(3), 12, Player(start=starts), Controls(memory=0.3))
    assert not np.array_equal(half, played) and not np.array_equal(half, plain)


def test_the_codes_are_those_of_what_was_played(
    engine: MagentaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 1 the frames hold the input alone, where it was played, and the newest their own codes."""
    monkeypatch.setattr(engine_module, "normalise_loudness", lambda audio, level: (audio, level))
    stream, player = engine.start(3), Player()
    play(stream, 12, player)
    own = tokens_of(stream)
    play(stream, 1, player, first=12)
    found = tokens_of(stream)
    unknown = -(-LATE // FRAME) + DECODER_DELAY + 1
    assert torch.equal(found[-3 - unknown : -3], own[-unknown:])
    samples = 2.0 * player.sound(DECODER_DELAY * FRAME, 36 * FRAME)  # at the codec's level
    codes = engine.codec.encode(torch.from_numpy(samples)[None], levels=12)[0]
    same = (found[: 36 - unknown] == codes[: 36 - unknown] + engine.stepper.offsets).float()
    assert same.mean() > 0.98  # shifted by ten samples it is a fifth


def test_the_context_is_that_of_these_tokens(engine: MagentaEngine) -> None:
    stream = engine.start(3)
    play(stream, 6, Player())
    state = stream.state.injection
    assert state is not None
    first, later = state.blocks[0], state.blocks[4]
    tokens = torch.cat([block.tokens for block in state.blocks[:4]])
    rows = torch.cat([block.conditions for block in state.blocks[:4]])
    wanted = extend_context(engine.model, first.context, tokens, rows)[-1]
    assert wanted.frame == later.context.frame and torch.equal(wanted.tokens, later.context.tokens)
    for mine, other in zip(wanted.entries, later.context.entries, strict=True):
        torch.testing.assert_close(mine.columns, other.columns, atol=1e-5, rtol=1e-5)


def test_frames_in_one_pass_are_as_if_generated(engine: MagentaEngine) -> None:
    stream = engine.start(3)
    play(stream, 4, None)
    start = stream.state.context
    stepper, rows = engine.stepper, torch.full((4, 144), 7)
    tokens = 6 + 1024 * torch.arange(12) + torch.arange(48).view(4, 12)
    stepper.load(start)
    for row, token in zip(rows, tokens, strict=True):
        stepper.teacher_force(row, token)
    ours, theirs = extend_context(engine.model, start, tokens, rows)[-1], stepper.context()
    assert ours.frame == theirs.frame and torch.equal(ours.tokens, theirs.tokens)
    for mine, other in zip(ours.entries, theirs.entries, strict=True):
        torch.testing.assert_close(mine.columns, other.columns, atol=1e-5, rtol=1e-5)


def test_a_plan_that_is_made_again_is_the_same(engine: MagentaEngine) -> None:
    stream, player = engine.start(3), Player(start=BLOCK)
    play(stream, 5, player)
    snapshot = stream.snapshot()
    first = play(stream, 4, player, first=5)
    for _ in range(2):
        stream.restore(snapshot)
        assert np.array_equal(play(stream, 4, player, first=5), first)
    stream.restore(engine.unpack(engine.pack(snapshot)))
    assert np.array_equal(play(stream, 4, player, first=5), first)


def test_a_deep_plan_and_a_long_silence(engine: MagentaEngine) -> None:
    """What is known too late is left out; what is remembered stays bounded."""
    stream, player = engine.start(3), Player()
    for number in range(MAX_BLOCKS + 4):
        stream.hear(player.at(number * BLOCK, late=40 * BLOCK))
        stream.render(OPEN)
    assert stream.state.injection is not None
    assert len(stream.state.injection.blocks) == MAX_BLOCKS
    plain = play(engine.start(3), MAX_BLOCKS + 4, None)
    stream.hear(player.at((MAX_BLOCKS + 4) * BLOCK, late=0))
    stream.render(OPEN)
    assert stream.state.context.frame == 3 * (MAX_BLOCKS + 5) and len(plain)


def test_clear_and_a_closed_send_forget_it(engine: MagentaEngine) -> None:
    stream = engine.start(3)
    play(stream, 4, Player())
    stream.clear()
    assert stream.state.injection is None
    play(stream, 2, Player())
    stream.render(Controls())
    assert stream.state.injection is None


def test_a_snapshot_from_before_has_no_memory(engine: MagentaEngine) -> None:
    stream = engine.start(3)
    play(stream, 2, None, Controls())
    packed = engine.pack(stream.snapshot())
    tree = packed.tree.replace(',"injection":null', "").replace(',"held":{"tuple":[]}', "")
    assert tree != packed.tree
    stream.restore(engine.unpack(replace(packed, tree=tree)))
    assert stream.state.injection is None and stream.state.held == ()


@pytest.mark.parametrize(
    ("amount", "own", "played"),
    [(0.0, 1.0, 0.0), (0.5, 1.0, 1.0), (0.75, 0.5, 1.0), (1.0, 0.0, 1.0)],
)
def test_the_mix(amount: float, own: float, played: float) -> None:
    one, other = np.ones((4, 2), np.float32), np.full((4, 2), 10.0, np.float32)
    np.testing.assert_allclose(mix(one, other, amount), own + 10.0 * played)


def test_the_input_is_never_in_the_output(engine: MagentaEngine, tmp_path: Path) -> None:
    """Whatever was played in, the output is the codec's of the generated codes."""
    stream, codes = engine.start(3), []
    generate = engine.generator.block

    def noted(*arguments: object) -> object:
        block = generate(*arguments)  # type: ignore[arg-type]
        codes.append(block.codes)
        return block

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.generator, "block", noted)
        loud = play(stream, 8, Player(level=0.9))
    state, pieces = tuple(engine.codec.initial_decoder_state()), []
    for part in codes:
        sound, state = engine.codec.decode_step(part[None], state)
        pieces.append(sound[0].numpy())
    decoded = np.concatenate(pieces)
    # Up to the governor's slow gain: one factor for every short stretch.
    for start in range(0, len(loud), 480):
        a, b = loud[start : start + 480].ravel(), decoded[start : start + 480].ravel()
        if np.abs(b).max() > 1e-3:
            assert np.corrcoef(a, b)[0, 1] > 0.999

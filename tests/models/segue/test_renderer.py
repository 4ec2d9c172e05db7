"""Renderer: streaming inference equals the training pass, and the cache is immutable."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.music.score import FrameScore
from models.segue.renderer.features import MAX_AGE, ScoreBatch, no_age, note_age, score_batch
from models.segue.renderer.inference import KeyValueCache, RendererInference
from models.segue.renderer.network import (
    FRAMES_PER_BLOCK,
    TOKENS_PER_BLOCK,
    Renderer,
    RendererConfig,
    training_mask,
)
from models.segue.renderer.sampler import GuidanceInput, Sampler

BLOCKS = 9
WINDOW = 4


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    torch.manual_seed(1)
    small = RendererConfig(
        latent_dim=8, width=48, layers=3, heads=6, hidden=64, score_width=32, window=WINDOW
    )
    network = Renderer(small)
    network.eval()
    for parameter in network.parameters():
        if not parameter.abs().sum():
            torch.nn.init.normal_(parameter, std=0.1)
    return network


def random_score(frames: int) -> ScoreBatch:
    rng = np.random.default_rng(2)
    score = FrameScore.silent(frames)
    score.drums[:] = rng.random(score.drums.shape) < 0.1
    score.sustain[:] = rng.random(score.sustain.shape) < 0.03
    score.onset[:] = (rng.random(score.onset.shape) < 0.01) * 2
    score.instruments[:] = rng.integers(0, 90, score.instruments.shape)
    return score_batch(score, no_age())[0]


def test_streaming_equals_the_masked_pass(renderer: Renderer) -> None:
    token = 2 * renderer.config.latent_dim
    clean = torch.randn(1, BLOCKS * TOKENS_PER_BLOCK, token)
    noise = torch.randn(1, BLOCKS * TOKENS_PER_BLOCK, token)
    style = torch.randn(1, 128)
    score = random_score(BLOCKS * FRAMES_PER_BLOCK)
    one = torch.ones(1)
    with torch.inference_mode():
        whole = renderer(clean, noise, torch.zeros(1, BLOCKS), score, style, one, one)
    cache, player = KeyValueCache(), RendererInference(renderer, Sampler((0.0,)))
    for block in range(BLOCKS):
        span = slice(block * TOKENS_PER_BLOCK, (block + 1) * TOKENS_PER_BLOCK)
        frames = slice(block * FRAMES_PER_BLOCK, (block + 1) * FRAMES_PER_BLOCK)
        latents, cache = player.block(cache, score[frames], style[0], noise[0, span])
        torch.testing.assert_close(
            latents.reshape(TOKENS_PER_BLOCK, token), whole[0, span], atol=1e-5, rtol=0
        )
        assert cache.finished is not None
        cache = KeyValueCache(cache.blocks, (clean[:, span], cache.finished[1]))
        assert len(cache.blocks) <= WINDOW - 1


@pytest.mark.parametrize("solver", ["euler", "adams-bashforth"])
def test_passes_follow_the_sampler_with_its_guidance(renderer: Renderer, solver: str) -> None:
    """Two passes of the first block, against the training pass taken step by step."""
    token, weight = 2 * renderer.config.latent_dim, 2.5
    noise = torch.randn(1, TOKENS_PER_BLOCK, token)
    style, score, one = torch.randn(1, 128), random_score(FRAMES_PER_BLOCK), torch.ones(1)

    def clean(noisy: torch.Tensor, level: float, guidance: float = weight) -> torch.Tensor:
        given = torch.full((1, 1), level), score, style, one, torch.tensor([guidance])
        return renderer(torch.zeros_like(noisy), noisy, *given)  # type: ignore[no-any-return]

    with torch.inference_mode():
        first = clean(noise, 0.0) - noise
        middle = noise + 0.4 * first
        second = (clean(middle, 0.4) - middle) / 0.6
        if solver == "adams-bashforth":
            second = second + (second - first) * (0.6 / (2 * 0.4))
        expected = (middle + 0.6 * second)[0]
    guidance = GuidanceInput(1.0, weight, 3.0)
    player = RendererInference(renderer, Sampler((0.0, 0.4), solver, guidance))
    latents, _ = player.block(KeyValueCache(), score, style[0], noise[0])
    torch.testing.assert_close(latents.reshape_as(expected), expected, atol=2e-5, rtol=0)
    other, _ = player.block(KeyValueCache(), score, style[0], noise[0], 1.0)
    assert not torch.allclose(latents, other, atol=1e-4)
    again, _ = player.block(KeyValueCache(), score, style[0], noise[0], weight)
    assert torch.equal(latents, again)


def test_guidance_differs_from_block_to_block(renderer: Renderer) -> None:
    """The recorded passes take the guidance as an input, behind a finished block too."""
    player = RendererInference(renderer, Sampler((0.0, 0.5), "euler", GuidanceInput(1.0, 1.5, 3.0)))
    token, score = 2 * renderer.config.latent_dim, random_score(FRAMES_PER_BLOCK)
    noise = torch.randn(TOKENS_PER_BLOCK, token)
    _, cache = player.block(KeyValueCache(), score, None, noise)
    found = [player.block(cache, score, None, noise, weight)[0] for weight in (1.0, 2.0, 1.0)]
    assert torch.equal(found[0], found[2])
    assert not torch.allclose(found[0], found[1], atol=1e-4)


def test_a_cache_can_be_taken_up_again(renderer: Renderer) -> None:
    token = 2 * renderer.config.latent_dim
    score = random_score(FRAMES_PER_BLOCK)
    noise = torch.randn(TOKENS_PER_BLOCK, token)
    cache, player = KeyValueCache(), RendererInference(renderer, Sampler((0.0, 0.5)))
    for _ in range(3):
        _, cache = player.block(cache, score, None, noise)
    first, after = player.block(cache, score, None, noise)
    player.block(after, score, None, noise)
    again, _ = player.block(cache, score, None, noise)
    assert torch.equal(first, again)
    shared = {id(block) for block in cache.blocks} & {id(block) for block in after.blocks}
    assert shared, "snapshots should share the cache's tensors"


@pytest.mark.parametrize("change", ["future", "too_old"])
def test_a_block_hears_only_its_window(renderer: Renderer, change: str) -> None:
    """Tokens after the block, or outside a layer's window, have no effect."""
    mask = training_mask(BLOCKS, WINDOW)
    time = BLOCKS * TOKENS_PER_BLOCK
    row = time + 6 * TOKENS_PER_BLOCK  # the first noisy token of block 6
    seen = {int(c) // TOKENS_PER_BLOCK for c in mask[row, :time].nonzero().flatten()}
    assert seen == {2, 3, 4, 5}
    own = {int(c) // TOKENS_PER_BLOCK for c in mask[row, time:].nonzero().flatten()}
    assert own == {6}
    assert not mask[:time, time:].any(), "clean tokens must not look at noisy ones"
    block = 7 if change == "future" else 1
    assert not mask[row, block * TOKENS_PER_BLOCK : (block + 1) * TOKENS_PER_BLOCK].any()


def test_note_age_streams() -> None:
    rng = np.random.default_rng(3)
    sounding = rng.random((40, 4, 88)) < 0.5
    onset = ((rng.random((40, 4, 88)) < 0.2) & sounding).astype(np.uint8)
    whole, end = note_age(onset, sounding, no_age())
    first, middle = note_age(onset[:17], sounding[:17], no_age())
    second, last = note_age(onset[17:], sounding[17:], middle)
    assert np.array_equal(whole, np.concatenate([first, second]))
    assert np.array_equal(end, last)
    assert (whole[onset > 0] == 0).all()
    assert (whole[~sounding] == MAX_AGE).all()


def test_noisy_copies_beside_one_context_are_passes_of_their_own(renderer: Renderer) -> None:
    blocks, copies = 5, 3
    time, width = blocks * TOKENS_PER_BLOCK, 2 * renderer.config.latent_dim
    score = random_score(blocks * FRAMES_PER_BLOCK)
    draws = torch.Generator().manual_seed(3)
    clean = torch.randn(1, time, width, generator=draws)
    noisy = torch.randn(1, copies * time, width, generator=draws)
    level = torch.rand(1, copies * blocks, generator=draws)
    given = (score, torch.randn(1, 128, generator=draws), torch.ones(1), torch.ones(1))
    limit = torch.tensor([2])
    with torch.inference_mode():
        together = renderer(clean, noisy, level, *given, limit)
        alone = [
            renderer(clean, part, of, *given, limit)
            for part, of in zip(noisy.split(time, 1), level.split(blocks, 1), strict=True)
        ]
    torch.testing.assert_close(together, torch.cat(alone, dim=1), atol=1e-5, rtol=1e-4)

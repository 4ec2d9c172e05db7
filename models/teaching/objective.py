"""Objective of a lesson: the player's music as samples, the base's own music as it was.

The shipped renderer reaches clean latents in two passes, each a sample and no mean, so a squared
error against the player's music would blur it. The loss is the energy score instead (Gneiting &
Raftery 2007, section 4.2): the mean distance of two samples to the music, less half their distance
to each other. It is least where the samples are distributed as the music is.

So that nothing is forgotten, part of each batch is music of the base itself with its full score, on
which the pupil must do what the base does (prior preservation; DreamBooth, Ruiz et al. 2023,
section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import torch
from torch import Tensor

from models.segue.renderer.features import ScoreBatch
from models.segue.renderer.network import (
    FRAMES_PER_TOKEN,
    TOKENS_PER_BLOCK,
    Renderer,
    RendererLayer,
    attend,
    limit_context,
    rotary,
    rotate,
    training_mask,
)
from models.segue.renderer.sampler import Sampler

SAMPLES: Final = 2
"""Samples of each block, with noise of their own and one context."""
OWN_CONTEXT: Final = 0.5
"""Share of the batches in whose context the pupil's own music stands."""


@dataclass(frozen=True, eq=False)
class LessonBatch:
    """Crops of B clips, N blocks each: latents (B, 6 N, D), score, style (B, 128), and which of
    them are the base's own music, (B,) bool.
    """

    latents: Tensor
    score: ScoreBatch
    style: Tensor
    own: Tensor


class Objective:
    """Loss of a pupil on a batch.

    Args:
        base: the renderer as it is.
        sampler: how it is played.

    """

    def __init__(self, base: Renderer, sampler: Sampler) -> None:
        self.base, self.levels = base, sampler.levels
        guidance = sampler.guidance
        self.guidance = (1.0, 1.0) if guidance is None else (guidance.least, guidance.usual)

    def loss(
        self, pupil: Renderer, batch: LessonBatch, rng: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss (), and what it consists of."""
        size, frames, dim = batch.latents.shape
        clean = batch.latents.reshape(size, frames // FRAMES_PER_TOKEN, FRAMES_PER_TOKEN * dim)
        blocks = clean.shape[1] // TOKENS_PER_BLOCK
        least, most = self.guidance
        given = Given(
            batch.score,
            batch.style + 0.03 * torch.randn(batch.style.shape, generator=rng),
            least + (1.5 * most - least) * torch.rand(size, generator=rng),
            _context_limit(size, pupil.config.window, rng),
        )
        noise = torch.randn(size, SAMPLES * clean.shape[1], clean.shape[2], generator=rng)
        start = torch.zeros(size, SAMPLES * blocks)
        context = _noised(clean, rng)
        with torch.no_grad():
            first = predict(pupil, context, noise, start, given).float()
            if float(torch.rand(1, generator=rng)) < OWN_CONTEXT:
                share = torch.rand(size, 1, generator=rng)
                own = torch.rand(size, blocks, generator=rng) < share
                own = own.repeat_interleave(TOKENS_PER_BLOCK, dim=1)[..., None]
                context = _noised(torch.where(own, first[:, : clean.shape[1]], clean), rng)
        # Each block is at its first or its second pass, which starts from the pupil's own first.
        second = torch.rand(size, blocks, generator=rng) < 0.5
        level = torch.where(second, self.levels[-1], 0.0).repeat(1, SAMPLES)
        per_token = level.repeat_interleave(TOKENS_PER_BLOCK, dim=1)[..., None]
        noisy = (1.0 - per_token) * noise + per_token * first
        found = predict(pupil, context, noisy, level, given).float()
        new, old = ~batch.own, batch.own
        parts = {}
        total = found.new_zeros(())
        if bool(new.any()):
            parts["music"] = energy_score(found[new], clean[new])
            total = total + parts["music"] * new.float().mean()
        if bool(old.any()):
            with torch.no_grad():
                same = given.rows(old)
                target = predict(self.base, context[old], noisy[old], level[old], same).float()
            parts["kept"] = distance(found[old], target).mean()
            total = total + parts["kept"] * old.float().mean()
        return total, {name: float(value.detach()) for name, value in parts.items()}


@dataclass(frozen=True, eq=False)
class Given:
    """What is told to the network: score, style (B, 128), guidance (B,), context limits (B,)."""

    score: ScoreBatch
    style: Tensor
    guidance: Tensor
    limit: Tensor

    def rows(self, chosen: Tensor) -> Given:
        """The clips that are chosen, (B,) bool."""
        score = ScoreBatch(*(getattr(self.score, f.name)[chosen] for f in fields(self.score)))
        return Given(score, self.style[chosen], self.guidance[chosen], self.limit[chosen])


def predict(network: Renderer, clean: Tensor, noisy: Tensor, level: Tensor, given: Given) -> Tensor:
    """As `Renderer.forward` with several noisy streams beside one context.

    Args:
        network: base or pupil.
        clean: tokens (B, T, 2 D) of the context.
        noisy: tokens (B, S T, 2 D) of S noisy streams one after the other.
        level: (B, S N) noise level of each of their blocks.
        given: score and style, the same for all streams.

    Returns:
        Clean tokens (B, S T, 2 D).

    """
    config, time = network.config, clean.shape[1]
    copies, blocks = noisy.shape[1] // time, time // TOKENS_PER_BLOCK
    with torch.no_grad():
        scored = network.score(given.score)
    embedded = network.embed_noisy(
        noisy, scored.repeat(1, copies, 1), given.style, torch.ones(len(noisy))
    )
    x = torch.cat([network.embed_clean(clean, scored), embedded], dim=1).float()
    noise = network.level(level, given.guidance[:, None].expand_as(level))
    noise = noise.repeat_interleave(TOKENS_PER_BLOCK, dim=1)
    angles = rotary(torch.arange(time).repeat(1 + copies), config.head_dim)
    mask = _mask(blocks, config.window, copies, given.limit)
    for layer in network.layers:
        assert isinstance(layer, RendererLayer)
        x = _layer(layer, x, noise, time, mask, angles)
    found: Tensor = network.out(network.norm(x[:, time:]))
    return found


def _layer(
    layer: RendererLayer,
    x: Tensor,
    noise: Tensor,
    time: int,
    mask: Tensor,
    angles: tuple[Tensor, Tensor],
) -> Tensor:
    """A layer over context and noisy streams; only the latter are modulated by their level."""
    quiet = [part.expand(len(x), time, -1) for part in layer.modulation(None)]
    shift1, scale1, gate1, shift2, scale2, gate2 = (
        torch.cat([still, moved], dim=1)
        for still, moved in zip(quiet, layer.modulation(noise), strict=True)
    )
    query, key, value = layer.qkv(layer.norm1(x) * (1 + scale1) + shift1)
    attended = attend(rotate(query, angles), rotate(key, angles), value, mask)
    x = x + gate1 * layer.project(attended)
    return x + gate2 * layer.feed(layer.norm2(x) * (1 + scale2) + shift2)


def _mask(blocks: int, window: int, copies: int, limit: Tensor) -> Tensor:
    """Mask (B, 1, (1 + S) T, (1 + S) T): each noisy stream sees the context and itself."""
    two = limit_context(training_mask(blocks, window), limit, blocks)
    time = blocks * TOKENS_PER_BLOCK
    size = (1 + copies) * time
    mask = torch.zeros(len(limit), 1, size, size, dtype=torch.bool)
    mask[..., :time, :time] = two[..., :time, :time]
    for copy in range(1, 1 + copies):
        rows = slice(copy * time, (copy + 1) * time)
        mask[..., rows, :time] = two[..., time:, :time]
        mask[..., rows, rows] = two[..., time:, time:]
    return mask


def energy_score(samples: Tensor, music: Tensor) -> Tensor:
    """Energy score () of the two samples (B, 2 T, W) of music (B, T, W), by `distance`."""
    one, other = samples.chunk(SAMPLES, dim=1)
    apart = distance(one, music) + distance(other, music) - distance(one, other)
    return 0.5 * apart.mean()


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean Euclidean distance (B,) of token sequences (B, T, W) by frames, by blocks, and of their
    changes from frame to frame; each per number of the vector.
    """
    error = one - other
    size, time, width = error.shape
    frames = error.reshape(size, time * FRAMES_PER_TOKEN, width // FRAMES_PER_TOKEN)
    blocks = error.reshape(size, time // TOKENS_PER_BLOCK, TOKENS_PER_BLOCK * width)
    steps = frames[:, 1:] - frames[:, :-1]
    return _length(frames) + _length(blocks) + 0.5 * _length(steps)


def _length(vectors: Tensor) -> Tensor:
    width = vectors.shape[-1]
    return ((vectors.square().sum(-1) + 1e-6) / width).sqrt().mean(1)


def _noised(context: Tensor, rng: torch.Generator) -> Tensor:
    """A context (B, T, W) as in inference, which is never quite clean."""
    strength = 0.6 * torch.rand(len(context), 1, 1, generator=rng).square()
    return context + strength * torch.randn(context.shape, generator=rng)


def _context_limit(size: int, window: int, rng: torch.Generator) -> Tensor:
    """Random limits (B,) of the context in blocks: none (15 %), one to six (25 %), all."""
    kind = torch.rand(size, generator=rng)
    few = torch.randint(1, 7, (size,), generator=rng)
    return torch.where(kind < 0.4, few, window).masked_fill(kind < 0.15, 0)

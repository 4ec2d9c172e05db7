"""Rollouts of a renderer in batches: blocks that follow each other as when it plays.

Each block is sampled after the network's own blocks before it, with a key-value cache. A gradient
through all of that would need the memory of every pass; "Live Music Diffusion Models" (section on
ARC-Forcing) lets it go through the last pass of each block only, with the context detached. That is
one parallel training pass over the finished rollout, see `last_pass`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from models.segue.renderer.features import ScoreBatch
from models.segue.renderer.network import (
    TOKENS_PER_BLOCK,
    Renderer,
    RendererLayer,
    attend,
    rotary,
    rotate,
)

MOST_PASSES: Final = 5


@dataclass(frozen=True)
class Prompts:
    """What a batch of clips is played from: scores of whole clips (B, 2 T, ...), styles (B, 128)
    and guidance weights (B,).
    """

    score: ScoreBatch
    style: Tensor
    guidance: Tensor


@dataclass(frozen=True)
class Rollout:
    """Rolled out clips: `tokens` (B, T, 2 D), the first `given` blocks of them real; what each
    block's last pass began with, `noisy` (B, T, 2 D) at `level` (B, T / 3).
    """

    tokens: Tensor
    noisy: Tensor
    level: Tensor
    given: int


class _Cache:
    """Rotated keys and values of the finished tokens, a pair a layer."""

    def __init__(self, renderer: Renderer) -> None:
        self.renderer = renderer
        self.layers = [layer for layer in renderer.layers if isinstance(layer, RendererLayer)]
        self.pairs: list[tuple[Tensor, Tensor] | None] = [None] * len(self.layers)

    def run(self, x: Tensor, modulation: Tensor, first: int, keep: bool) -> Tensor:
        """Embedded tokens (B, n, width) through all layers; they attend to the finished tokens
        and to each other, and become finished ones where `keep`.
        """
        place = torch.arange(first, first + x.shape[1], device=x.device)
        angles = rotary(place, self.renderer.config.head_dim)
        for number, layer in enumerate(self.layers):
            shift1, scale1, gate1, shift2, scale2, gate2 = layer.modulation(modulation)
            query, key, value = layer.qkv(layer.norm1(x) * (1 + scale1) + shift1)
            key = rotate(key, angles)
            before = self.pairs[number]
            if before is not None:
                # As many finished blocks as `training_mask` lets these tokens see.
                seen = (self.renderer.config.window - keep) * TOKENS_PER_BLOCK
                pairs = zip(before, (key, value), strict=True)
                key, value = (torch.cat([old[:, :, -seen:], new], 2) for old, new in pairs)
            if keep:
                self.pairs[number] = (key, value)
            x = x + gate1 * layer.project(attend(rotate(query, angles), key, value, None))
            x = x + gate2 * layer.feed(layer.norm2(x) * (1 + scale2) + shift2)
        return x


@torch.no_grad()
def roll_out(
    renderer: Renderer, start: Tensor, prompts: Prompts, blocks: int, passes: int,
    rng: torch.Generator,
) -> Rollout:  # fmt: skip
    """Play clips on from their beginning.

    Args:
        renderer: the network.
        start: real tokens (B, 3 g, 2 D) that the clips begin with; g may be 0.
        prompts: of the whole clips.
        blocks: of the whole clips.
        passes: a block, at equally spaced noise levels from 0.
        rng: random numbers of the noise, on the CPU.

    Returns:
        The clips of `blocks` blocks.

    Raises:
        ValueError: no more blocks than there are real ones.

    """
    size, known, width = start.shape
    given = known // TOKENS_PER_BLOCK
    if blocks <= given:
        raise ValueError(f"{blocks} blocks after {given}")
    device = start.device
    total = blocks * TOKENS_PER_BLOCK
    scored = renderer.score(prompts.score)[:, :total]
    noise = torch.randn(size, total, width, generator=rng).to(device)
    tokens = torch.cat([start, start.new_zeros(size, total - known, width)], dim=1)
    noisy = noise.clone()
    has_style = torch.ones(size, device=device)
    cache = _Cache(renderer)
    none = torch.zeros(6, renderer.config.width, device=device)
    for block in range(blocks):
        first = block * TOKENS_PER_BLOCK
        span = slice(first, first + TOKENS_PER_BLOCK)
        if block >= given:
            x = noise[:, span]
            for index in range(passes):
                level = torch.full((size, 1), index / passes, device=device)
                noisy[:, span] = x
                embedded = renderer.embed_noisy(x, scored[:, span], prompts.style, has_style)
                modulation = renderer.level(level, prompts.guidance[:, None])
                out = cache.run(embedded, modulation, first, keep=False)
                clean = renderer.out(renderer.norm(out)).float()
                x = x + (clean - x) / (passes - index)
            tokens[:, span] = x
        cache.run(renderer.embed_clean(tokens[:, span], scored[:, span]), none, first, keep=True)
    last = 1.0 - 1.0 / passes
    level = torch.where(torch.arange(blocks, device=device) < given, 0.0, last)
    return Rollout(tokens, noisy, level.expand(size, -1), given)


def last_pass(renderer: Renderer, rollout: Rollout, prompts: Prompts) -> Tensor:
    """The rolled out blocks (B, 3 (N - g), 2 D) again, by their last pass alone and with gradient.

    The context is the rollout itself, as data: no gradient goes from a block to those before it.
    """
    has_style = torch.ones(len(prompts.style), device=prompts.style.device)
    out: Tensor = renderer(
        rollout.tokens, rollout.noisy, rollout.level, prompts.score, prompts.style, has_style,
        prompts.guidance,
    )  # fmt: skip
    return out[:, rollout.given * TOKENS_PER_BLOCK :].float()

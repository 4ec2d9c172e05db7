"""Streaming inference of the renderer, block by block, with a key-value cache of clean context.

"Live Music Diffusion Models", section 3: the finished block enters the cache fused with the first
denoising step of the next one (queries = [finished block, new block]). Keys are kept before the
rotary embedding, so the window slides without rotating anything again. A cache is a tuple of
immutable per-block tensors: a snapshot copies references only, and all snapshots share them.

A pass has three or six rows, so what counts is how the weights are read, how many operations it
takes, and whether other threads delay it: all passes of a block are one traced call
(`models.runtime.tracing`), which releases the GIL. A traced call needs fixed shapes, so the context
always has its full length; positions without a block yet are masked.

A network that was never taught a guide follows one all the same: the noise is added to the guide
instead of to the network's own first estimate, and the passes that follow make music of it (SDEdit,
Meng et al. 2022, section 3). Between the two is a blend, so that from the guide's retouch to the
network's own sound it is one movement.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from models.runtime.tracing import trace
from models.segue.renderer.features import ScoreBatch, unknown_score
from models.segue.renderer.network import (
    TOKENS_PER_BLOCK,
    Renderer,
    flow_start,
    guide_input,
)
from models.segue.renderer.passes import Modulation, Passes, packed_weights
from models.segue.renderer.sampler import Sampler


@dataclass(frozen=True)
class KeyValueCache:
    """Immutable key-value cache of a stream's context.

    blocks: keys and values of the last `window` - 1 finished blocks at most, oldest first, each
    (layers, 2, kv_heads, 3, head_dim). finished: the newest block (tokens and encoded score, each
    (1, 3, ...)), whose keys and values are computed with the next block.
    """

    blocks: tuple[Tensor, ...] = ()
    finished: tuple[Tensor, Tensor] | None = None


class Guide(NamedTuple):
    """Guide of a block: latents as tokens (3, 2 D), and the noise sigma that is added to them.

    A network that was not trained with a guide has no sigma below that of its second pass, 1 for
    the shipped one; a smaller sigma is that one.
    """

    latents: Tensor
    sigma: float


class RendererInference:
    """Renderer with its weights laid out for inference; stateless.

    Between passes the block is integrated along the flow's path (rectified flow, Liu et al. 2023,
    section 2.2) by the sampler's solver. The guidance weight is an input of the network, so it may
    differ from block to block.

    Args:
        renderer: the network, on the device to play on.
        sampler: how its weights are to be sampled.

    """

    @torch.inference_mode()
    def __init__(self, renderer: Renderer, sampler: Sampler) -> None:
        self.config = config = renderer.config
        self.sampler = sampler
        self.device = renderer.no_style.device
        self._score, self._style = renderer.score, renderer.style
        self._latents_in = renderer.latents_in
        self._guide_in = renderer.guide_in if config.guided else None
        self._clean, self._no_style = renderer.clean.detach(), renderer.no_style.detach()
        self._context_tokens = (config.window - 1) * TOKENS_PER_BLOCK
        positions = self._context_tokens + 2 * TOKENS_PER_BLOCK
        # The finished block must not attend to the new one. Query heads that share a key head are
        # stacked as further rows of one head, so the mask is repeated for each of them.
        mask = torch.zeros(2 * TOKENS_PER_BLOCK, positions, device=self.device)
        mask[:TOKENS_PER_BLOCK, self._context_tokens + TOKENS_PER_BLOCK :] = -torch.inf
        self._mask = mask.repeat(config.heads // config.kv_heads, 1)
        # Guidance seldom changes, and computing its modulation is a measurable part of a block.
        self._modulation = lru_cache(maxsize=8)(Modulation(renderer, sampler.levels))
        passes = Passes(renderer, sampler)
        self._first_block, self._next_block = passes.first, passes.following
        self._weights = passes.weights
        if self.device.type == "cpu":
            width = 2 * config.latent_dim
            row = torch.zeros(TOKENS_PER_BLOCK, config.width)
            noise = torch.zeros(TOKENS_PER_BLOCK, width)
            inputs = (noise, row, *self._modulation(sampler.weight), noise, torch.zeros(()))
            example = (*inputs, row, self._window(()), self._mask)
            self._next_block = trace(self._next_block, (*example, *passes.weights))

    @torch.inference_mode()
    def with_weights(self, renderer: Renderer) -> RendererInference:
        """Inference of a network that differs from this one's in weights only, but not in biases
        of its ends nor in norms of queries, keys and output. The traced passes are shared.
        """
        other = copy.copy(self)
        other._score, other._style = renderer.score, renderer.style
        other._latents_in = renderer.latents_in
        other._guide_in = renderer.guide_in if self.config.guided else None
        other._clean, other._no_style = renderer.clean.detach(), renderer.no_style.detach()
        other._modulation = lru_cache(maxsize=8)(Modulation(renderer, self.sampler.levels))
        other._weights = packed_weights(renderer)
        return other

    @torch.inference_mode()
    def block(
        self,
        cache: KeyValueCache,
        score: ScoreBatch,
        style: Tensor | None,
        noise: Tensor,
        guidance: float | None = None,
        guide: Guide | None = None,
    ) -> tuple[Tensor, KeyValueCache]:
        """Generate one block.

        Args:
            cache: the context so far.
            score: 6 frames (240 ms), a batch of one.
            style: (128,), or None to leave it to the network.
            noise: standard normal, (3, 2 D).
            guidance: guidance weight of the style; None for the sampler's default. Only networks
                that were trained with guidance understand another (`Sampler.guidance`).
            guide: what the block starts from, any sound.

        Returns:
            Latents (6, D), and the cache for the next block.

        Raises:
            ValueError: a guide for a network that has but one pass and was not trained with any.

        """
        scored = self._score(score)
        conditioning = scored[0] + (self._no_style if style is None else self._style(style))
        kept, share = torch.zeros_like(noise), 0.0
        if guide is not None and self._guide_in is not None:
            sigma = torch.full((TOKENS_PER_BLOCK,), guide.sigma, device=self.device)
            conditioning = conditioning + self._guide_in(guide_input(guide.latents, sigma))
            noise = flow_start(guide.latents, sigma, noise)
        elif guide is not None:
            kept, share = guide.latents, self.sampler.guide_share(guide.sigma)
        blocks, weights = cache.blocks, self._weights
        modulation = self._modulation(self.sampler.weight if guidance is None else guidance)
        given = (*modulation, kept, torch.tensor(share, device=self.device))
        if cache.finished is None:
            (noisy,) = self._first_block(noise, conditioning, *given, *weights)
        else:
            tokens, finished_score = cache.finished
            finished = (self._latents_in(tokens) + finished_score + self._clean)[0]
            window, mask = self._window(blocks), self._mask
            missing = self._context_tokens - len(blocks) * TOKENS_PER_BLOCK
            if missing:
                mask = mask.clone()
                mask[:, :missing] = -torch.inf
            noisy, finished_kv = self._next_block(
                noise, conditioning, *given, finished, window, mask, *weights
            )
            blocks = (*blocks, finished_kv)
        latents = noisy.reshape(-1, self.config.latent_dim)
        # One block fewer than the window: the new block's keys and values join with the next call.
        return latents, KeyValueCache(blocks[-(self.config.window - 1) :], (noisy[None], scored))

    def listen(self, cache: KeyValueCache, score: ScoreBatch, latents: Tensor) -> KeyValueCache:
        """The cache after a block that was heard instead of generated.

        Args:
            cache: the context so far.
            score: 6 frames, a batch of one.
            latents: (6, D) of the sound.

        """
        tokens = latents.reshape(TOKENS_PER_BLOCK, -1).to(self.device)
        _, after = self.block(cache, score, None, torch.zeros_like(tokens))
        assert after.finished is not None
        return KeyValueCache(after.blocks, (tokens[None], after.finished[1]))

    def remember(self, cache: KeyValueCache, tokens: Tensor, scored: Tensor) -> KeyValueCache:
        """The cache with another sound in the newest of its finished blocks.

        Args:
            cache: with one finished block or more.
            tokens: of the other sound, (3, 2 D).
            scored: encoded score of that block, (1, 3, width).

        """
        tokens, scored = tokens.to(self.device), scored.to(self.device)
        before = KeyValueCache(cache.blocks[:-1], (tokens[None], scored))
        unknown = unknown_score(2 * TOKENS_PER_BLOCK).to(str(self.device))
        _, after = self.block(before, unknown, None, torch.zeros_like(tokens))
        return KeyValueCache((*cache.blocks[:-1], after.blocks[-1]), cache.finished)

    def _window(self, blocks: Sequence[Tensor]) -> Tensor:
        """Keys and values of finished blocks, (layers, 2, kv_heads, context tokens, head_dim), the
        newest last; zeros where there are none yet.
        """
        config = self.config
        shape = (config.layers, 2, config.kv_heads)
        missing = self._context_tokens - len(blocks) * TOKENS_PER_BLOCK
        none = torch.zeros(*shape, missing, config.head_dim, device=self.device)
        return torch.cat([none, *blocks], dim=3) if missing else torch.cat(list(blocks), dim=3)

"""The denoising passes of the renderer over one block, and what of them is constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.runtime.packed_linear import PackedLinear
from models.segue.renderer.network import (
    TOKENS_PER_BLOCK,
    Renderer,
    RendererConfig,
    RendererLayer,
    rotary,
)
from models.segue.renderer.sampler import Sampler


class Passes:
    """All denoising passes of a block as a function of tensors. Packed weights are arguments, as
    `models.runtime.tracing` asks.
    """

    def __init__(self, renderer: Renderer, sampler: Sampler) -> None:
        self.config = config = renderer.config
        self.sampler = sampler
        device = renderer.no_style.device
        self._layers = [_LayerNorms(layer) for layer in _layers(renderer)]
        self._linears = _all_linears(renderer)
        self.weights = [linear.weight for linear in self._linears]
        self._norm = renderer.norm.weight.detach() * config.width**0.5
        self._context_tokens = (config.window - 1) * TOKENS_PER_BLOCK
        positions = torch.arange((config.window + 1) * TOKENS_PER_BLOCK, device=device)
        cosine, sine = rotary(positions, config.head_dim)
        # Rotated x = x * cosine + (x with its halves swapped) * sine.
        self._cosine = torch.cat([cosine, cosine], dim=-1)
        self._sine = torch.cat([-sine, sine], dim=-1)

    def first(
        self,
        noise: Tensor,
        conditioning: Tensor,
        joint: Tensor,
        alone: Tensor,
        guide: Tensor,
        share: Tensor,
        *weights: Tensor,
    ) -> tuple[Tensor, ...]:
        """First block of a stream: noise (3, 2 D), conditioning (3, width), the modulation
        (`Modulation`), guide (3, 2 D) and its share () -> tokens (3, 2 D).
        """
        kv_cache = _RotatedCache.none(self.config, noise)
        given = (joint, alone, guide, share)
        return (self._flow(noise, conditioning, given, None, kv_cache, None, weights),)

    def following(
        self,
        noise: Tensor,
        conditioning: Tensor,
        joint: Tensor,
        alone: Tensor,
        guide: Tensor,
        share: Tensor,
        finished: Tensor,
        window: Tensor,
        mask: Tensor,
        *weights: Tensor,
    ) -> tuple[Tensor, ...]:
        """Block after others: finished block, embedded (3, width), and the window's keys and values
        -> tokens (3, 2 D), and the finished block's keys and values for the cache.
        """
        keys = self._rotate(window[:, 0], 0, self._context_tokens)
        kv_cache = _RotatedCache.of(self.config, keys, window[:, 1], self._context_tokens)
        given = (joint, alone, guide, share)
        noisy = self._flow(noise, conditioning, given, finished, kv_cache, mask, weights)
        return noisy, kv_cache.finished_kv

    def _flow(
        self,
        noise: Tensor,
        conditioning: Tensor,
        given: tuple[Tensor, Tensor, Tensor, Tensor],
        finished: Tensor | None,
        kv_cache: _RotatedCache,
        mask: Tensor | None,
        weights: Sequence[Tensor],
    ) -> Tensor:
        noisy, velocity, before = noise, noise, 0.0
        noisy_mask = None if mask is None else mask[TOKENS_PER_BLOCK : TOKENS_PER_BLOCK + 1]
        levels, two_step = self.sampler.levels, self.sampler.solver == "adams-bashforth"
        joint, alone, guide, share = given
        for index, level in enumerate(levels):
            step = (*levels, 1.0)[index + 1] - level
            x = self._linear(-2, noisy, weights) + conditioning
            finished_tokens = 0
            if finished is not None and not index:
                x, finished_tokens = torch.cat([finished, x]), TOKENS_PER_BLOCK
            out = self._pass(
                joint if finished_tokens else alone[index],
                x,
                finished_tokens,
                kv_cache,
                noisy_mask if index else mask,
                weights,
            )
            last, velocity = velocity, (out - noisy) / (1.0 - level)
            moved = velocity
            if index and two_step:
                moved = velocity + (velocity - last) * (step / (2.0 * before))
            noisy, before = noisy + step * moved, step
            if not index and len(levels) > 1:
                noisy = noisy + share * levels[1] * (guide - out)
        return noisy

    def _linear(self, number: int, x: Tensor, weights: Sequence[Tensor]) -> Tensor:
        return self._linears[number].linear(x, weights[number])

    def _rotate(self, x: Tensor, first: int, count: int) -> Tensor:
        """Rotate `x` (..., count, head_dim), whose first row is at position `first`."""
        span = slice(first, first + count)
        rotated_half = torch.roll(x, self.config.head_dim // 2, -1)
        return torch.addcmul(x * self._cosine[span], rotated_half, self._sine[span])

    def _pass(
        self,
        modulations: Tensor,
        x: Tensor,
        finished_tokens: int,
        kv_cache: _RotatedCache,
        mask: Tensor | None,
        weights: Sequence[Tensor],
    ) -> Tensor:
        """One pass over [finished block of `finished_tokens` tokens, new block] -> clean tokens."""
        config = self.config
        time, at = finished_tokens + TOKENS_PER_BLOCK, kv_cache.length
        kv, head = config.kv_heads, config.head_dim
        for number, layer in enumerate(self._layers):
            modulation = modulations[number].unbind()
            first = 4 * number
            normed = torch.addcmul(
                modulation[1], layer.rms_normalise(x, config.width), modulation[0]
            )
            heads = self._linear(first, normed, weights).view(time, -1, head)
            queries_keys = layer.rms_normalise(heads[:, : config.heads + kv], head) * layer.heads
            queries_keys = queries_keys.transpose(0, 1)
            key, value = queries_keys[config.heads :], heads[:, config.heads + kv :].transpose(0, 1)
            if finished_tokens:
                kv_cache.finished_kv[number, 0] = key[:, :finished_tokens]
                kv_cache.finished_kv[number, 1] = value[:, :finished_tokens]
            rotated = self._rotate(queries_keys, at, time)
            kv_cache.keys[number, :, at : at + time] = rotated[config.heads :]
            kv_cache.values[number, :, at : at + time] = value
            # Query heads that share a key head are further rows of it, so no key is copied.
            attended = functional.scaled_dot_product_attention(
                rotated[: config.heads].reshape(1, kv, config.heads // kv * time, head),
                kv_cache.keys[number, None, :, : at + time],
                kv_cache.values[number, None, :, : at + time],
                attn_mask=mask,
            )
            attended = attended.view(config.heads, time, head).transpose(0, 1).reshape(time, -1)
            x = torch.addcmul(x, self._linear(first + 1, attended, weights), modulation[2])
            normed = torch.addcmul(
                modulation[4], layer.rms_normalise(x, config.width), modulation[3]
            )
            gate, up = self._linear(first + 2, normed, weights).chunk(2, dim=-1)
            feed_forward = self._linear(first + 3, functional.silu(gate) * up, weights)
            x = torch.addcmul(x, feed_forward, modulation[5])
        kv_cache.length += finished_tokens
        return self._linear(
            -1,
            self._layers[0].rms_normalise(x[finished_tokens:], config.width) * self._norm,
            weights,
        )


def _layers(renderer: Renderer) -> list[RendererLayer]:
    return [layer for layer in renderer.layers if isinstance(layer, RendererLayer)]


def _linears(layer: RendererLayer) -> list[PackedLinear]:
    """Packed weights of a layer: queries, keys and values; attention output; feed-forward."""
    joined = torch.cat([layer.query.weight, layer.key_value.weight])
    rest = (layer.project.weight, layer.gate_up.weight, layer.down.weight)
    return [PackedLinear(weight) for weight in (joined, *rest)]


def _all_linears(renderer: Renderer) -> list[PackedLinear]:
    linears = [linear for layer in _layers(renderer) for linear in _linears(layer)]
    ends = (renderer.noisy_in, renderer.out)
    return [*linears, *(PackedLinear(part.weight, part.bias) for part in ends)]


def packed_weights(renderer: Renderer) -> list[Tensor]:
    """Weights of a network, packed as `Passes` takes them."""
    return [linear.weight for linear in _all_linears(renderer)]


@dataclass
class _RotatedCache:
    """Rotated keys and values of the finished blocks, with room for two more blocks, each (layers,
    kv_heads, positions, head_dim). They are rotated once a block instead of once a pass and layer.

    length: positions in use. finished_kv: keys and values of the finished block, before
    rotation.
    """

    keys: Tensor
    values: Tensor
    finished_kv: Tensor
    length: int

    @classmethod
    def none(cls, config: RendererConfig, like: Tensor) -> _RotatedCache:
        empty = like.new_zeros(config.layers, config.kv_heads, 0, config.head_dim)
        return cls.of(config, empty, empty, 0)

    @classmethod
    def of(cls, config: RendererConfig, keys: Tensor, values: Tensor, length: int) -> _RotatedCache:
        layers, groups, head = config.layers, config.kv_heads, config.head_dim
        more = keys.new_zeros(layers, groups, 2 * TOKENS_PER_BLOCK, head)
        finished_kv = keys.new_zeros(layers, 2, groups, TOKENS_PER_BLOCK, head)
        keys, values = (torch.cat([part, more], dim=2) for part in (keys, values))
        return cls(keys, values, finished_kv, length)


class _LayerNorms:
    """Norms of a layer as far as they are constant. heads: weights for queries and keys."""

    def __init__(self, layer: RendererLayer) -> None:
        config = layer.config
        self._epsilon = layer.norm1.eps or 0.0
        queries = layer.query_norm.weight.expand(config.heads, -1)
        keys = layer.key_norm.weight.expand(config.kv_heads, -1)
        self.heads = torch.cat([queries, keys]).detach() * config.head_dim**0.5

    def rms_normalise(self, x: Tensor, size: int) -> Tensor:
        """Divide `x` by its Euclidean norm along the last dimension.

        The factor sqrt(size) that makes it an RMS norm is folded into the weights that follow.
        """
        return x * (x * x).sum(-1, keepdim=True).add(size * self._epsilon).rsqrt()


class Modulation:
    """Modulation of the norms and gates of all layers by noise level and guidance.

    Six rows a layer: scale (the norm's weight in it), shift and gate of attention, then of the
    feed-forward.
    """

    def __init__(self, renderer: Renderer, levels: Sequence[float]) -> None:
        layers = _layers(renderer)
        self._levels = torch.tensor(levels, device=renderer.no_style.device)
        self._noise = renderer.level
        self._table = torch.stack([layer.table.detach() for layer in layers])
        root = renderer.config.width**0.5
        norms = [(layer.norm1.weight, layer.norm2.weight) for layer in layers]
        self._norms = torch.stack([torch.stack(pair).detach() for pair in norms]) * root

    def __call__(self, guidance: float) -> tuple[Tensor, Tensor]:
        """The modulation at a guidance weight.

        Returns:
            Of the first pass beside a finished block, which never sees a level, (layers, 6, 6
            tokens, width); and of each pass over the new block alone, (levels, layers, 6, width).

        """
        changes = self._noise(self._levels, torch.full_like(self._levels, guidance))
        alone = self._parts(self._table + changes[:, None])
        rows = [self._parts(self._table)] * TOKENS_PER_BLOCK + [alone[0]] * TOKENS_PER_BLOCK
        return torch.stack(rows, dim=2), alone

    def _parts(self, table: Tensor) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = table.unbind(dim=-2)
        first = (1 + scale1) * self._norms[:, 0]
        second = (1 + scale2) * self._norms[:, 1]
        return torch.stack([first, shift1, gate1, second, shift2, gate2], dim=-2)

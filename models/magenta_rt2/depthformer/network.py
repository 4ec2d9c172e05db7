"""The depthformer: a transformer over frames, and one over the twelve RVQ levels of a frame.

Shapes are those of the reference's `jax/depthformer.py` (`MultivariateDecoder`, `Encoder`) and
`jax/model.py` (`depthformer_config`), magenta-rt 2.0.3, Apache-2.0. The architecture is that of
RQ-Transformer (Lee et al. 2022, section 3.2): the mean of the last frame's embedded codes goes
through the temporal body, whose output starts the depth body, which generates the frame's codes one
after another.

This module holds the weights and the passes over whole sequences, for tests and for prefilling;
`stepper.py` caches keys and values and generates frame by frame. Tokens are the reference's unique
ones: 0 to start, else 6 + 1024 * level + code.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from models.magenta_rt2.depthformer.config import (
    CHANNEL_VOCAB_SIZES,
    CODEBOOK_SIZE,
    NUM_RESERVED_TOKENS,
    RVQ_LEVELS,
    STYLE_DIM,
    STYLE_TOKENS,
    STYLE_VOCAB_SIZE,
    VOCAB_SIZE,
    DepthformerConfig,
    padded_rows,
)
from models.magenta_rt2.depthformer.layers import (
    Attention,
    Dense,
    DepthformerLayer,
    LayerNorm,
    Projections,
    empty_parameter,
)


class ConditioningEncoder(nn.Module):
    """Embeds conditioning tokens (n, 144) of `condition_tokens` -> (n, encoder_dims)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.style_embedding = empty_parameter(STYLE_TOKENS * STYLE_VOCAB_SIZE, STYLE_DIM)
        self.style_adapter = Dense(STYLE_DIM, width)
        self.channel_embedding = empty_parameter(padded_rows(sum(CHANNEL_VOCAB_SIZES)), width)
        self.norm = LayerNorm(width)
        self.offsets: Tensor | None = None

    def finalize(self) -> None:
        style = torch.arange(STYLE_TOKENS) * STYLE_VOCAB_SIZE
        rest = torch.tensor((0, *CHANNEL_VOCAB_SIZES[:-1])).cumsum(0)
        self.offsets = torch.cat([style, rest]).to(self.style_embedding.device)

    def forward(self, tokens: Tensor) -> Tensor:
        rows = tokens + self.offsets
        style = self.style_embedding[rows[:, :STYLE_TOKENS]].sum(dim=1)
        rest = self.channel_embedding[rows[:, STYLE_TOKENS:]].mean(dim=1)
        encoded: Tensor = self.norm((self.style_adapter(style) + rest) * 0.5)
        return encoded


class Depthformer(nn.Module):
    """The network; its parameters are empty until `load_depthformer` replaces them."""

    def __init__(self, config: DepthformerConfig) -> None:
        super().__init__()
        self.config = config
        width, depth = config.temporal.model_dims, config.depth.model_dims
        self.encoder = ConditioningEncoder(config.encoder_dims)
        self.decoder_embedding = empty_parameter(VOCAB_SIZE, width)
        self.temporal_layers = nn.ModuleList(
            DepthformerLayer(config.temporal, config.encoder_dims)
            for _ in range(config.temporal.num_layers)
        )
        self.depth_input_adapter = Dense(width, depth) if width != depth else None
        self.depth_layers = nn.ModuleList(
            DepthformerLayer(config.depth, None) for _ in range(config.depth.num_layers)
        )
        self.final_ln = LayerNorm(depth)
        self.to_logits = Dense(depth, VOCAB_SIZE, bias=True)
        self.to_level_logits = nn.ModuleList()

    @property
    def temporal_body(self) -> list[DepthformerLayer]:
        return [cast(DepthformerLayer, layer) for layer in self.temporal_layers]

    @property
    def depth_body(self) -> list[DepthformerLayer]:
        return [cast(DepthformerLayer, layer) for layer in self.depth_layers]

    @property
    def device(self) -> torch.device:
        return self.decoder_embedding.device

    @property
    def dtype(self) -> torch.dtype:
        return self.decoder_embedding.dtype

    def finalize(self, fuse: bool = False) -> None:
        """Prepare for inference, once the weights are loaded. fuse: one layer for q, k and v."""
        self.encoder.finalize()
        for module in self.modules():
            if isinstance(module, Attention):
                module.finalize()
            elif isinstance(module, Projections) and fuse and len(module.sizes) > 1:
                module.fuse()
        first = [NUM_RESERVED_TOKENS + level * CODEBOOK_SIZE for level in range(RVQ_LEVELS)]
        self.to_level_logits = nn.ModuleList(
            self.to_logits.rows(begin, begin + CODEBOOK_SIZE) for begin in first
        )

    def embed(self, tokens: Tensor) -> Tensor:
        """Embeddings (..., width) of unique tokens (...), scaled by the root of the width."""
        return self.decoder_embedding[tokens] * math.sqrt(self.config.temporal.model_dims)

    def soft_cap_logits(self, logits: Tensor) -> Tensor:
        """Logits soft-capped with tanh, as float32."""
        soft_cap_logits = self.config.soft_cap
        return torch.tanh(logits.float() / soft_cap_logits) * soft_cap_logits

    def to_depth(self, x: Tensor) -> Tensor:
        return x if self.depth_input_adapter is None else self.depth_input_adapter(x)

    def temporal_pass(
        self, tokens: Tensor, conditions: Tensor, past: Tensor | None = None
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor, Tensor, Tensor]]]:
        """The temporal body over all frames at once.

        tokens (T, 12): the frame before each; conditions (T, 144). past: keys and values of the P
        frames before, (layers, 4, heads, P, dim_per_head). Returns (T, width), and for each layer
        the keys and values of self-attention, then of cross-attention, each
        (heads, T, dim_per_head).
        """
        frames = len(tokens)
        x = self.embed(tokens).mean(dim=1)
        source = self.encoder(conditions)
        bias = self._window_bias(frames, 0 if past is None else past.shape[3])
        caches = []
        for number, layer in enumerate(self.temporal_body):
            before = None if past is None else past[number]
            own, cross = layer.self_attention, layer.cross_attention
            assert cross is not None and cross.source_projection is not None
            q, k, v = own.input_projection(own.pre_norm(x))
            cache = [own.split_heads(k), own.split_heads(v)]
            x = x + own.post_norm(self._attend(own, q, _joined(before, 0, cache), bias))
            k, v = cross.source_projection(source)
            cache += [cross.split_heads(k), cross.split_heads(v)]
            (q,) = cross.input_projection(cross.pre_norm(x))
            x = x + cross.post_norm(self._attend(cross, q, _joined(before, 2, cache), bias))
            x = layer.ffn(x)
            caches.append((cache[0], cache[1], cache[2], cache[3]))
        return x, caches

    @staticmethod
    def _attend(attention: Attention, q: Tensor, cache: list[Tensor], bias: Tensor) -> Tensor:
        key, value = attention.sink()
        k = torch.cat([cache[0], key[:, None]], dim=1)
        v = torch.cat([cache[1], value[:, None]], dim=1)
        return attention.attend(attention.scaled_queries(q), k, v, bias)

    def _window_bias(self, frames: int, past: int) -> Tensor:
        """Local attention bias (T, P + T + 1): itself, `max_past_horizon` before, the sink."""
        positions = torch.arange(past + frames, device=self.device)
        age = positions[past:, None] - positions[None, :]
        attended = (age >= 0) & (age <= self.config.max_past_horizon)
        bias = torch.zeros(frames, past + frames + 1, dtype=self.dtype, device=self.device)
        bias[:, :-1].masked_fill_(~attended, float("-inf"))
        return bias

    def depth_pass(self, outputs: Tensor, tokens: Tensor) -> Tensor:
        """Logits (T, 12, 12294) of temporal outputs (T, width) and the frames' tokens (T, 12)."""
        frames = len(tokens)
        x = torch.cat([outputs[:, None], self.embed(tokens[:, :-1])], dim=1)
        x = self.to_depth(x.reshape(frames * RVQ_LEVELS, -1))
        ones = torch.ones(RVQ_LEVELS, RVQ_LEVELS, dtype=torch.bool, device=self.device)
        bias = torch.zeros(RVQ_LEVELS, RVQ_LEVELS, dtype=self.dtype, device=self.device)
        bias.masked_fill_(ones.triu(1), float("-inf"))
        for layer in self.depth_body:
            own = layer.self_attention
            q, k, v = own.input_projection(own.pre_norm(x))
            mixed = [
                own.attend(
                    own.scaled_queries(q[part]),
                    own.split_heads(k[part]),
                    own.split_heads(v[part]),
                    bias,
                )
                for part in (slice(f * RVQ_LEVELS, (f + 1) * RVQ_LEVELS) for f in range(frames))
            ]
            x = layer.ffn(x + own.post_norm(torch.cat(mixed)))
        return self.soft_cap_logits(self.to_logits(self.final_ln(x))).view(
            frames, RVQ_LEVELS, VOCAB_SIZE
        )

    @torch.inference_mode()
    def forward(self, tokens: Tensor, conditions: Tensor) -> Tensor:
        """Logits (T, 12, 12294) of every token of a sequence (T, 12), given those before it."""
        start = torch.zeros_like(tokens[:1])
        outputs, _ = self.temporal_pass(torch.cat([start, tokens[:-1]]), conditions)
        return self.depth_pass(outputs, tokens)


def _joined(past: Tensor | None, first: int, cache: list[Tensor]) -> list[Tensor]:
    """Keys and values of the frames before and of these, from index `first` on of both."""
    new = cache[first : first + 2]
    if past is None:
        return new
    return [torch.cat([past[first + n], part], dim=1) for n, part in enumerate(new)]

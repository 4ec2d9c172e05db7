"""The depthformer: a transformer over frames, and one over the twelve levels of a frame.

Inference lane. The shape is that of the reference's `jax/depthformer.py` (`MultivariateDecoder`,
`Encoder`) and `jax/model.py` (`depthformer_config`), magenta-rt 2.0.3, Apache-2.0. The architecture
is that of RQ-Transformer (Lee et al. 2022, section 3.2): the mean of the last frame's embedded
codes goes through the temporal stack, whose output starts the depth stack, which plays the frame's
codes one after another.

Here is what has no memory: the weights and a pass over whole sequences, for tests and for taking
in history. `stepper.py` keeps the caches and plays frame by frame. Tokens are the reference's
unique ones: 0 to start, else 6 + 1024 * level + code.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from models.magenta_rt2.depthformer.config import (
    CHANNEL_ROWS,
    CODES,
    LEVELS,
    RESERVED,
    STYLE_DIM,
    STYLE_ROWS,
    STYLE_TOKENS,
    VOCABULARY,
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


class ConditionEncoder(nn.Module):
    """Conditioning tokens (n, 144), offset as `conditioning.py` does -> (n, condition_width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.style_table = empty_parameter(STYLE_TOKENS * STYLE_ROWS, STYLE_DIM)
        self.style_adapter = Dense(STYLE_DIM, width)
        self.channel_table = empty_parameter(padded_rows(sum(CHANNEL_ROWS)), width)
        self.norm = LayerNorm(width)
        self.offsets: Tensor | None = None

    def finish(self) -> None:
        style = torch.arange(STYLE_TOKENS) * STYLE_ROWS
        rest = torch.tensor((0, *CHANNEL_ROWS[:-1])).cumsum(0)
        self.offsets = torch.cat([style, rest]).to(self.style_table.device)

    def forward(self, tokens: Tensor) -> Tensor:
        rows = tokens + self.offsets
        style = self.style_table[rows[:, :STYLE_TOKENS]].sum(dim=1)
        rest = self.channel_table[rows[:, STYLE_TOKENS:]].mean(dim=1)
        encoded: Tensor = self.norm((self.style_adapter(style) + rest) * 0.5)
        return encoded


class Depthformer(nn.Module):
    """The weights, empty until `weights.load_depthformer` has filled them."""

    def __init__(self, config: DepthformerConfig) -> None:
        super().__init__()
        self.config = config
        width, depth = config.temporal.width, config.depth.width
        self.condition = ConditionEncoder(config.condition_width)
        self.table = empty_parameter(VOCABULARY, width)
        self.temporal = nn.ModuleList(
            DepthformerLayer(config.temporal, config.condition_width)
            for _ in range(config.temporal.layers)
        )
        self.adapter = Dense(width, depth) if width != depth else None
        self.depth = nn.ModuleList(
            DepthformerLayer(config.depth, None) for _ in range(config.depth.layers)
        )
        self.depth_norm = LayerNorm(depth)
        self.head = Dense(depth, VOCABULARY, bias=True)
        self.level_heads = nn.ModuleList()

    @property
    def temporal_layers(self) -> list[DepthformerLayer]:
        return [cast(DepthformerLayer, layer) for layer in self.temporal]

    @property
    def depth_layers(self) -> list[DepthformerLayer]:
        return [cast(DepthformerLayer, layer) for layer in self.depth]

    @property
    def device(self) -> torch.device:
        return self.table.device

    @property
    def dtype(self) -> torch.dtype:
        return self.table.dtype

    def finish(self, join: bool = False) -> None:
        """What is worked out once, after the weights are in. join: one kernel for q, k and v."""
        self.condition.finish()
        for module in self.modules():
            if isinstance(module, Attention):
                module.finish()
            elif isinstance(module, Projections) and join and len(module.sizes) > 1:
                module.join()
        first = [RESERVED + level * CODES for level in range(LEVELS)]
        self.level_heads = nn.ModuleList(self.head.rows(begin, begin + CODES) for begin in first)

    def embed(self, tokens: Tensor) -> Tensor:
        """Unique tokens (...) -> (..., width), scaled by the root of the width."""
        return self.table[tokens] * math.sqrt(self.config.temporal.width)

    def cap(self, logits: Tensor) -> Tensor:
        """Soft-capped, as float32."""
        cap = self.config.soft_cap
        return torch.tanh(logits.float() / cap) * cap

    def to_depth(self, x: Tensor) -> Tensor:
        return x if self.adapter is None else self.adapter(x)

    def temporal_pass(
        self, tokens: Tensor, conditions: Tensor
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor, Tensor, Tensor]]]:
        """All frames at once. tokens (T, 12): the frame before each; conditions (T, 144).

        Returns (T, width), and for each layer own keys, own values, cross keys, cross values, each
        (heads, T, head_dim).
        """
        frames = len(tokens)
        x = self.embed(tokens).mean(dim=1)
        source = self.condition(conditions)
        bias = self._window(frames)
        caches = []
        for layer in self.temporal_layers:
            assert layer.cross is not None and layer.cross.project_source is not None
            q, k, v = layer.own.project(layer.own.pre_norm(x))
            kept = [layer.own.split(k), layer.own.split(v)]
            x = x + layer.own.post_norm(self._over(layer.own, q, kept, bias))
            k, v = layer.cross.project_source(source)
            kept += [layer.cross.split(k), layer.cross.split(v)]
            (q,) = layer.cross.project(layer.cross.pre_norm(x))
            x = x + layer.cross.post_norm(self._over(layer.cross, q, kept[2:], bias))
            x = layer.feed(x)
            caches.append((kept[0], kept[1], kept[2], kept[3]))
        return x, caches

    @staticmethod
    def _over(attention: Attention, q: Tensor, kept: list[Tensor], bias: Tensor) -> Tensor:
        key, value = attention.sink()
        k = torch.cat([kept[0], key[:, None]], dim=1)
        v = torch.cat([kept[1], value[:, None]], dim=1)
        return attention.attend(attention.queries(q), k, v, bias)

    def _window(self, frames: int) -> Tensor:
        """Bias (T, T + 1): each frame sees itself, `past` frames before it, and the sink."""
        at = torch.arange(frames, device=self.device)
        age = at[:, None] - at[None, :]
        seen = (age >= 0) & (age <= self.config.past)
        bias = torch.zeros(frames, frames + 1, dtype=self.dtype, device=self.device)
        bias[:, :frames].masked_fill_(~seen, float("-inf"))
        return bias

    def depth_pass(self, outputs: Tensor, tokens: Tensor) -> Tensor:
        """Temporal outputs (T, width), the frames' own tokens (T, 12) -> logits (T, 12, 12294)."""
        frames = len(tokens)
        x = torch.cat([outputs[:, None], self.embed(tokens[:, :-1])], dim=1)
        x = self.to_depth(x.reshape(frames * LEVELS, -1))
        ones = torch.ones(LEVELS, LEVELS, dtype=torch.bool, device=self.device)
        bias = torch.zeros(LEVELS, LEVELS, dtype=self.dtype, device=self.device)
        bias.masked_fill_(ones.triu(1), float("-inf"))
        for layer in self.depth_layers:
            own = layer.own
            q, k, v = own.project(own.pre_norm(x))
            mixed = [
                own.attend(own.queries(q[part]), own.split(k[part]), own.split(v[part]), bias)
                for part in (slice(f * LEVELS, (f + 1) * LEVELS) for f in range(frames))
            ]
            x = layer.feed(x + own.post_norm(torch.cat(mixed)))
        return self.cap(self.head(self.depth_norm(x))).view(frames, LEVELS, VOCABULARY)

    @torch.inference_mode()
    def forward(self, tokens: Tensor, conditions: Tensor) -> Tensor:
        """Logits (T, 12, 12294) of every token of a sequence (T, 12), given what is before it."""
        start = torch.zeros_like(tokens[:1])
        outputs, _ = self.temporal_pass(torch.cat([start, tokens[:-1]]), conditions)
        return self.depth_pass(outputs, tokens)

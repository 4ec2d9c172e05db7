"""Frame-by-frame inference of the depthformer with a ring-buffer KV cache.

`FrameStepper` owns the caches and every buffer of one frame. All shapes are fixed, nothing is read
back to the host inside a frame, and what changes from frame to frame is written into buffers, so
that `cuda_graphs.py` can capture `run` and `traced_frame.py` can trace it. Shapes as the
reference's `MultivariateDecoder.step_with_emits` (magenta-rt 2.0.3, Apache-2.0).

Snapshots: after each frame the one column that it wrote is copied out of the cache into an
immutable `CacheEntry`. A context is the tuple of the last `max_past_horizon` entries, so contexts
of neighbouring frames share all entries but one. Restoring one writes only those entries that are
not in the cache already, each into the slot that it had, so that even the order of the sums is the
same and the frames that follow are bit-identical.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.magenta_rt2.depthformer.config import (
    CODEBOOK_SIZE,
    CONDITION_CHANNELS,
    NUM_RESERVED_TOKENS,
    RVQ_LEVELS,
)
from models.magenta_rt2.depthformer.layers import Attention, DepthformerLayer
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.depthformer.sampling import sample_code

Attend = Callable[[Attention, Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class CacheEntry:
    """Keys and values of one frame in every layer; immutable.

    columns: (layers, 4, heads, dim_per_head): key and value of self-attention, then of
    cross-attention.
    """

    columns: Tensor


@dataclass(frozen=True, eq=False)
class DepthformerContext:
    """State of the depthformer after a frame; immutable.

    frame: number of frames so far. entries: of the last frames, oldest first. tokens: unique tokens
    (12,) of the last frame.
    """

    frame: int
    entries: tuple[CacheEntry, ...]
    tokens: Tensor


class FrameStepper:
    """Generates frames of one stream at a time; `load` switches it to another context."""

    def __init__(self, model: Depthformer) -> None:
        self.model = model
        config, device, dtype = model.config, model.device, model.dtype
        self.max_past_horizon = config.max_past_horizon
        self.slots = config.max_past_horizon + 1
        heads, size = config.temporal.num_heads, config.temporal.dim_per_head
        layers = config.temporal.num_layers
        self.kv_cache = torch.zeros(
            layers, 4, heads, self.slots + 1, size, device=device, dtype=dtype
        )
        for number, layer in enumerate(model.temporal_body):
            assert layer.cross_attention is not None
            for first, attention in ((0, layer.self_attention), (2, layer.cross_attention)):
                key, value = attention.sink()
                self.kv_cache[number, first, :, -1] = key
                self.kv_cache[number, first + 1, :, -1] = value
        stack = config.depth
        depth_shape = (stack.num_layers, 2, stack.num_heads, RVQ_LEVELS, stack.dim_per_head)
        self.depth_cache = torch.zeros(depth_shape, device=device, dtype=dtype)
        int64 = {"device": device, "dtype": torch.int64}
        self.slot = torch.zeros(1, **int64)
        self.bias = torch.zeros(1, self.slots + 1, device=device, dtype=dtype)
        self.previous = torch.zeros(RVQ_LEVELS, **int64)
        self.conditions = torch.zeros(1, CONDITION_CHANNELS, **int64)
        self.noise = torch.zeros(RVQ_LEVELS, CODEBOOK_SIZE, device=device)
        self.temperature = torch.ones((), device=device)
        self.top_k = torch.ones(1, **int64)
        self.tokens = torch.zeros(RVQ_LEVELS, **int64)
        self.columns = torch.zeros(layers, 4, heads, size, device=device, dtype=dtype)
        self.offsets = NUM_RESERVED_TOKENS + CODEBOOK_SIZE * torch.arange(RVQ_LEVELS, device=device)
        self.frame = 0
        self.entries: deque[CacheEntry] = deque(maxlen=self.max_past_horizon)
        self._slot_entries: list[CacheEntry | None] = [None] * self.slots
        self.replay: Callable[[], object] | None = None
        """Replays a captured or traced frame instead of `run`."""
        self.load(self.empty_context())

    def buffers(self) -> tuple[Tensor, ...]:
        """All tensors that `run` reads and writes besides the weights."""
        integers = (self.slot, self.previous, self.conditions, self.top_k, self.tokens)
        floats = (self.kv_cache, self.depth_cache, self.bias, self.noise, self.temperature)
        return (*integers, *floats, self.columns)

    def empty_context(self) -> DepthformerContext:
        """The context before the first frame."""
        tokens = torch.zeros(RVQ_LEVELS, dtype=torch.int64, device=self.model.device)
        return DepthformerContext(0, (), tokens)

    def reset(self) -> None:
        """Load the empty context, and trust no entry in the KV cache."""
        self._slot_entries = [None] * self.slots
        self.load(self.empty_context())

    def context(self) -> DepthformerContext:
        """The current context; cheap, see the module's docstring."""
        return DepthformerContext(self.frame, tuple(self.entries), self.previous.clone())

    @torch.inference_mode()
    def load(self, context: DepthformerContext) -> None:
        """Continue from a context. Copies each entry that is not in the KV cache already."""
        self.frame = context.frame
        self.entries = deque(context.entries, maxlen=self.max_past_horizon)
        self.previous.copy_(context.tokens)
        first = context.frame - len(context.entries)
        bias = torch.full((1, self.slots + 1), float("-inf"))
        bias[0, -1] = 0.0
        for number, entry in enumerate(context.entries, start=first):
            slot = number % self.slots
            bias[0, slot] = 0.0
            if self._slot_entries[slot] is not entry:
                self.kv_cache[:, :, :, slot] = entry.columns
                self._slot_entries[slot] = entry
        self.bias.copy_(bias)

    @torch.inference_mode()
    def step(self, conditions: Tensor, noise: Tensor, temperature: float, top_k: int) -> Tensor:
        """Generate the next frame: its codes, int64 (12,) from 0 to 1023, on the model's device.

        conditions: int64 (144,), offset; noise: float32 (12, 1024) of `gumbel_noise`.
        """
        to_device(self.conditions, conditions.view(1, -1))
        to_device(self.noise, noise)
        self.temperature.fill_(temperature)
        self.top_k.fill_(top_k)
        self._open_slot()
        if self.replay is None:
            self.run()
        else:
            self.replay()
        self._store_entry()
        return self.tokens - self.offsets

    def _open_slot(self) -> None:
        slot = self.frame % self.slots
        self.slot.fill_(slot)
        self.bias[:, slot] = 0.0

    def _store_entry(self) -> None:
        """Keep the keys and values of the frame that was just computed."""
        entry = CacheEntry(self.columns.clone())
        self.entries.append(entry)
        self._slot_entries[self.frame % self.slots] = entry
        self.previous.copy_(self.tokens)
        self.frame += 1

    def run(self) -> None:
        """Compute a frame's `tokens` and `columns` from its buffers, on the device alone."""
        x = self._temporal_step()
        model = self.model
        for level in range(RVQ_LEVELS):
            logits = self._depth_step(x, level)
            code = sample_code(logits, self.noise[level], self.temperature, self.top_k)
            token = code + (NUM_RESERVED_TOKENS + level * CODEBOOK_SIZE)
            self.tokens[level : level + 1] = token
            if level + 1 < RVQ_LEVELS:
                x = model.embed(token)

    @torch.inference_mode()
    def teacher_force(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """Logits (12, 1024) of a given frame, unique tokens (12,), which then joins the context.

        As `step`, without sampling; for tests and measurements.
        """
        self.conditions.copy_(conditions.view(1, -1))
        self._open_slot()
        x = self._temporal_step()
        logits = []
        for level in range(RVQ_LEVELS):
            logits.append(self._depth_step(x, level))
            x = self.model.embed(tokens[level : level + 1])
        self.tokens.copy_(tokens)
        self._store_entry()
        return torch.stack(logits)

    def _temporal_step(self) -> Tensor:
        """Output of the temporal body (1, width) for this frame; writes KV cache and `columns`."""
        model = self.model
        x = model.embed(self.previous).mean(dim=0, keepdim=True)
        source = model.encoder(self.conditions)
        for layer, kv_cache, columns in zip(
            model.temporal_body, self.kv_cache, self.columns, strict=True
        ):
            x = temporal_layer_step(layer, x, source, kv_cache, columns, self._attend)
        return x

    def _attend(
        self, attention: Attention, q: Tensor, kv: Tensor, cache: Tensor, columns: Tensor
    ) -> Tensor:
        columns.copy_(kv.view(columns.shape))
        cache.index_copy_(2, self.slot, columns[:, :, None])
        return attention.attend(attention.scaled_queries(q), cache[0], cache[1], self.bias)

    def _depth_step(self, x: Tensor, level: int) -> Tensor:
        """One step of the depth body: (1, width) in, the level's logits (1024,) out."""
        model = self.model
        x = model.to_depth(x)
        for layer, cache in zip(model.depth_body, self.depth_cache, strict=True):
            own = layer.self_attention
            q, kv = query_and_rest(own.input_projection.joined(own.pre_norm(x)))
            cache[:, :, level] = kv.view(2, own.num_heads, own.dim_per_head)
            keys, values = cache[:, :, : level + 1]
            x = x + own.post_norm(own.attend(own.scaled_queries(q), keys, values, None))
            x = layer.ffn(x)
        logits: Tensor = model.to_level_logits[level](model.final_ln(x))
        return model.soft_cap_logits(logits)[0]


def temporal_layer_step(
    layer: DepthformerLayer, x: Tensor, source: Tensor, kv_cache: Tensor, columns: Tensor,
    attend: Attend,
) -> Tensor:  # fmt: skip
    """One frame (batch, width) through a layer of the temporal body.

    Args:
        layer: of the temporal body.
        x: (batch, width).
        source: encoded conditions, (batch, width of the encoder).
        kv_cache: of the layer: keys and values of its own attention, then of the conditions'.
        columns: of the layer: where the new keys and values go, in the same order.
        attend: of a stepper: attention, queries, new keys and values, cache, columns -> output.

    """
    own, cross = layer.self_attention, layer.cross_attention
    assert cross is not None and cross.source_projection is not None
    q, kv = query_and_rest(own.input_projection.joined(own.pre_norm(x)))
    x = x + own.post_norm(attend(own, q, kv, kv_cache[:2], columns[:2]))
    kv = cross.source_projection.joined(source)
    (q,) = cross.input_projection(cross.pre_norm(x))
    x = x + cross.post_norm(attend(cross, q, kv, kv_cache[2:], columns[2:]))
    out: Tensor = layer.ffn(x)
    return out


def query_and_rest(qkv: Tensor) -> tuple[Tensor, Tensor]:
    """Query, and key and value side by side, of the three side by side."""
    inner = qkv.shape[-1] // 3
    return qkv[:, :inner], qkv[:, inner:]


def to_device(target: Tensor, values: Tensor) -> None:
    """Copy values of the host into a buffer, without waiting for a GPU's earlier work."""
    if target.device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()  # from other memory the copy waits; torch keeps it until then
    target.copy_(values, non_blocking=True)

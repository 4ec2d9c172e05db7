"""Frame-by-frame inference of several streams at once, which read the weights once.

As `FrameStepper`, with one more axis. Each stream has its own context, conditioning, noise and
sampling parameters, and draws the codes that it would draw alone; contexts are those of
`FrameStepper`, so that a stream may change from one to the other. Not for eight-bit weights: those
quantize their input over all its rows, so that streams would change each other's codes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

from models.magenta_rt2.depthformer.config import (
    CODEBOOK_SIZE,
    CONDITION_CHANNELS,
    NUM_RESERVED_TOKENS,
    RVQ_LEVELS,
)
from models.magenta_rt2.depthformer.layers import Attention, Dense, attention
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.depthformer.stepper import (
    CacheEntry,
    DepthformerContext,
    query_and_rest,
    temporal_layer_step,
    to_device,
)


class BatchStepper:
    """Generates one frame of each of `batch` streams at a time; `load` gives one its context.

    ValueError for a model in eight bits.
    """

    def __init__(self, model: Depthformer, batch: int) -> None:
        if not isinstance(model.to_level_logits[0], Dense):
            raise ValueError("eight-bit weights cannot be shared by streams in one product")
        self.model, self.batch = model, batch
        config, device, dtype = model.config, model.device, model.dtype
        self.max_past_horizon = config.max_past_horizon
        self.slots = config.max_past_horizon + 1
        heads, size = config.temporal.num_heads, config.temporal.dim_per_head
        layers, stack = config.temporal.num_layers, config.depth
        real, whole = {"device": device, "dtype": dtype}, {"device": device, "dtype": torch.int64}
        self.kv_cache = torch.zeros(layers, 4, batch, heads, self.slots + 1, size, **real)
        for number, layer in enumerate(model.temporal_body):
            assert layer.cross_attention is not None
            for first, part in ((0, layer.self_attention), (2, layer.cross_attention)):
                key, value = part.sink()
                self.kv_cache[number, first, :, :, -1] = key
                self.kv_cache[number, first + 1, :, :, -1] = value
        depth_shape = (stack.num_layers, 2, batch, stack.num_heads, RVQ_LEVELS, stack.dim_per_head)
        self.depth_cache = torch.zeros(depth_shape, **real)
        self.columns = torch.zeros(layers, 4, batch, heads, size, **real)
        self.bias = torch.full((batch, heads, 1, self.slots + 1), float("-inf"), **real)
        self.bias[..., -1] = 0.0
        self.streams = torch.arange(batch, device=device)
        self.slot = torch.zeros(batch, **whole)
        self.previous = torch.zeros(batch, RVQ_LEVELS, **whole)
        self.conditions = torch.zeros(batch, CONDITION_CHANNELS, **whole)
        self.noise = torch.zeros(batch, RVQ_LEVELS, CODEBOOK_SIZE, device=device)
        self.temperature = torch.ones(batch, 1, device=device)
        self.top_k = torch.ones(batch, 1, **whole)
        self.tokens = torch.zeros(batch, RVQ_LEVELS, **whole)
        self.offsets = NUM_RESERVED_TOKENS + CODEBOOK_SIZE * torch.arange(RVQ_LEVELS, device=device)
        self.frames = [0] * batch
        self._entries: list[deque[CacheEntry]] = [
            deque(maxlen=self.max_past_horizon) for _ in range(batch)
        ]
        self._slot_entries: list[list[CacheEntry | None]] = [
            [None] * self.slots for _ in range(batch)
        ]

    def context(self, stream: int) -> DepthformerContext:
        """The current context of a stream, from 0 to `batch` - 1."""
        entries = tuple(self._entries[stream])
        return DepthformerContext(self.frames[stream], entries, self.previous[stream].clone())

    @torch.inference_mode()
    def load(self, stream: int, context: DepthformerContext) -> None:
        """Continue a stream from a context. Copies each entry that is not in the KV cache."""
        self.frames[stream] = context.frame
        self._entries[stream] = deque(context.entries, maxlen=self.max_past_horizon)
        self.previous[stream] = context.tokens
        bias = torch.full((self.slots + 1,), float("-inf"))
        bias[-1] = 0.0
        known = self._slot_entries[stream]
        for number, entry in enumerate(context.entries, start=context.frame - len(context.entries)):
            slot = number % self.slots
            bias[slot] = 0.0
            if known[slot] is not entry:
                self.kv_cache[:, :, stream, :, slot] = entry.columns
                known[slot] = entry
        self.bias[stream] = bias

    @torch.inference_mode()
    def step(
        self,
        conditions: Tensor,
        noise: Tensor,
        temperatures: Sequence[float],
        top_ks: Sequence[int],
        active: Sequence[int] | None = None,
    ) -> Tensor:
        """Generate the next frame of every stream, or of some.

        Args:
            conditions: int64 (batch, 144), offset, as for `FrameStepper.step`.
            noise: float32 (batch, 12, 1024) of `gumbel_noise`.
            temperatures: of each stream.
            top_ks: of each stream, from 1 to 1024.
            active: streams that go on; the others are computed too, and stay where they are.

        Returns:
            Codes, int64 (batch, 12) from 0 to 1023, on the model's device.

        """
        slots = torch.tensor([frame % self.slots for frame in self.frames])
        for target, values in (
            (self.conditions, conditions),
            (self.noise, noise),
            (self.temperature, torch.tensor(temperatures, dtype=torch.float32)[:, None]),
            (self.top_k, torch.tensor(top_ks)[:, None]),
            (self.slot, slots),
        ):
            to_device(target, values)
        self.bias[self.streams, :, 0, self.slot] = 0.0
        self.run()
        going = range(self.batch) if active is None else active
        for stream in range(self.batch):
            slot = self.frames[stream] % self.slots
            if stream not in going:  # what was written there is no frame of it
                self._slot_entries[stream][slot] = None
                self.bias[stream, :, 0, slot] = float("-inf")
                continue
            entry = CacheEntry(self.columns[:, :, stream].clone())
            self._entries[stream].append(entry)
            self._slot_entries[stream][slot] = entry
            self.frames[stream] += 1
            self.previous[stream] = self.tokens[stream]
        return self.tokens - self.offsets

    def run(self) -> None:
        """Compute the frames' `tokens` and `columns` from the buffers, on the device alone."""
        x = self._temporal_step()
        for level in range(RVQ_LEVELS):
            code = self._sample(self._depth_step(x, level), self.noise[:, level])
            token = code + (NUM_RESERVED_TOKENS + level * CODEBOOK_SIZE)
            self.tokens[:, level] = token
            if level + 1 < RVQ_LEVELS:
                x = self.model.embed(token)

    def _sample(self, logits: Tensor, noise: Tensor) -> Tensor:
        """Codes (batch,) of logits and noise (batch, 1024); see `sample_code`."""
        ordered = logits.sort(dim=1, descending=True).values
        masked = logits.masked_fill(logits < ordered.gather(1, self.top_k - 1), float("-inf"))
        return (masked + noise * self.temperature).argmax(dim=1)

    def _temporal_step(self) -> Tensor:
        """Output of the temporal body (batch, width); writes KV cache and `columns`."""
        model = self.model
        x = model.embed(self.previous).mean(dim=1)
        source = model.encoder(self.conditions)
        for layer, cache, columns in zip(
            model.temporal_body, self.kv_cache, self.columns, strict=True
        ):
            x = temporal_layer_step(layer, x, source, cache, columns, self._attend)
        return x

    def _attend(
        self, part: Attention, q: Tensor, kv: Tensor, cache: Tensor, columns: Tensor
    ) -> Tensor:
        new = kv.view(self.batch, 2, part.num_heads, part.dim_per_head)
        columns.copy_(new.transpose(0, 1))
        cache.permute(1, 3, 0, 2, 4).index_put_((self.streams, self.slot), new)
        keys, values = cache.flatten(1, 2)
        return self._project(part, q, keys, values, self.bias.flatten(0, 1))

    def _project(
        self, part: Attention, q: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None
    ) -> Tensor:
        """Attention of unscaled q (batch, inner) to keys (batch * heads, m, d), projected."""
        queries = q.reshape(-1, 1, part.dim_per_head) * part.query_scale
        context = attention(queries, keys, values, bias)
        mixed: Tensor = part.output_projection(context.reshape(self.batch, -1))
        return mixed

    def _depth_step(self, x: Tensor, level: int) -> Tensor:
        """One step of the depth body: (batch, width) in, the level's logits (batch, 1024) out."""
        model = self.model
        x = model.to_depth(x)
        for layer, cache in zip(model.depth_body, self.depth_cache, strict=True):
            own = layer.self_attention
            q, kv = query_and_rest(own.input_projection.joined(own.pre_norm(x)))
            new = kv.view(self.batch, 2, own.num_heads, own.dim_per_head)
            cache[:, :, :, level] = new.transpose(0, 1)
            keys, values = cache.flatten(1, 2)[:, :, : level + 1]
            x = x + own.post_norm(self._project(own, q, keys, values, None))
            x = layer.ffn(x)
        return model.soft_cap_logits(model.to_level_logits[level](model.final_ln(x)))

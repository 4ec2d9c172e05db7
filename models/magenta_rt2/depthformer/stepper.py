"""The depthformer played frame by frame, with ring caches. Inference lane.

`FrameStepper` owns the caches and every buffer of one frame; all shapes are fixed, nothing is read
back to the host inside a frame, and what changes from frame to frame is written into buffers, so
that `graphs.py` can capture `run` as a CUDA graph and `recorded.py` record it. Shapes as
the reference's `MultivariateDecoder.step_with_emits` (magenta-rt 2.0.3, Apache-2.0).

**Snapshots.** After each frame the one column that it wrote is copied out of the rings: an
`CacheEntry`, never changed afterwards. The context at a frame is the tuple of the last `past`
entries, so the snapshots of neighbouring frames share all but one; a snapshot adds one entry (200
kB for `small` in float32) and is a tuple of references. Going back writes into the rings only those
entries that are not in their place already, each into the slot that it had, so that even the order
of the sums is the same: what follows is bit-identical.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.magenta_rt2.depthformer.config import CODES, CONDITION_CHANNELS, LEVELS, RESERVED
from models.magenta_rt2.depthformer.layers import Attention, DepthformerLayer
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.depthformer.sampling import choose


@dataclass(frozen=True, eq=False)
class CacheEntry:
    """One frame's keys and values of every layer, (layers, 4, heads, head_dim): own key and value,
    cross key and value. Never written to."""

    columns: Tensor


@dataclass(frozen=True, eq=False)
class DepthformerContext:
    """Everything the depthformer remembers: how many frames it has heard, the entries of the last
    ones, oldest first, and the last frame's unique tokens (12,)."""

    frame: int
    entries: tuple[CacheEntry, ...]
    tokens: Tensor


class FrameStepper:
    """Plays one stream at a time; `load` and `context` move it between streams and moments."""

    def __init__(self, model: Depthformer) -> None:
        self.model = model
        config, device, dtype = model.config, model.device, model.dtype
        self.past = config.past
        self.slots = config.past + 1
        heads, size = config.temporal.heads, config.temporal.head_dim
        layers = config.temporal.layers
        self.rings = torch.zeros(layers, 4, heads, self.slots + 1, size, device=device, dtype=dtype)
        for number, layer in enumerate(model.temporal_layers):
            assert layer.cross is not None
            for first, attention in ((0, layer.own), (2, layer.cross)):
                key, value = attention.sink()
                self.rings[number, first, :, -1] = key
                self.rings[number, first + 1, :, -1] = value
        stack = config.depth
        self.depth_cache = torch.zeros(
            stack.layers, 2, stack.heads, LEVELS, stack.head_dim, device=device, dtype=dtype
        )
        whole = {"device": device, "dtype": torch.int64}
        self.slot = torch.zeros(1, **whole)
        self.bias = torch.zeros(1, self.slots + 1, device=device, dtype=dtype)
        self.previous = torch.zeros(LEVELS, **whole)
        self.conditions = torch.zeros(1, CONDITION_CHANNELS, **whole)
        self.noise = torch.zeros(LEVELS, CODES, device=device)
        self.temperature = torch.ones((), device=device)
        self.top_k = torch.ones(1, **whole)
        self.tokens = torch.zeros(LEVELS, **whole)
        self.columns = torch.zeros(layers, 4, heads, size, device=device, dtype=dtype)
        self.offsets = RESERVED + CODES * torch.arange(LEVELS, device=device)
        self.frame = 0
        self.entries: deque[CacheEntry] = deque(maxlen=self.past)
        self._held: list[CacheEntry | None] = [None] * self.slots
        self.replay: Callable[[], object] | None = None
        """Plays a captured frame instead of `run`; see `graphs.py` and `recorded.py`."""
        self.load(self.fresh())

    def buffers(self) -> tuple[Tensor, ...]:
        """All that `run` reads and writes besides the weights."""
        whole = (self.slot, self.previous, self.conditions, self.top_k, self.tokens)
        sound = (self.rings, self.depth_cache, self.bias, self.noise, self.temperature)
        return (*whole, *sound, self.columns)

    def fresh(self) -> DepthformerContext:
        """A context in which nothing was heard yet."""
        return DepthformerContext(
            0, (), torch.zeros(LEVELS, dtype=torch.int64, device=self.model.device)
        )

    def forget(self) -> None:
        """Begin afresh, and take nothing in the rings for what it was."""
        self._held = [None] * self.slots
        self.load(self.fresh())

    def context(self) -> DepthformerContext:
        """Where it is now; immutable, and cheap: see the module's docstring."""
        return DepthformerContext(self.frame, tuple(self.entries), self.previous.clone())

    @torch.inference_mode()
    def load(self, context: DepthformerContext) -> None:
        """Go on from there. Costs a copy for each entry that is not in the rings already."""
        self.frame = context.frame
        self.entries = deque(context.entries, maxlen=self.past)
        self.previous.copy_(context.tokens)
        first = context.frame - len(context.entries)
        bias = torch.full((1, self.slots + 1), float("-inf"))
        bias[0, -1] = 0.0
        for number, entry in enumerate(context.entries, start=first):
            slot = number % self.slots
            bias[0, slot] = 0.0
            if self._held[slot] is not entry:
                self.rings[:, :, :, slot] = entry.columns
                self._held[slot] = entry
        self.bias.copy_(bias)

    @torch.inference_mode()
    def step(self, conditions: Tensor, noise: Tensor, temperature: float, top_k: int) -> Tensor:
        """Play the next frame: its codes, int64 (12,) from 0 to 1023, on the model's device.

        conditions: int64 (144,) with their offset; noise: float32 (12, 1024), see `sampling.py`.
        """
        self.conditions.copy_(conditions.view(1, -1), non_blocking=True)
        self.noise.copy_(noise, non_blocking=True)
        self.temperature.fill_(temperature)
        self.top_k.fill_(top_k)
        self._open_slot()
        if self.replay is None:
            self.run()
        else:
            self.replay()
        self._keep()
        return self.tokens - self.offsets

    def _open_slot(self) -> None:
        slot = self.frame % self.slots
        self.slot.fill_(slot)
        self.bias[:, slot] = 0.0

    def _keep(self) -> None:
        """Note down what this frame added to the memory."""
        entry = CacheEntry(self.columns.clone())
        self.entries.append(entry)
        self._held[self.frame % self.slots] = entry
        self.previous.copy_(self.tokens)
        self.frame += 1

    def run(self) -> None:
        """From the buffers of a frame to `tokens` and `columns`, on the device alone."""
        x = self._temporal()
        model = self.model
        for level in range(LEVELS):
            code = choose(self._depth(x, level), self.noise[level], self.temperature, self.top_k)
            token = code + (RESERVED + level * CODES)
            self.tokens[level : level + 1] = token
            if level + 1 < LEVELS:
                x = model.embed(token)

    @torch.inference_mode()
    def force(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """Take in a frame that is known, unique tokens (12,): logits (12, 1024) it would have had.

        As `step`, but for the choice. For tests and for taking in history.
        """
        self.conditions.copy_(conditions.view(1, -1))
        self._open_slot()
        x = self._temporal()
        logits = []
        for level in range(LEVELS):
            logits.append(self._depth(x, level))
            x = self.model.embed(tokens[level : level + 1])
        self.tokens.copy_(tokens)
        self._keep()
        return torch.stack(logits)

    def _temporal(self) -> Tensor:
        """The temporal stack over this frame: (1, width); writes the rings and `columns`."""
        model = self.model
        x = model.embed(self.previous).mean(dim=0, keepdim=True)
        source = model.condition(self.conditions)
        for layer, rings, columns in zip(
            model.temporal_layers, self.rings, self.columns, strict=True
        ):
            x = self._temporal_layer(layer, x, source, rings, columns)
        return x

    def _temporal_layer(
        self, layer: DepthformerLayer, x: Tensor, source: Tensor, rings: Tensor, columns: Tensor
    ) -> Tensor:
        own, cross = layer.own, layer.cross
        assert cross is not None and cross.project_source is not None
        q, k, v = own.project(own.pre_norm(x))
        x = x + own.post_norm(self._look(own, q, k, v, rings[:2], columns[:2]))
        k, v = cross.project_source(source)
        (q,) = cross.project(cross.pre_norm(x))
        x = x + cross.post_norm(self._look(cross, q, k, v, rings[2:], columns[2:]))
        out: Tensor = layer.feed(x)
        return out

    def _look(
        self, attention: Attention, q: Tensor, k: Tensor, v: Tensor, rings: Tensor, columns: Tensor
    ) -> Tensor:
        columns[0] = k.view(columns.shape[1:])
        columns[1] = v.view(columns.shape[1:])
        rings.index_copy_(2, self.slot, columns[:, :, None])
        return attention.attend(attention.queries(q), rings[0], rings[1], self.bias)

    def _depth(self, x: Tensor, level: int) -> Tensor:
        """One step of the depth stack: (1, width) in, the level's logits (1024,) out."""
        model = self.model
        x = model.to_depth(x)
        for layer, cache in zip(model.depth_layers, self.depth_cache, strict=True):
            own = layer.own
            q, k, v = own.project(own.pre_norm(x))
            cache[0, :, level : level + 1] = own.split(k)
            cache[1, :, level : level + 1] = own.split(v)
            seen = cache[:, :, : level + 1]
            x = x + own.post_norm(own.attend(own.queries(q), seen[0], seen[1], None))
            x = layer.feed(x)
        logits: Tensor = model.level_heads[level](model.depth_norm(x))
        return model.cap(logits)[0]

"""Generation of one audio block: frames of codes by the depthformer, decoded by the codec.

On a CPU both take about as long, each runs best in a thread of its own, and the codec needs the
whole block. So while the codec decodes a block, the depthformer speculatively generates frames of
the next one as if nothing changed. The next call uses them if its request is equal, and discards
them otherwise. The audio is bit-identical to that without speculation.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from models.magenta_rt2.depthformer.sampling import gumbel_noise
from models.magenta_rt2.depthformer.stepper import DepthformerContext, FrameStepper
from models.magenta_rt2.spectrostream.codec import SpectroStream

FRAMES_PER_BLOCK: Final = 3
MANY_CORES: Final = 8
"""From this number of cores on, depthformer and codec compute with two threads each."""


@dataclass(frozen=True, eq=False)
class BlockRequest:
    """Inputs of a block besides the context.

    conditions: int64 (3, 144) of `condition_rows`; temperature, top_k: of `sampling_params`;
    seed, epoch: of the stream.
    """

    conditions: Tensor
    temperature: float
    top_k: int
    seed: int
    epoch: int

    def equals(self, other: BlockRequest) -> bool:
        mine = (self.temperature, self.top_k, self.seed, self.epoch)
        others = (other.temperature, other.top_k, other.seed, other.epoch)
        return mine == others and torch.equal(self.conditions, other.conditions)

    def continued(self) -> BlockRequest:
        """The request of the next block if nothing changes: what is held stays held."""
        return replace(self, conditions=self.conditions[-1:].expand_as(self.conditions))


@dataclass(frozen=True, eq=False)
class GeneratedBlock:
    """A block's audio (1, samples, 2) and codes (3, 12), and context and codec's state after it."""

    audio: Tensor
    codes: Tensor
    context: DepthformerContext
    codec: tuple[Tensor, ...]


@dataclass
class SpeculativeFrames:
    """Frames generated after a context, valid if the next request is equal to this one."""

    context: DepthformerContext
    request: BlockRequest
    codes: list[Tensor]


class BlockGenerator:
    """Generates blocks with an engine's stepper and codec. Not thread-safe."""

    def __init__(self, stepper: FrameStepper, codec: SpectroStream, codec_thread: bool) -> None:
        """codec_thread: decode in a thread of its own, which `close` ends."""
        self.stepper, self.codec = stepper, codec
        self._loaded: DepthformerContext | None = None
        self._speculative: SpeculativeFrames | None = None
        self._pool: ThreadPoolExecutor | None = None
        if codec_thread:
            threads = 2 if available_cores() >= MANY_CORES else 1
            torch.set_num_threads(threads)
            self._pool = ThreadPoolExecutor(1, "codec", torch.set_num_threads, (threads,))

    def block(
        self,
        context: DepthformerContext,
        codec: Sequence[Tensor],
        request: BlockRequest,
        ahead: bool = True,
    ) -> GeneratedBlock:
        """The next block. ahead: generate frames of the one after it meanwhile."""
        codes, after = self._generate(context, request)
        if self._pool is None:
            sound, state = self.codec.decode_step(codes, codec)
        else:
            decoding = self._pool.submit(self.codec.decode_step, codes, codec)
            if ahead:
                self._speculate(after, request.continued(), decoding)
            sound, state = decoding.result()
        return GeneratedBlock(sound, codes[0], after, tuple(state))

    def _generate(
        self, context: DepthformerContext, request: BlockRequest
    ) -> tuple[Tensor, DepthformerContext]:
        ahead, self._speculative = self._speculative, None
        codes: list[Tensor] = []
        if ahead is not None and ahead.context is context and ahead.request.equals(request):
            codes = ahead.codes
        elif self._loaded is not context:
            self._loaded = None
            self.stepper.load(context)
        self._loaded = None  # until the block is complete
        while len(codes) < FRAMES_PER_BLOCK:
            codes.append(self._frame(request, len(codes)))
        after = self.stepper.context()
        self._loaded = after
        return torch.stack(codes)[None], after

    def _speculate(
        self, context: DepthformerContext, request: BlockRequest, until: Future[object]
    ) -> None:
        ahead = SpeculativeFrames(context, request, [])
        while len(ahead.codes) < FRAMES_PER_BLOCK and not until.done():
            self._loaded = None
            ahead.codes.append(self._frame(request, len(ahead.codes)))
        if ahead.codes:
            self._speculative = ahead

    def _frame(self, request: BlockRequest, number: int) -> Tensor:
        noise = gumbel_noise(request.seed, request.epoch, self.stepper.frame)
        row = request.conditions[number]
        return self.stepper.step(row, noise, request.temperature, request.top_k)

    def close(self) -> None:
        """End the codec's thread."""
        if self._pool is not None:
            self._pool.shutdown()


def available_cores() -> int:
    """Number of CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1

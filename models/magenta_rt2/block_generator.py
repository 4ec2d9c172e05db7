"""Generation of one audio block: frames of codes by the depthformer, decoded by the codec.

On a CPU both take about as long, each runs best in a thread of its own, and the codec needs the
whole block. So while the codec decodes a block, the depthformer speculatively generates frames of
the next one as if nothing changed. The next call uses them if its request is equal, and discards
them otherwise. While a control moves from block to block all would be discarded: the codec has both
threads then. The audio is bit-identical in every case.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import torch
from torch import Tensor

from models.magenta_rt2.depthformer.sampling import gumbel_noise
from models.magenta_rt2.depthformer.stepper import DepthformerContext, FrameStepper
from models.magenta_rt2.spectrostream.codec import SpectroStream

Decoded: TypeAlias = tuple[Tensor, tuple[Tensor, ...]]
"""Sound, and the codec's state after it."""
FRAMES_PER_BLOCK: Final = 3
MANY_CORES: Final = 8
"""From this number of cores on, depthformer and codec compute with two threads each."""
MOVING_REQUESTS: Final = 2
"""Unforeseen requests in a row after which the next one is not foreseen any more."""


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
        self._foreseen: tuple[DepthformerContext, BlockRequest] | None = None
        self._unforeseen = 0  # requests in a row
        self._pool: ThreadPoolExecutor | None = None
        self._threads = 2 if available_cores() >= MANY_CORES else 1
        if codec_thread:
            torch.set_num_threads(self._threads)
            self._pool = ThreadPoolExecutor(1, "codec")

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
            self._unforeseen = 0 if self._foresaw(context, request) else self._unforeseen + 1
            continued = request.continued()
            self._foreseen = after, continued
            ahead = ahead and self._unforeseen < MOVING_REQUESTS
            threads = self._threads if ahead else 2 * self._threads
            decoding = self._pool.submit(self._decode, codes, codec, threads)
            if ahead:
                self._speculate(after, continued, decoding)
            sound, state = decoding.result()
        return GeneratedBlock(sound, codes[0], after, tuple(state))

    def _foresaw(self, context: DepthformerContext, request: BlockRequest) -> bool:
        """Whether this call is what the last one foresaw."""
        if self._foreseen is None:
            return False
        after, continued = self._foreseen
        return after is context and continued.equals(request)

    def _decode(self, codes: Tensor, state: Sequence[Tensor], threads: int) -> Decoded:
        """The codec's step, in its thread, with so many threads of computation."""
        torch.set_num_threads(threads)
        decoded: Decoded = self.codec.decode_step(codes, tuple(state))
        return decoded

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
        self, context: DepthformerContext, request: BlockRequest, until: Future[Decoded]
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

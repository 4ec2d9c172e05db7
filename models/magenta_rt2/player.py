"""From a moment to the next block of sound: the depthformer, then the codec. Inference lane.

On a CPU both take about as long, each is best left to a thread of its own, and the codec needs the
whole block. So while the codec makes a block, the depthformer plays on into the next one, under the
same wishes. If the next call wishes the same, those frames are its first; if not, they are
forgotten. What is heard is the same to the bit as without, and no later.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from models.magenta_rt2.depthformer.sampling import gumbel_noise
from models.magenta_rt2.depthformer.stepper import DepthformerContext, FrameStepper
from models.magenta_rt2.spectrostream.codec import SpectroStream

FRAMES_PER_BLOCK: Final = 3
MANY_CORES: Final = 8
"""With so many, each of the two threads shares its work with another one."""


@dataclass(frozen=True, eq=False)
class BlockRequest:
    """What a block is played under. conditions: int64 (144,), see `conditioning.py`; temperature,
    top_k: `sampling.py`; seed, epoch: of the stream."""

    conditions: Tensor
    temperature: float
    top_k: int
    seed: int
    epoch: int

    def same(self, other: BlockRequest) -> bool:
        mine = (self.temperature, self.top_k, self.seed, self.epoch)
        others = (other.temperature, other.top_k, other.seed, other.epoch)
        return mine == others and torch.equal(self.conditions, other.conditions)


@dataclass
class SpeculativeFrames:
    """Frames played after a context, in the hope that the wish stays."""

    context: DepthformerContext
    wish: BlockRequest
    codes: list[Tensor]


class BlockGenerator:
    """Moves the one stepper of an engine to whatever is played next. For one thread at a time."""

    def __init__(self, stepper: FrameStepper, codec: SpectroStream, beside: bool) -> None:
        """beside: let the codec work in a thread of its own; `close` ends it."""
        self.stepper, self.codec = stepper, codec
        self._loaded: DepthformerContext | None = None
        self._guess: SpeculativeFrames | None = None
        self._pool: ThreadPoolExecutor | None = None
        if beside:
            threads = 2 if cores() >= MANY_CORES else 1
            torch.set_num_threads(threads)
            self._pool = ThreadPoolExecutor(1, "codec", torch.set_num_threads, (threads,))

    def block(
        self, context: DepthformerContext, codec: Sequence[Tensor], wish: BlockRequest
    ) -> tuple[Tensor, DepthformerContext, tuple[Tensor, ...]]:
        """The next block's sound (1, samples, 2), and the context and codec's state after it."""
        codes, after = self._play(context, wish)
        if self._pool is None:
            sound, state = self.codec.decode_step(codes, codec)
        else:
            decoding = self._pool.submit(self.codec.decode_step, codes, codec)
            self._play_on(after, wish, decoding)
            sound, state = decoding.result()
        return sound, after, tuple(state)

    def _play(
        self, context: DepthformerContext, wish: BlockRequest
    ) -> tuple[Tensor, DepthformerContext]:
        guess, self._guess = self._guess, None
        codes: list[Tensor] = []
        if guess is not None and guess.context is context and guess.wish.same(wish):
            codes = guess.codes
        elif self._loaded is not context:
            self._loaded = None
            self.stepper.load(context)
        self._loaded = None  # until the block is whole
        while len(codes) < FRAMES_PER_BLOCK:
            codes.append(self._frame(wish))
        after = self.stepper.context()
        self._loaded = after
        return torch.stack(codes)[None], after

    def _play_on(
        self, context: DepthformerContext, wish: BlockRequest, until: Future[object]
    ) -> None:
        guess = SpeculativeFrames(context, wish, [])
        while len(guess.codes) < FRAMES_PER_BLOCK and not until.done():
            self._loaded = None
            guess.codes.append(self._frame(wish))
        if guess.codes:
            self._guess = guess

    def _frame(self, wish: BlockRequest) -> Tensor:
        noise = gumbel_noise(wish.seed, wish.epoch, self.stepper.frame)
        return self.stepper.step(wish.conditions, noise, wish.temperature, wish.top_k)

    def close(self) -> None:
        """End the thread."""
        if self._pool is not None:
            self._pool.shutdown()


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1

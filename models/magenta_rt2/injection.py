"""Memory of what is played in: audio injection into a stream's context.

"Live Music Models" (arXiv 2508.04651), section 4.2: the performer's sound is mixed with the model's
own past, the mix is encoded, and its codes take the place of those that the model generated, in the
context and never in the output. The model goes on as if it had played both.

A block is rendered before it is heard, so what was played in belongs to frames of a while ago. The
stream therefore remembers its last blocks (`InjectedBlock`): once the input of a frame is known,
the context before it is taken up again and extended over all frames since, with the codes of the
mix where something was played and the generated ones elsewhere, in one pass. The codec's encoder
goes on from frame to frame, so that a block costs the encoding of a block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.engine.hearing import Hearing
from models.magenta_rt2.continuation import extend_context
from models.magenta_rt2.depthformer.config import (
    CODEBOOK_SIZE,
    DECODER_DELAY,
    FRAME_SAMPLES,
    NUM_RESERVED_TOKENS,
    RVQ_LEVELS,
)
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.depthformer.stepper import DepthformerContext
from models.magenta_rt2.spectrostream.codec import SpectroStream
from models.magenta_rt2.spectrostream.layers import State

MAX_BLOCKS: Final = 16
"""Blocks that are remembered: how far ahead of what is heard a plan may be (1.9 s)."""
AUDIBLE: Final = 2e-3
"""Peak, -54 dB of full scale, below which nothing was played."""

Sound = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class InjectedBlock:
    """A block that was rendered; immutable.

    context: before its frames. conditions, tokens: int64 (frames, 144) and unique tokens
    (frames, 12), as they are in the context by now. sound: of the codec, float32 (samples, 2), of
    the samples that the block gave. gain: of what is heard to the codec's level.
    """

    context: DepthformerContext
    conditions: Tensor
    tokens: Tensor
    sound: Sound
    gain: float


@dataclass(frozen=True, eq=False)
class InjectionState:
    """Memory of what is played in; immutable.

    blocks: the last ones, oldest first. fed: number of the first frame whose sound the codec's
    encoder has not been given. encoder: its state; None before the first. audible: whether anything
    was played in the last frame that it was given, whose code is still to come.
    """

    blocks: tuple[InjectedBlock, ...] = ()
    fed: int = 0
    encoder: State | None = None
    audible: bool = False

    def after(self, block: InjectedBlock) -> InjectionState:
        return replace(self, blocks=(*self.blocks, block)[-MAX_BLOCKS:])


def mix(own: Sound, played: Sound, amount: float) -> Sound:
    """The model's own sound with what was played in.

    amount: 0 (its own alone) to 1 (what was played alone); both in full at one half.
    """
    mixed: Sound = min(1.0, 2.0 - 2.0 * amount) * own + min(1.0, 2.0 * amount) * played
    return mixed


def inject(
    model: Depthformer,
    codec: SpectroStream,
    state: InjectionState,
    context: DepthformerContext,
    hearing: Hearing,
    amount: float,
) -> tuple[InjectionState, DepthformerContext]:
    """Put what has been played in since the last call into the context of the next block.

    Args:
        model: the depthformer.
        codec: with its encoder.
        state: the stream's.
        context: before the next block.
        hearing: of the next block.
        amount: as in `mix`, above 0.

    Returns:
        State and context; the same ones where nothing new was played.

    """
    if not state.blocks:
        return state, context
    size = len(state.blocks[0].tokens)
    total = size * len(state.blocks)
    base = context.frame - total  # number of the oldest frame that is remembered
    if state.fed < base:  # what was played there is known too late
        state = replace(state, fed=base, encoder=None, audible=False)
    known = min(hearing.known - hearing.position, 0)  # samples, from the next block's start
    begin, end = state.fed - base, total - DECODER_DELAY + known // FRAME_SAMPLES
    if end <= begin:
        return state, context
    samples, audible = _mixed_samples(state, hearing, amount, begin, end)
    sound = torch.from_numpy(samples)[None].to(model.device)
    codes, encoder = codec.encode_step(sound, state.encoder, levels=RVQ_LEVELS)
    changed = audible or state.audible
    state = replace(state, fed=base + end, encoder=tuple(encoder), audible=audible)
    count = codes.shape[1]  # the last frame's code comes with the next sound
    if not changed or not count:
        return state, context
    levels = torch.arange(RVQ_LEVELS, device=codes.device)
    tokens = torch.cat([block.tokens for block in state.blocks])
    first = end - 1 - count
    tokens[first : end - 1] = codes[0] + NUM_RESERVED_TOKENS + CODEBOOK_SIZE * levels
    return _extended(model, state, tokens, first // size, size)


def _mixed_samples(
    state: InjectionState, hearing: Hearing, amount: float, begin: int, end: int
) -> tuple[Sound, bool]:
    """Sound of frames begin..end at the codec's level, and whether anything was played in them."""
    own = np.concatenate([block.sound for block in state.blocks])
    start, stop = ((frame + DECODER_DELAY) * FRAME_SAMPLES for frame in (begin, end))
    offset = hearing.position - len(own)
    played = hearing.sound(offset + start, offset + stop)
    audible = bool(np.abs(played).max() >= AUDIBLE)
    mixed = mix(own[start:stop], state.blocks[-1].gain * played, amount if audible else 0.0)
    return np.ascontiguousarray(mixed, np.float32), audible


def _extended(
    model: Depthformer, state: InjectionState, tokens: Tensor, index: int, size: int
) -> tuple[InjectionState, DepthformerContext]:
    """State and context with these tokens from the block at an index on."""
    kept, changed = state.blocks[:index], state.blocks[index:]
    rows = torch.cat([block.conditions for block in changed]).to(model.device)
    contexts = extend_context(model, changed[0].context, tokens[index * size :], rows)
    before = [changed[0].context, *contexts[size - 1 : -1 : size]]
    blocks = tuple(
        replace(block, context=context, tokens=tokens[start : start + size])
        for block, context, start in zip(
            changed, before, range(index * size, len(tokens), size), strict=True
        )
    )
    return replace(state, blocks=(*kept, *blocks)), contexts[-1]

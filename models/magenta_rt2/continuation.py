"""Prefilling a stream's context with audio or codes, so that it can be continued.

The codec encodes the audio; one pass of the temporal body over all codes gives the keys and values
that it would have cached had it generated them; the decoder is warmed up on the last codes, so that
the audio continues without a gap. The reference's app prefills likewise (`prefill_state` of
`core/include/magentart/mlx_engine.h`, magenta-realtime, Apache-2.0).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.engine.interface import Audio
from models.magenta_rt2.depthformer.config import (
    CODEBOOK_SIZE,
    FRAME_SAMPLES,
    NUM_RESERVED_TOKENS,
    RVQ_LEVELS,
    SAMPLE_RATE,
)
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.depthformer.stepper import CacheEntry, DepthformerContext
from models.magenta_rt2.spectrostream.codec import SpectroStream

PREFILL_FRAMES: Final = 250
"""Ten seconds, as the cost grows with the length."""
WARM_UP_FRAMES: Final = 25
"""Frames that the decoder is warmed up on."""


@torch.inference_mode()
def prefill(
    model: Depthformer, codec: SpectroStream, audio: Audio, sample_rate: int, conditions: Tensor
) -> tuple[DepthformerContext, tuple[Tensor, ...]]:
    """The depthformer's context and the codec's state after audio, float32 (n, channels).

    conditions: int64 (144,), the same for every frame.
    """
    audio = _as_stereo(audio[-round(PREFILL_FRAMES * FRAME_SAMPLES / SAMPLE_RATE * sample_rate) :])
    if sample_rate != SAMPLE_RATE:
        import soxr

        audio = soxr.resample(audio, sample_rate, SAMPLE_RATE).astype(np.float32)
    # The incomplete frame is cut off at the beginning. A stream's audio is the codec's at half its
    # level (`engine.OUTPUT_GAIN`), so the codec is given twice the audio's.
    frames = len(audio) // FRAME_SAMPLES
    samples = torch.from_numpy(np.ascontiguousarray(audio[len(audio) - frames * FRAME_SAMPLES :]))
    codes = codec.encode(samples[None].to(model.device) * 2.0, levels=RVQ_LEVELS)[0]
    context = prefill_context(model, codes, conditions.to(model.device))
    state = tuple(codec.initial_decoder_state())
    _, state = codec.decode_step(codes[None, -WARM_UP_FRAMES:], state)
    return context, tuple(state)


def _as_stereo(audio: Audio) -> Audio:
    return np.repeat(audio, 2, axis=1) if audio.shape[1] == 1 else audio[:, :2]


@torch.inference_mode()
def prefill_context(model: Depthformer, codes: Tensor, conditions: Tensor) -> DepthformerContext:
    """The depthformer's context after codes (T, 12) from 0 to 1023, computed in one pass."""
    levels = torch.arange(RVQ_LEVELS, device=codes.device)
    tokens = codes + NUM_RESERVED_TOKENS + CODEBOOK_SIZE * levels
    start = DepthformerContext(0, (), torch.zeros_like(tokens[0]))
    rows = conditions.view(1, -1).expand(len(tokens), -1)
    columns = _columns(model, start, tokens, rows)[:, :, :, -model.config.max_past_horizon :]
    return DepthformerContext(len(tokens), _entries(columns), tokens[-1].clone())


@torch.inference_mode()
def extend_context(
    model: Depthformer, start: DepthformerContext, tokens: Tensor, conditions: Tensor
) -> list[DepthformerContext]:
    """The contexts after each of further frames, computed in one pass.

    tokens: unique tokens (T, 12) of the frames; conditions: int64 (T, 144). Up to rounding the
    contexts are those of generating the same tokens frame by frame.
    """
    entries, contexts = start.entries, []
    for number, entry in enumerate(_entries(_columns(model, start, tokens, conditions))):
        entries = (*entries, entry)[-model.config.max_past_horizon :]
        frame = start.frame + number + 1
        contexts.append(DepthformerContext(frame, entries, tokens[number].clone()))
    return contexts


def _columns(
    model: Depthformer, start: DepthformerContext, tokens: Tensor, conditions: Tensor
) -> Tensor:
    """Keys and values of the frames, (layers, 4, heads, T, dim_per_head)."""
    previous = torch.cat([start.tokens[None], tokens[:-1]])
    past = None
    if start.entries:
        past = torch.stack([entry.columns for entry in start.entries], dim=3)
    _, caches = model.temporal_pass(previous, conditions, past)
    return torch.stack([torch.stack(cache) for cache in caches])


def _entries(columns: Tensor) -> tuple[CacheEntry, ...]:
    """An entry of each frame, copied one by one, so that the whole can be freed."""
    return tuple(CacheEntry(columns[:, :, :, n].clone()) for n in range(columns.shape[3]))

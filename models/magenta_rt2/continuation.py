"""Taking in audio as a stream's past, so that it can be continued. Inference lane.

The codec's encoder makes codes of the audio; the temporal stack hears them all in one pass and
what it would have kept is put into a context, as if it had played them; the decoder is warmed up
on the last of them, so that the sound goes on without a gap. The reference's app prefills likewise
(`prefill_state` of `core/include/magentart/mlx_engine.h`, magenta-realtime, Apache-2.0).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.engine.interface import Audio
from models.magenta_rt2.depthformer.config import (
    CODES,
    FRAME_SAMPLES,
    LEVELS,
    RESERVED,
    SAMPLE_RATE,
)
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.depthformer.stepper import CacheEntry, DepthformerContext
from models.magenta_rt2.spectrostream.codec import SpectroStream

HEARD_FRAMES: Final = 250
"""Ten seconds: what a pass over it costs is felt."""
WARM_FRAMES: Final = 25


@torch.inference_mode()
def take_in(
    model: Depthformer, codec: SpectroStream, audio: Audio, sample_rate: int, conditions: Tensor
) -> tuple[DepthformerContext, tuple[Tensor, ...]]:
    """Audio float32 (n, channels) as a context, and the codec's state after its last frame.

    conditions: int64 (144,), of every frame.
    """
    audio = _stereo(audio[-round(HEARD_FRAMES * FRAME_SAMPLES / SAMPLE_RATE * sample_rate) :])
    if sample_rate != SAMPLE_RATE:
        import soxr

        audio = soxr.resample(audio, sample_rate, SAMPLE_RATE).astype(np.float32)
    # Whole frames up to the end: what is cut is at the beginning, furthest away. The stream's
    # sound is the codec's at half its level, so the codec hears twice what is given.
    frames = len(audio) // FRAME_SAMPLES
    samples = torch.from_numpy(np.ascontiguousarray(audio[len(audio) - frames * FRAME_SAMPLES :]))
    codes = codec.encode(samples[None].to(model.device) * 2.0, levels=LEVELS)[0]
    context = heard(model, codes, conditions.to(model.device))
    state = tuple(codec.decoder_start())
    _, state = codec.decode_step(codes[None, -WARM_FRAMES:], state)
    return context, tuple(state)


def _stereo(audio: Audio) -> Audio:
    return np.repeat(audio, 2, axis=1) if audio.shape[1] == 1 else audio[:, :2]


@torch.inference_mode()
def heard(model: Depthformer, codes: Tensor, conditions: Tensor) -> DepthformerContext:
    """The context after codes (T, 12) from 0 to 1023 that the model did not play itself."""
    levels = torch.arange(LEVELS, device=codes.device)
    tokens = codes + RESERVED + CODES * levels
    before = torch.cat([torch.zeros_like(tokens[:1]), tokens[:-1]])
    rows = conditions.view(1, -1).expand(len(tokens), -1)
    _, caches = model.temporal_pass(before, rows)
    kept = min(len(tokens), model.config.past)
    # (layers, 4, heads, T, head_dim); a copy for each frame, so that the whole is let go of.
    columns = torch.stack([torch.stack([part[:, -kept:] for part in cache]) for cache in caches])
    entries = tuple(CacheEntry(columns[:, :, :, number].clone()) for number in range(kept))
    return DepthformerContext(len(tokens), entries, tokens[-1].clone())

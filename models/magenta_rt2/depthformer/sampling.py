"""Sampling a code from the logits of one RVQ level, with reproducible noise.

As the reference's `_sample_categorical_with_temperature` (`jax/depthformer.py`, magenta-rt 2.0.3,
Apache-2.0): codes outside the top k are masked, then Gumbel noise times the temperature is added to
the untempered logits and the argmax taken (the Gumbel-max trick, Maddison et al. 2014). Codes of
other levels are masked there; here their logits are never computed.

The noise is a function of the stream's seed, its epoch (how often its context was cleared) and the
frame number, drawn with Philox (Salmon et al. 2011), a counter-based generator. Its state is three
integers: a snapshot of it costs nothing, and a restored stream draws the same noise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.magenta_rt2.depthformer.config import CODEBOOK_SIZE, RVQ_LEVELS
from models.magenta_rt2.depthformer.torchscript import torchscript

DEFAULT_TEMPERATURE: Final = 1.3
DEFAULT_TOP_K: Final = 40
"""The reference's own, of `MagentaRT2System`."""


def gumbel_noise(seed: int, epoch: int, frame: int) -> Tensor:
    """Gumbel noise of one frame, float32 (12, 1024), on the CPU."""
    key = [seed & (2**64 - 1), epoch & (2**64 - 1)]
    # Frames are far apart in the counter: their ranges of random numbers never overlap.
    bits = np.random.Philox(key=key, counter=[0, 0, frame, 0]).random_raw(
        RVQ_LEVELS * CODEBOOK_SIZE // 2
    )
    halves = bits.view(np.uint32) >> np.uint32(8)
    # The centre of each quantization step, so that neither 0 nor 1 is ever drawn.
    uniform = (halves.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-24)
    gumbel = torch.from_numpy(uniform).log_().neg_().log_().neg_()
    return gumbel.view(RVQ_LEVELS, CODEBOOK_SIZE)


def sample_code(logits: Tensor, noise: Tensor, temperature: Tensor, top_k: Tensor) -> Tensor:
    """Top-k sample of one code, int64 (1,), from logits (1024,) and noise (1024,).

    temperature, top_k: one-element tensors on the same device, so that a captured graph reads them
    anew; top_k from 1 to 1024. A temperature of 0 takes the most likely code.
    """
    if logits.device.type == "cpu":  # reading `top_k` needs no synchronization
        if torch.jit.is_tracing():  # `int` would be traced as a constant
            code: Tensor = torchscript().sample_code(logits, noise, temperature, top_k)
            return code
        best = logits.topk(int(top_k), sorted=False)
        perturbed = best.values + noise.index_select(0, best.indices) * temperature
        return best.indices.index_select(0, perturbed.argmax(dim=0, keepdim=True))
    threshold = logits.sort(descending=True).values.index_select(0, top_k - 1)
    masked = logits.masked_fill(logits < threshold, float("-inf"))
    return (masked + noise * temperature).argmax(dim=0, keepdim=True)

"""Choosing a code from a level's logits. Inference lane.

As the reference's `_sample_categorical_with_temperature` (`jax/depthformer.py`, magenta-rt 2.0.3,
Apache-2.0): codes outside the k likeliest are masked, then Gumbel noise times the temperature is
added to the untempered logits and the largest taken (the Gumbel-max trick, Maddison et al. 2014).
Codes of other levels are masked there; here their logits are never worked out.

The noise is a function of the stream's seed, how often its history was cleared, and the number of
the frame, drawn with Philox (Salmon et al. 2011), which counts instead of stepping. So the
generator's state is three whole numbers: a snapshot of it costs nothing, and a stream that is
taken up again draws the same noise.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.magenta_rt2.depthformer.config import CODES, LEVELS
from models.magenta_rt2.depthformer.scripts import scripts

DEFAULT_TEMPERATURE: Final = 1.3
DEFAULT_TOP_K: Final = 40
"""The reference's own, of `MagentaRT2System`."""


def gumbel_noise(seed: int, epoch: int, frame: int) -> Tensor:
    """float32 (12, 1024), on the CPU."""
    key = [seed & (2**64 - 1), epoch & (2**64 - 1)]
    # Frames are far apart in the counter: none ever reaches the next one's numbers.
    bits = np.random.Philox(key=key, counter=[0, 0, frame, 0]).random_raw(LEVELS * CODES // 2)
    halves = bits.view(np.uint32) >> np.uint32(8)
    # In the middle of its step each, so that neither 0 nor 1 is ever drawn.
    uniform = (halves.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-24)
    gumbel = torch.from_numpy(uniform).log_().neg_().log_().neg_()
    return gumbel.view(LEVELS, CODES)


def choose(logits: Tensor, noise: Tensor, temperature: Tensor, top_k: Tensor) -> Tensor:
    """The chosen code, int64 (1,), of logits (1024,) and noise (1024,).

    temperature, top_k: one-element tensors on the same device, so that a captured graph follows
    them; top_k from 1 to 1024. A temperature of 0 takes the likeliest code.
    """
    if logits.device.type == "cpu":  # nothing to wait for, and less to sort
        if torch.jit.is_tracing():  # `int` would be recorded as a constant
            chosen: Tensor = scripts().choose(logits, noise, temperature, top_k)
            return chosen
        best = logits.topk(int(top_k), sorted=False)
        loud = best.values + noise.index_select(0, best.indices) * temperature
        return best.indices.index_select(0, loud.argmax(dim=0, keepdim=True))
    least = logits.sort(descending=True).values.index_select(0, top_k - 1)
    kept = logits.masked_fill(logits < least, float("-inf"))
    return (kept + noise * temperature).argmax(dim=0, keepdim=True)

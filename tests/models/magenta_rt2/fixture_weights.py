"""Random weights of the depthformer's fixtures, drawn from each tensor's key; numpy only.

The reference's process and the tests both call `weights`, so the tensors need not be committed.
numpy guarantees that PCG64's raw stream never changes.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def weights(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, NDArray[np.float32]]:
    """float32 tensors by released key, none of them zeros or ones, so that each has an effect."""
    return {key: _draw(key, tuple(shape), seed) for key, shape in shapes.items()}


def _draw(key: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    raw = np.random.PCG64([seed, zlib.crc32(key.encode())]).random_raw(math.prod(shape))
    # Uniform of variance 1; the top bits are exact in float32.
    uniform = (raw >> 40).astype(np.float32) * np.float32(2.0**-24) - np.float32(0.5)
    noise = uniform.reshape(shape) * np.float32(math.sqrt(12.0))
    leaf = key.rsplit("/", 1)[-1]
    if leaf == "scale":
        return np.float32(1.0) + np.float32(0.2) * noise
    if leaf in ("bias", "per_dim_scale") or leaf.startswith("sink_"):
        return np.float32(0.3) * noise
    if leaf == "embedding":
        return noise / np.float32(math.sqrt(shape[-1]))
    fan_in = math.prod(shape[1:]) if "output_projection" in key else shape[0]
    size = 3.0 if "to_logits" in key else 1.0
    return noise * np.float32(size / math.sqrt(fan_in))

"""A style model for weights that are random anyway. Inference lane; numpy only.

Where a checkpoint says that it holds random weights (`random_weights.py`), tests and `bench` need
styles, and MusicCoCa's files would mean nothing. Each prompt gets a random vector of its own and
each vector random tokens; nothing here is ever used with released weights.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.magenta_rt2.depthformer.config import CODES, STYLE_DIM, STYLE_TOKENS


class RandomStyle:
    """Vectors and tokens from digests: the same prompt is the same vector, always."""

    def embed_text(self, text: str) -> NDArray[np.float32]:
        return self._vector(text.encode())

    def embed_audio(
        self, samples: NDArray[np.floating[Any]], sample_rate: int
    ) -> NDArray[np.float32]:
        return self._vector(np.ascontiguousarray(samples, np.float32).tobytes())

    def tokens(self, style: NDArray[np.float32]) -> NDArray[np.int64]:
        """int64 (12,)."""
        return _generator(style.tobytes()).integers(0, CODES, STYLE_TOKENS)

    @staticmethod
    def _vector(data: bytes) -> NDArray[np.float32]:
        vector = _generator(data).standard_normal(STYLE_DIM, dtype=np.float32)
        return vector / np.linalg.norm(vector).astype(np.float32)


def _generator(data: bytes) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(data).digest()[:8], "little"))

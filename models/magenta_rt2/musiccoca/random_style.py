"""Random style model for checkpoints with random weights; numpy only.

Tests and `bench` need styles where a checkpoint is one of `random_weights.py`. Each prompt gets a
random vector and each vector random tokens. Never used with released weights.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from models.magenta_rt2.depthformer.config import CODEBOOK_SIZE, STYLE_DIM, STYLE_TOKENS


class RandomStyle:
    """Vectors and tokens seeded by hashes, so that a prompt always has the same vector."""

    has_mapper = True
    """Nothing is missing that could be fetched."""

    def embed_text(self, text: str) -> NDArray[np.float32]:
        return self._vector(text.encode())

    def embed_audio(self, samples: NDArray[np.floating], sample_rate: int) -> NDArray[np.float32]:
        return self._vector(np.ascontiguousarray(samples, np.float32).tobytes())

    def tokenize(self, style: NDArray[np.float32]) -> NDArray[np.int64]:
        """Tokens of a style vector, int64 (12,)."""
        return _generator(style.tobytes()).integers(0, CODEBOOK_SIZE, STYLE_TOKENS)

    @staticmethod
    def _vector(data: bytes) -> NDArray[np.float32]:
        vector = _generator(data).standard_normal(STYLE_DIM, dtype=np.float32)
        return vector / np.linalg.norm(vector).astype(np.float32)


def _generator(data: bytes) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(data).digest()[:8], "little"))

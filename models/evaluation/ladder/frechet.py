"""Frechet distance between two sets of vectors. Pure numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]


def frechet_distance(first: Vectors, second: Vectors) -> float:
    """Frechet distance between the normal distributions of two sets of vectors.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), with means m and covariances C (Dowson & Landau
    1982; for embeddings of audio Kilgour et al. 2019, section 2). The trace of the root is taken
    from the eigenvalues of C1^(1/2) C2 C1^(1/2), which is symmetric.

    Args:
        first: (n, d), n at least 2.
        second: (m, d), m at least 2.

    Returns:
        The squared distance, in the vectors' units squared. It is biased upwards where n or m is
        not far above d: compare only what was measured with equally many vectors.

    Raises:
        ValueError: The vectors are of different sizes, too few, or not finite.

    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"not two sets of vectors of one size: {first.shape}, {second.shape}")
    if min(len(first), len(second)) < 2:
        raise ValueError("a distribution needs two vectors at least")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("the vectors hold numbers that are not finite")
    one, other = (np.atleast_2d(np.cov(vectors, rowvar=False)) for vectors in (first, second))
    root = _root(one)
    product = np.linalg.eigvalsh(root @ other @ root)
    shared = np.sqrt(np.maximum(product, 0.0)).sum()
    shift = first.mean(axis=0) - second.mean(axis=0)
    return max(0.0, float(shift @ shift + np.trace(one) + np.trace(other) - 2.0 * shared))


def _root(matrix: Vectors) -> Vectors:
    """The symmetric root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)

"""Anchors: vectors of the 120 style terms in the 128-dimensional style space.

`python -m models.segue.style.anchors` builds them. They are frozen: text head, audio tower,
arranger and renderer are trained against them. The target cosine of every pair comes from sentence
embeddings of each term's description and synonyms, its musical traits (tempo, electronic or
acoustic, percussive, energy, brightness, sustain, era), shared tags, and the table of related
terms. The nearest Gram matrix is found by alternating projections (Higham 2002, "Computing the
nearest correlation matrix", section 3); its symmetric square root is the anchors. So a mixture of
anchors can be decomposed, while related terms have similar vectors.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from models.errors import SegueError
from models.segue.style.terms import INDEX, NAMES, RESOURCES, TERMS, Term
from models.segue.style.terms import term as lookup

WEIGHTS = RESOURCES / "weights" / "style.safetensors"
DIM = 128
UNRELATED = 0.14  # largest |cosine| of unrelated terms
RELATED = (0.2, 0.5)
_RELATED_SHARE = 0.022  # share of all pairs that are related by data, beyond the table's

Array = NDArray[np.float32]
Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def term_texts(term: Term) -> list[str]:
    """Texts that describe a term, for the sentence encoder."""
    return [
        f"{term.name} music",
        f"{term.name}: {term.description}",
        *(f"{word} music" for word in term.synonyms),
        f"{', '.join(term.tags)} {term.category}",
    ]


def trait_features() -> NDArray[np.float64]:
    """Musical traits (120, 8), each of zero mean and unit variance over the terms."""
    rows = []
    for term in TERMS:
        t = term.traits
        # Tempo is perceived logarithmically; eras differ less the older they are.
        era = np.sign(t["year"] - 1900) * np.sqrt(abs(t["year"] - 1900))
        kinds = [t[k] for k in ("electronic", "percussive", "energy", "bright", "sustain")]
        rows.append([np.log2(t["bpm"]), era, *kinds, float(term.category == "instrument")])
    features = np.array(rows)
    return np.asarray((features - features.mean(0)) / features.std(0))


def similarity(encode: Encode) -> NDArray[np.float64]:
    """Similarity (120, 120) of the terms by words, traits and tags; only its ranks are used."""
    words = np.stack([encode(term_texts(term)).mean(0) for term in TERMS]).astype(np.float64)
    words -= words.mean(0)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    traits = trait_features()
    distance = ((traits[:, None] - traits[None]) ** 2).mean(-1)
    kernel = np.exp(-distance / 0.8)
    tags = [set(term.tags) for term in TERMS]
    shared = np.array([[len(a & b) / len(a | b) for b in tags] for a in tags])
    return np.asarray(0.45 * (words @ words.T) + 0.25 * kernel + 0.3 * shared)


def target_cosines(alike: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Target cosines (120, 120), and which pairs are related."""
    n = len(TERMS)
    table = np.zeros((n, n))
    for i, term in enumerate(TERMS):
        for name, cosine in term.related.items():
            j = NAMES.index(name)
            table[i, j] = table[j, i] = max(table[i, j], cosine)
    off = ~np.eye(n, dtype=bool)
    threshold = np.quantile(alike[off], 1 - _RELATED_SHARE)
    top = alike[off].max()
    kin = np.where(alike >= threshold, 0.2 + 0.12 * (alike - threshold) / (top - threshold), 0.0)
    low, high = np.quantile(alike[off], [0.02, 0.98])
    rest = np.clip((alike - low) / (high - low), 0, 1) * 0.14 - 0.02
    related = ((table > 0) | (kin > 0)) & off
    cosines = np.where(related, np.maximum(table, kin), np.minimum(rest, UNRELATED - 0.02))
    np.fill_diagonal(cosines, 1.0)
    return cosines, related


def nearest_gram(
    cosines: NDArray[np.float64], related: NDArray[np.bool_], iterations: int = 300
) -> NDArray[np.float64]:
    """Nearest Gram matrix of unit vectors to `cosines`, within RELATED and UNRELATED."""
    low = np.where(related, RELATED[0], -UNRELATED)
    high = np.where(related, RELATED[1], UNRELATED)
    gram, correction = cosines.copy(), np.zeros_like(cosines)
    for _ in range(iterations):
        values, vectors = np.linalg.eigh(gram - correction)
        positive = (vectors * np.maximum(values, 1e-3)) @ vectors.T
        correction = positive - (gram - correction)
        gram = np.clip(positive, low, high)
        np.fill_diagonal(gram, 1.0)
    values, vectors = np.linalg.eigh(gram)
    return np.asarray((vectors * np.maximum(values, 1e-6)) @ vectors.T)


def build(encode: Encode) -> Array:
    """Anchors (120, 128) of unit length, deterministic. `encode` embeds texts as (n, m)."""
    gram = nearest_gram(*target_cosines(similarity(encode)))
    values, vectors = np.linalg.eigh(gram)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # unique, unlike the vectors
    # A fixed rotation into 128 dimensions, so that no coordinate is one term's.
    frame, upper = np.linalg.qr(np.random.default_rng(120).standard_normal((DIM, len(TERMS))))
    anchors = root @ (frame * np.sign(np.diag(upper))).T
    return np.asarray(anchors / np.linalg.norm(anchors, axis=1, keepdims=True), dtype=np.float32)


def load(path: Path = WEIGHTS) -> Array:
    """The shipped anchors, float32 (120, 128) of unit length, in the order of `terms.NAMES`."""
    try:
        anchors = load_file(path)["anchors"].astype(np.float32)
    except (OSError, SafetensorError, KeyError) as error:
        raise SegueError(
            f"The style weights {path} cannot be read; install Segue again."
        ) from error
    if anchors.shape != (len(NAMES), DIM) or not np.isfinite(anchors).all():
        raise SegueError(f"The style weights {path} are damaged; install Segue again.")
    return np.asarray(anchors / np.linalg.norm(anchors, axis=1, keepdims=True))


def decomposition(anchors: NDArray[np.floating]) -> NDArray[np.float64]:
    """(terms, 128) matrix that gives the shares of the terms in a style, of both signs.

    Its smallest singular values are left out: terms that are nearly each other's mixture would get
    large shares that cancel.
    """
    return np.asarray(np.linalg.pinv(anchors.T.astype(np.float64), rcond=1e-3), np.float64)


@functools.cache
def _shipped() -> Array:
    anchors = load()
    anchors.setflags(write=False)
    return anchors


def mixture(weights: Mapping[str, float] | Iterable[tuple[str, float]]) -> Array:
    """Weighted mean of the terms' anchors, float32 (128,), not renormalised.

    Raises:
        SegueError: an unknown name, or no positive weight.

    """
    pairs = dict(weights)
    shares = np.zeros(len(NAMES), dtype=np.float32)
    for name, weight in pairs.items():
        lookup(name)
        shares[INDEX[name]] = weight
    if not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise SegueError("A mixture of terms needs weights of 0 or more, at least one above 0.")
    return np.asarray(shares @ _shipped() / shares.sum(), dtype=np.float32)


def main() -> None:
    """Build the anchors with the shipped sentence encoder and print their cosines."""
    from models.segue.style.sentence_encoder import SentenceEncoder

    encoder = SentenceEncoder.load()
    anchors = build(lambda batch: encoder.embed(batch).numpy())
    gram = anchors @ anchors.T
    cosines, related = target_cosines(similarity(lambda batch: encoder.embed(batch).numpy()))
    off = ~np.eye(len(NAMES), dtype=bool)
    print(f"related pairs: {related.sum() // 2}, cosines {gram[related].min():.3f}", end=" ")
    print(f"to {gram[related].max():.3f}; others {gram[~related & off].min():.3f}", end=" ")
    print(f"to {gram[~related & off].max():.3f}; correlation with the targets: ", end="")
    print(f"{np.corrcoef(gram[off], cosines[off])[0, 1]:.3f}")
    if WEIGHTS.exists():
        print(f"largest difference from the shipped anchors: {np.abs(anchors - load()).max():.2g}")
    else:
        save_file({"anchors": anchors}, WEIGHTS)
        print(f"wrote {WEIGHTS}")


if __name__ == "__main__":
    main()

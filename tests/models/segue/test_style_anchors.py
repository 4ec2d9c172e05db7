"""Shipped anchors: unit length, distinct, related terms similar; and mixtures of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import SegueError
from models.segue.style import anchors, terms


def test_geometry() -> None:
    table = anchors.load()
    assert table.shape == (120, 128) and table.dtype == np.float32
    gram = table.astype(np.float64) @ table.T.astype(np.float64)
    assert np.allclose(np.diag(gram), 1, atol=1e-6)
    off = ~np.eye(120, dtype=bool)
    # Every cosine is either small or that of related terms; nothing lies in between or beyond.
    small = np.abs(gram) < 0.15
    assert ((gram > 0.195) & (gram < 0.505))[off & ~small].all()
    assert np.linalg.matrix_rank(table, tol=0.05) == 120  # a mixture can be taken apart again
    for row in terms.TERMS:
        for name in row.related:
            assert gram[terms.INDEX[row.name], terms.INDEX[name]] > 0.195


def test_nearest_gram_keeps_the_bounds() -> None:
    rng = np.random.default_rng(4)
    wanted = rng.uniform(-0.9, 0.9, (30, 30))
    wanted = (wanted + wanted.T) / 2
    np.fill_diagonal(wanted, 1)
    related = np.zeros((30, 30), bool)
    related[:5, :5] = True
    gram = anchors.nearest_gram(wanted, related)
    off = ~np.eye(30, dtype=bool)
    assert np.linalg.eigvalsh(gram).min() > 0
    assert np.abs(gram[off & ~related]).max() < anchors.UNRELATED + 0.01
    assert gram[off & related].min() > 0.19 and gram[off & related].max() < 0.51


def test_mixture_is_the_plain_weighted_mean() -> None:
    table = anchors.load()
    a, b = table[terms.INDEX["Techno"]], table[terms.INDEX["Harp"]]
    mixed = anchors.mixture([("Techno", 3.0), ("Harp", 1.0)])
    assert mixed.dtype == np.float32 and np.allclose(mixed, 0.75 * a + 0.25 * b, atol=1e-6)
    assert np.linalg.norm(mixed) < 0.95  # its length tells how mixed it is


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"Tekno": 1.0}, "not one of the 120"),
        ({}, "at least one above 0"),
        ({"Techno": 0.0}, "at least one above 0"),
        ({"Techno": -1.0, "Harp": 2.0}, "0 or more"),
        ({"Techno": float("nan")}, "0 or more"),
    ],
)
def test_mixture_errors(weights: dict[str, float], message: str) -> None:
    with pytest.raises(SegueError, match=message):
        anchors.mixture(weights)


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    for content in (None, b"", b"no safetensors"):
        path = tmp_path / "style.safetensors"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SegueError, match="install Segue again"):
            anchors.load(path)

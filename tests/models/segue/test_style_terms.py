"""Terms table: complete, consistent, and found by common synonyms."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import SegueError
from models.segue.style import terms


def test_table_is_complete_and_consistent() -> None:
    assert len(terms.NAMES) == len(set(terms.NAMES)) == 120
    owner: dict[tuple[str, ...], str] = {}
    for row in terms.TERMS:
        assert row.category in terms.CATEGORIES
        assert row.description and row.tags and len(row.synonyms) >= 4
        for name, cosine in row.related.items():
            assert name in terms.INDEX and name != row.name
            assert 0.2 <= cosine <= 0.5
        for phrase in {tuple(terms.tokens(p)) for p in (*row.synonyms, row.name)}:
            assert owner.setdefault(phrase, row.name) == row.name, phrase
    for mixture in terms.MIXTURES.values():
        assert set(mixture) <= set(terms.INDEX)
        assert sum(mixture.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("row", terms.TERMS, ids=lambda row: row.name)
def test_every_name_means_itself(row: terms.Term) -> None:
    for text in (row.name, row.name.upper(), f"  {row.name.replace('-', ' ')}! "):
        found = terms.resolve(text)
        assert max(found.mixture, key=lambda n: found.mixture[n]) == row.name
    assert terms.resolve(row.name).mixture == {row.name: 1.0}


@pytest.mark.parametrize(
    ("text", "mixture"),
    [
        ("DnB", {"Drum & Bass": 1.0}),
        ("drum'n'bass", {"Drum & Bass": 1.0}),
        ("squeezebox", {"Accordion": 1.0}),
        ("8-bit", {"Chiptune": 1.0}),
        ("accordian", {"Accordion": 1.0}),
        ("boom bap", {"Lo-Fi Hip Hop": 0.55, "West Coast Hip Hop": 0.45}),
        ("minimal techno + banjo", {"Minimal Techno": 0.5, "Banjo": 0.5}),
        ("techno without harp", {"Techno": 1.0}),
        ("harp, no drum machine, techno", {"Harp": 0.5, "Techno": 0.5}),
        ("techno with a touch of harp", {"Techno": 1 / 1.4, "Harp": 0.4 / 1.4}),
        ("mostly techno with harp", {"Techno": 2 / 3, "Harp": 1 / 3}),
        ("rock with harp", {"Classic Rock": 0.5, "Harp": 0.5}),
        ("dark pop with harp", {"Post-Punk": 0.3 / 2.3, "Indie Pop": 1 / 2.3, "Harp": 1 / 2.3}),
        ("techno pop", {"Techno": 1 / 1.3, "Indie Pop": 0.3 / 1.3}),
        ("electric guitars", {"Classic Rock": 0.6, "Fuzz Guitar": 0.4}),
        ("dark techno", {"Techno": 1 / 1.3, "Post-Punk": 0.3 / 1.3}),
        ("quarterly tax return", {}),
        ("", {}),
        ("♪♫", {}),
    ],
)
def test_resolve(text: str, mixture: dict[str, float]) -> None:
    assert terms.resolve(text).mixture == pytest.approx(mixture)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("fluttering banjo", 0.4, 0.6), ("a banjo", 1.0, 1.0), ("rain on a tin roof", 0.0, 0.0)],
)
def test_coverage(text: str, low: float, high: float) -> None:
    assert low <= terms.resolve(text).coverage <= high


def test_captions_vary_are_seeded_and_name_their_terms() -> None:
    weights = {"Techno": 1.0, "Harp": 0.7}
    texts = [terms.caption(weights, np.random.default_rng(seed)) for seed in range(40)]
    assert texts == [terms.caption(weights, np.random.default_rng(seed)) for seed in range(40)]
    assert len(set(texts)) > 25
    for text in texts:
        assert {"Techno", "Harp"} <= set(terms.resolve(text).mixture), text


def test_caption_leaves_out_traces() -> None:
    text = terms.caption([("Techno", 1.0), ("Harp", 0.01)], np.random.default_rng(1))
    assert "Harp" not in terms.resolve(text).mixture


def test_caption_errors() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(SegueError, match="Did you mean 'Techno'"):
        terms.caption({"Tekno": 1.0}, rng)
    with pytest.raises(SegueError, match="at least one term"):
        terms.caption({"Techno": 0.0}, rng)
    with pytest.raises(SegueError, match="at least one term"):
        terms.caption({}, rng)

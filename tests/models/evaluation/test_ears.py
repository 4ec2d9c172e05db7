"""The verdicts that the evaluation draws from what the ears hear."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.ears import key_score, rank_correlation, tempo_verdict


@pytest.mark.parametrize(
    ("asked", "heard", "verdict"),
    [
        (120, 120, "right"),
        (120, 124.7, "right"),
        (120, 125, "wrong"),
        (120, 240, "double"),
        (120, 60, "half"),
        (90, 135, "wrong"),
    ],
)
def test_tempo_verdict(asked: float, heard: float, verdict: str) -> None:
    assert tempo_verdict(asked, heard) == verdict


@pytest.mark.parametrize(
    ("asked", "heard", "score"),
    [
        ((0, "major"), (0, "major"), 1.0),
        ((0, "major"), (7, "major"), 0.5),
        ((0, "major"), (5, "major"), 0.5),
        ((0, "major"), (9, "minor"), 0.3),
        ((9, "minor"), (0, "major"), 0.3),
        ((0, "major"), (0, "minor"), 0.2),
        ((0, "major"), (2, "major"), 0.0),
        ((0, "major"), (4, "minor"), 0.0),
    ],
)
def test_key_score(asked: tuple[int, str], heard: tuple[int, str], score: float) -> None:
    assert key_score(asked, heard) == score


def test_rank_correlation() -> None:
    asked = np.arange(5.0)
    assert rank_correlation(asked, asked**3) == pytest.approx(1.0)
    assert rank_correlation(asked, -asked) == pytest.approx(-1.0)

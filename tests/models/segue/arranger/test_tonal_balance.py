"""The pull towards the key: none where it is told, towards what tells it where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from models.segue.arranger.tonal_balance import LONGEST, NO_WEIGHTS, follow, pull


def weights(**classes: float) -> tuple[float, ...]:
    return tuple(classes.get(f"c{i}", 0.0) for i in range(12))


def test_silence_pulls_nowhere() -> None:
    assert not pull(NO_WEIGHTS, "minor").any()


def test_a_key_that_is_told_is_left_alone() -> None:
    told = weights(c0=4, c2=1, c4=3, c5=1.5, c7=3, c9=1, c11=0.7)
    assert not pull(told, "major").any()


def test_a_missing_third_is_asked_for() -> None:
    """Tonic, fourth and fifth alone say neither major nor minor."""
    open_fifths = weights(c0=5, c5=2, c7=2)
    assert pull(open_fifths, "minor")[3] > 0.5 > pull(open_fifths, "minor")[4]
    assert pull(open_fifths, "major")[4] > pull(open_fifths, "major")[3]


def test_dwelling_on_the_relative_major_is_answered() -> None:
    relative = weights(c3=4, c7=3, c10=3, c0=1.5, c5=1)
    found = pull(relative, "minor")
    assert found[0] > 0 > found[10]


def test_a_hint_pulls_less_than_a_statement() -> None:
    hint = tuple(0.05 * v for v in weights(c0=5, c5=2, c7=2))
    statement = weights(c0=5, c5=2, c7=2)
    assert np.abs(pull(hint, "minor")).max() < 0.5 * np.abs(pull(statement, "minor")).max()


def test_notes_are_counted_from_the_tonic_and_long_ones_fade() -> None:
    heard = follow(NO_WEIGHTS, [(0.0, 0.5, 62, 100), (5.0, 0.5, 65, 100)], 2, 0.5)
    assert heard[0] == pytest.approx(0.5) and heard[3] == 0.0
    late = follow(NO_WEIGHTS, [(LONGEST - 0.1, 0.5, 62, 100)], 2, 0.5)
    assert late[0] == pytest.approx(0.1)
    assert follow(heard, [], 2, 16.0)[0] == pytest.approx(0.5 / np.e)

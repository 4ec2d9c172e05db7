"""Tests of the folded bar: what repeats stands at its place, and rivals are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from models.music.tracking.bar_fold import (
    BAR_PLACES,
    CHANNELS,
    FLOOR,
    LATER,
    TEMPO,
    WORDS,
    FoldNetwork,
    folded,
    of_any_beat,
    tempo_inputs,
)
from models.music.tracking.beat_states import INTERVALS, state_space
from models.music.tracking.beats import drawn
from models.music.tracking.periodicity import SPAN, interval_scores
from models.music.tracking.rhythm import FEATURES, PLACES
from models.music.tracking.weights import load_ear_weights

INTERVAL = 24.5  # frames from beat to beat
SINCE = 1.25  # beats since the last bar began


def heard(later: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Words and flux of a pulse whose bars begin with a downbeat; the flux is `later` frames behind
    the words.
    """
    words = np.zeros((SPAN, WORDS), np.float32)
    flux = np.zeros((SPAN, FEATURES), np.float32)
    for beat in range(20):
        at = SPAN - 1 - round((SINCE + beat) * INTERVAL)
        if at < 0:
            break
        words[at, (0, 2)] = 1.0
        words[at, (1, 3)] = 1.0 if beat % 4 == 0 else 0.0
        flux[at - later] = (2.0, 1.0, 0.5)
    return words, flux


def of_downbeats() -> FoldNetwork:
    """A network that knows a bar by its downbeat only."""
    weight = np.zeros((1, CHANNELS, BAR_PLACES), np.float32)
    weight[0, 1, 0] = 20.0
    one, none = np.ones(1, np.float32), np.zeros((1, TEMPO), np.float32)
    return FoldNetwork(weight, 0 * one, none, one, none[0])


def test_what_repeats_stands_at_its_place() -> None:
    words, flux = heard(LATER)
    bars = folded(words, flux, SPAN, np.array([INTERVAL, 31.3]))
    assert bars.shape == (2, BAR_PLACES, CHANNELS)
    right, wrong = bars
    at = BAR_PLACES - round(SINCE * PLACES)
    assert right[:, 1].argmax() == at and right[at, 1] > 0.2
    for channel in (0, *range(WORDS, CHANNELS)):  # every beat, the flux with the words
        peaks = np.sort(np.argsort(right[:, channel])[-4:] % PLACES)
        assert peaks.tolist() == [at % PLACES] * 4
    assert wrong[:, 1].max() < 0.5 * right[:, 1].max(), "at another interval it is evened out"


def test_the_place_that_fits_is_the_one_that_sounds_now() -> None:
    words, flux = heard()
    intervals = np.array([INTERVAL, 31.3], np.float32)
    scores = of_downbeats().scores(
        folded(words, flux, SPAN, intervals), tempo_inputs(intervals, np.ones(2, np.float32))
    )
    interval, place = divmod(int(scores.argmax()), BAR_PLACES)
    assert (interval, place) == (0, round(SINCE * PLACES))
    assert scores.max() == 0 and scores.min() >= FLOOR
    beats = of_any_beat(scores)
    assert beats.shape == (2, PLACES)
    assert beats[0].argmax() == round(SINCE * PLACES) % PLACES


@pytest.mark.parametrize("filled", [LATER + 20, 150, SPAN])
def test_little_or_nothing_heard_is_finite(filled: int) -> None:
    words, flux = heard()
    for w, f in ((words, flux), (0 * words, 0 * flux)):
        scores, nearest = interval_scores(f, filled, INTERVALS)
        network = load_ear_weights().beats.fold
        found = network.scores(folded(w, f, filled, nearest), tempo_inputs(nearest, scores))
        assert found.shape == (len(INTERVALS), BAR_PLACES) and np.isfinite(found).all()


def test_a_belief_is_drawn_to_the_place_in_the_bar() -> None:
    """Rows of four beats by the place in the bar, those of three by the place in the beat."""
    patterns = load_ear_weights().beats.patterns
    space = state_space(patterns.rows)
    scores = np.full((len(INTERVALS), BAR_PLACES), FLOOR, np.float32)
    index, place = 10, 2 * PLACES + 3
    scores[index, place] = 0.0
    factors = drawn(patterns, scores)
    here = (space.interval == index) & (space.place == 3)
    for row, (metre, beat) in enumerate(patterns.rows):
        best = factors[:, row].max()
        assert factors[~here, row].max() < 0.5
        assert best == (1.0 if (metre, beat) == (4, 2) else pytest.approx(best))
        assert (best > 0.5) == (metre == 3 or beat == 2)


def test_the_interval_that_repeats_most_is_told_to_a_fraction() -> None:
    _, flux = heard()
    scores, nearest = interval_scores(flux, SPAN, INTERVALS)
    index = INTERVALS.index(24)
    assert nearest[index] == pytest.approx(INTERVAL, abs=0.26)
    assert scores[index] > 0.3
    assert np.abs(nearest / np.array(INTERVALS) - 1).max() < 0.08

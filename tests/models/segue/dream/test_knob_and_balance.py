"""The dream knob's meaning, and the crossfade at one loudness, by tables."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from models.segue.dream.balance import BalanceState, crossfade, goal, measure
from models.segue.dream.knob import ALONE, LOOSER, dream_setting

RNG = np.random.default_rng(1)
ONE, OTHER = (0.1 * RNG.standard_normal((3840, 2)).astype(np.float32) for _ in range(2))


@pytest.mark.parametrize(
    ("dream", "angle", "sigma"),
    [
        (0.0, 0.0, 1.0),
        (LOOSER, LOOSER / ALONE * math.pi / 2, 1.0),
        (ALONE, math.pi / 2, (1 - LOOSER) / (1 - ALONE)),
        (1.0, math.pi / 2, math.inf),
    ],
)
def test_the_knob_goes_from_the_studio_by_a_retouch_to_the_style(
    dream: float, angle: float, sigma: float
) -> None:
    setting = dream_setting(dream)
    assert setting.angle == pytest.approx(angle)
    assert setting.sigma == pytest.approx(sigma)


def test_a_larger_value_never_comes_nearer_to_the_studio() -> None:
    settings = [dream_setting(value) for value in np.linspace(0, 1, 101)]
    for before, after in pairwise(settings):
        assert after.angle >= before.angle
        assert after.sigma >= before.sigma


@pytest.mark.parametrize("angle", [0.3, math.pi / 4, 1.2, math.pi / 2])
@pytest.mark.parametrize("level", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("wet", [ONE, OTHER, (ONE + OTHER) / 2], ids=["same", "other", "half"])
def test_the_sum_is_as_loud_as_the_studio(wet: np.ndarray, level: float, angle: float) -> None:
    state = BalanceState()
    for _ in range(3):
        audio, state = crossfade(ONE, wet * np.float32(level), angle, state)
    assert 20 * math.log10(audio.std() / ONE.std()) == pytest.approx(0.0, abs=0.1)


def test_the_studio_alone_is_untouched_and_gains_move_without_a_step() -> None:
    audio, state = crossfade(ONE, OTHER, 0.0, BalanceState())
    assert audio is ONE
    first, state = crossfade(ONE, OTHER, math.pi / 2, state)
    assert np.array_equal(first[0], ONE[0])
    assert np.allclose(first[-1], OTHER[-1] * state.wet_gain, atol=1e-6)
    back, state = crossfade(ONE, OTHER, 0.0, state)
    assert np.array_equal(back[-1], ONE[-1])
    assert crossfade(ONE, OTHER, 0.0, state)[0] is ONE


def test_rests_say_nothing_about_levels() -> None:
    state = measure(ONE, OTHER, BalanceState())
    assert measure(np.zeros_like(ONE), OTHER, state) == state
    dry, wet = goal(BalanceState(), math.pi / 2)
    assert (dry, wet) == pytest.approx((0.0, 1.0))

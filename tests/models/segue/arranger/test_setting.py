"""The choice of who plays: shares of a value in sharpened odds."""

from __future__ import annotations

import numpy as np
import pytest

from models.engine.interface import blend
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.conditions import GUIDANCE
from models.segue.arranger.setting import SettingNoise, choose_setting, cleared, with_share
from models.segue.style import StyleModel


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("index", [0, 2, 3])
def test_a_value_gets_its_share_and_the_others_keep_their_ratios(share: float, index: int) -> None:
    odds = np.array([1.0, -3.0, 4.0, 0.5], np.float32)
    found = np.exp(with_share(odds, index, share))
    assert found.sum() == pytest.approx(1.0, abs=1e-4)
    assert found[index] == pytest.approx(share, rel=1e-4)
    others = [i for i in range(4) if i != index]
    before = np.exp(odds)[others]
    assert found[others] / found[others].sum() == pytest.approx(before / before.sum(), rel=1e-4)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_none_or_all_stays_finite(share: float) -> None:
    found = with_share(np.array([2.0, -1.0], np.float32), 0, share)
    assert np.isfinite(found).all()
    assert int(found.argmax()) == (0 if share else 1)


@pytest.mark.parametrize(
    ("share", "clear"),
    [(0.0, 0.0), (0.02, 0.004), (0.1, 0.1), (0.4, 0.4), (0.73, 0.73), (0.98, 0.996), (1.0, 1.0)],
)
def test_what_is_rare_is_rarer_still(share: float, clear: float) -> None:
    assert cleared(share) == pytest.approx(clear)


def test_a_mix_of_prompts_never_loses_all_its_players() -> None:
    """Didgeridoo and charango share none: each part alone was left out, and the music stopped."""
    net, style_model = Arranger.load().setting_net, StyleModel.load()
    first, last = (style_model.embed_text(name) for name in ("Didgeridoo", "Charango"))
    for step in range(6):
        mix = blend([first, last], [1.0 - step / 5, step / 5])
        for seed in (900_816, 900_817, 900_818, 900_819):
            setting = choose_setting(net, mix, SettingNoise.of(seed), GUIDANCE)
            assert setting.kit or any(setting.instruments), (step, seed)

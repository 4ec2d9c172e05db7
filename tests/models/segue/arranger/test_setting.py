"""The choice of who plays: shares of a value in sharpened odds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.engine.interface import blend
from models.segue.arranger.arranger import Arranger
from models.segue.arranger.conditions import GUIDANCE
from models.segue.arranger.setting import (
    NOBODY,
    SettingNoise,
    choose_setting,
    cleared,
    with_share,
)
from models.segue.arranger.steps import Setting
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
    [
        (0.0, 0.0),
        (0.03, 0.0012),
        (0.15, 0.15),
        (0.4, 0.4),
        (0.73, 0.73),
        (0.97, 0.9988),
        (1.0, 1.0),
    ],
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


SEEDS = range(900_500, 900_516)


@pytest.fixture(scope="module")
def shipped() -> tuple[Arranger, StyleModel]:
    """The shipped arranger and style model."""
    return Arranger.load(), StyleModel.load()


def settings_of(shipped: tuple[Arranger, StyleModel], text: str) -> list[Setting]:
    """The settings of a text, by seed."""
    arranger, style_model = shipped
    style = style_model.embed_text(text)
    return [arranger.setting(style, SettingNoise.of(seed)) for seed in SEEDS]


@pytest.mark.parametrize(
    ("text", "bass"),
    [
        ("driving rock with electric guitars", True),
        ("hip hop with flute", True),
        ("techno with tabla", True),
        ("disco with strings", True),
        ("drum and bass with harp", True),
        ("ambient techno", False),
        ("country with banjo", True),
    ],
)
def test_an_instrument_takes_no_drums_from_a_genre(
    shipped: tuple[Arranger, StyleModel], text: str, bass: bool
) -> None:
    settings = settings_of(shipped, text)
    assert sum(setting.kit == NOBODY["kit"] for setting in settings) <= 1
    if bass:
        assert sum(setting.instruments[0] == NOBODY["bass"] for setting in settings) <= 3


@pytest.mark.parametrize("text", ["string quartet", "solo harp", "harpsichord"])
def test_music_without_drums_stays_without(shipped: tuple[Arranger, StyleModel], text: str) -> None:
    assert sum(setting.kit == NOBODY["kit"] for setting in settings_of(shipped, text)) >= 13


def test_a_genre_keeps_its_tempo_beside_an_instrument(
    shipped: tuple[Arranger, StyleModel],
) -> None:
    tempi = [setting.bpm for setting in settings_of(shipped, "drum and bass with flute")]
    assert min(tempi) > 160.0


def test_the_drums_leave_as_a_mix_goes_over_to_a_style_without(
    shipped: tuple[Arranger, StyleModel],
) -> None:
    """And come in again where it goes back; between, no seed goes there and back."""
    arranger, style_model = shipped
    first, last = (style_model.embed_text(name) for name in ("techno", "string quartet"))
    for seed in SEEDS:
        noise = SettingNoise.of(seed)
        played = [
            arranger.setting(blend([first, last], [1 - x, x]), noise).kit != NOBODY["kit"]
            for x in np.linspace(0.0, 1.0, 21)
        ]
        assert played[0] and not played[-1]
        assert sum(a != b for a, b in itertools.pairwise(played)) == 1
        assert 0.4 <= sum(played) / 21 <= 0.85

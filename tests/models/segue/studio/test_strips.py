"""Tone of the parts' strips together with the master's."""

from __future__ import annotations

import numpy as np
import pytest

from models.music.score import PARTS, SAMPLE_RATE
from models.segue.studio.filters import FilterSection, coefficients
from models.segue.studio.master import tone_sections
from models.segue.studio.production import MixParameters
from models.segue.studio.strips import EQ


def gains_db(sections: tuple[FilterSection, ...], hertz: list[float]) -> np.ndarray:
    """Gains of a cascade at frequencies in Hz."""
    z = np.exp(-2j * np.pi * np.array(hertz) / SAMPLE_RATE)
    total = np.zeros(len(hertz))
    for section in sections:
        top, bottom = coefficients(section)
        total += 20 * np.log10(np.abs(np.polyval(top[::-1], z) / np.polyval(bottom[::-1], z)))
    return total


@pytest.mark.parametrize("part", PARTS)
def test_the_tilt_darkens_the_band_and_leaves_the_drums_open(part: str) -> None:
    whole = (*EQ[PARTS.index(part)], *tone_sections(MixParameters(), 0.0))
    middle, high = gains_db(whole, [1000.0, 8000.0])
    if part == "drums":
        assert high == pytest.approx(middle, abs=3.5)
    else:
        assert high < middle - 2.0

"""Views of a block of sound."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from models.segue.studio.block import sliding_windows


@pytest.mark.parametrize("step", [1, 3, 32])
@pytest.mark.parametrize("form", ["whole", "transposed", "every other", "read-only"])
def test_windows_are_those_of_numpy(form: str, step: int) -> None:
    x = np.random.default_rng(4).standard_normal((2, 200)).astype(np.float32)
    if form == "transposed":
        x = np.asfortranarray(x)
    elif form == "every other":
        x = x[:, ::2]
    elif form == "read-only":
        x.setflags(write=False)
    expected = sliding_window_view(x, 24, axis=1)[:, ::step]
    assert np.array_equal(sliding_windows(x, 24, step), expected)

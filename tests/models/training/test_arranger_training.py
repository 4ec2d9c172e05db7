"""Training that goes on from exported weights, and the surprise at songs it never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.segue.arranger.network import ArrangerConfig
from models.training.arranger import Arrangement, Styles, begin_from, export, losses
from models.training.arranger_evaluation import held_out_songs, surprise
from models.training.sets.arranger_data import draw
from tests.support.arrangers import STYLE

SIZES = ArrangerConfig(hidden=48, layers=1, content=16, head=24)
QUANTILES = np.linspace(0, 14, 33).astype(np.float32)


def test_training_begins_from_an_exported_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first, second = Arrangement(SIZES), Arrangement(SIZES)
    path = tmp_path / "arranger.safetensors"
    export(first, first.state_dict(), QUANTILES, path)
    assert np.allclose(begin_from(second, path), QUANTILES, atol=1e-3)
    for name, value in first.state_dict().items():
        assert torch.allclose(second.state_dict()[name], value, atol=2e-3), name
    with pytest.raises(RuntimeError):
        begin_from(Arrangement(ArrangerConfig(hidden=32)), path)


def test_bfloat16_says_the_same_within_its_precision() -> None:
    torch.manual_seed(1)
    module, songs = Arrangement(SIZES), held_out_songs(2)
    styles = Styles({name: STYLE for song in songs for name, _ in song.terms})
    batch = draw(songs, np.random.default_rng(0), 2, 64)

    def total(half: bool) -> float:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            rng = np.random.default_rng(1)
            parts = losses(module.step, batch, songs, styles, QUANTILES, rng)
        return float(sum(parts.values()))

    assert total(half=True) == pytest.approx(total(half=False), rel=0.02)


def test_who_has_learned_the_songs_is_less_surprised() -> None:
    torch.manual_seed(1)
    module, songs = Arrangement(SIZES), held_out_songs(3)
    styles = Styles({name: STYLE for song in songs for name, _ in song.terms})
    before = surprise(module, songs, styles, QUANTILES, 2)
    assert surprise(module, songs, styles, QUANTILES, 2) == before
    module.train()
    optimiser, rng = torch.optim.Adam(module.parameters(), 1e-2), np.random.default_rng(5)
    for _ in range(12):
        parts = losses(module.step, draw(songs, rng, 4, 64), songs, styles, QUANTILES, rng)
        optimiser.zero_grad()
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert surprise(module, songs, styles, QUANTILES, 2)["steps"] < 0.9 * before["steps"]

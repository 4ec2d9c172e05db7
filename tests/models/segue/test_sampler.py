"""How a weights file says that it is to be played."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.errors import SegueError
from models.segue.renderer.loading import load_inference, load_sampler
from models.segue.renderer.network import Renderer, RendererConfig
from models.segue.renderer.sampler import GuidanceInput, Sampler
from models.training.trainer import export_half

SMALL = RendererConfig(latent_dim=4, width=24, layers=1, heads=6, hidden=16, score_width=8)
DISTILLED = Sampler((0.0, 0.5), "euler", GuidanceInput(1.0, 1.5, 3.0))


def test_a_file_that_says_nothing_holds_a_flow() -> None:
    assert Sampler.from_metadata({"width": "384"}) == Sampler()
    assert Sampler().weight == 1.0


@pytest.mark.parametrize("sampler", [Sampler(), DISTILLED, Sampler((0.0,), "euler")])
def test_a_sampler_survives_the_header(sampler: Sampler, tmp_path: Path) -> None:
    assert Sampler.from_metadata(sampler.as_metadata()) == sampler
    path = tmp_path / "renderer.safetensors"
    export_half(Renderer(SMALL), path, {**SMALL.as_metadata(), **sampler.as_metadata()})
    player = load_inference(path)
    assert (player.sampler, player.config) == (sampler, SMALL)
    assert player.device == torch.device("cpu")


@pytest.mark.parametrize(
    "entries",
    [
        {"levels": "0.3 0.6"},
        {"levels": "0 0.6 0.5"},
        {"levels": "0 1"},
        {"levels": ""},
        {"levels": "none"},
        {"solver": "heun"},
        {"guidance": "1 2"},
        {"guidance": "3 2 1"},
        {"guidance": "1 nan 3"},
    ],
)
def test_what_cannot_be_played_is_told_in_a_sentence(
    entries: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(ValueError):
        Sampler.from_metadata(entries)
    path = tmp_path / "renderer.safetensors"
    export_half(Renderer(SMALL), path, {**SMALL.as_metadata(), **entries})
    with pytest.raises(SegueError, match="another version"):
        load_sampler(path)

"""ARC-Forcing: rollouts, the discriminator, and a run by the documented command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from models.segue.renderer.features import DRUM_CELLS, KNOWN, ScoreBatch
from models.segue.renderer.loading import load_inference
from models.segue.renderer.network import (
    FRAMES_PER_BLOCK,
    TOKENS_PER_BLOCK,
    Renderer,
    RendererConfig,
)
from models.segue.renderer.sampler import GuidanceInput, Sampler
from models.training.arc import forcing as arc_forcing
from models.training.arc.discriminator import Discriminator, relativistic
from models.training.arc.rollout import Prompts, last_pass, roll_out
from models.training.latents import PreparedClips
from models.training.trainer import export_half

CONFIG = RendererConfig(latent_dim=4, style_dim=128, width=48, layers=4, heads=6, kv_heads=2,
                        hidden=64, score_width=32, window=7)  # fmt: skip
BLOCKS = 20


def clip(seed: int, frames: int = BLOCKS * FRAMES_PER_BLOCK) -> dict[str, Any]:
    """A prepared clip whose latents follow from its style."""
    rng = np.random.default_rng(seed)
    loud = float(seed % 2)
    return {
        "latents": (rng.normal(size=(frames, 4)) * 0.1 + 2 * loud - 1).astype(np.float16),
        "drums": rng.integers(0, 255, (frames, DRUM_CELLS)).astype(np.uint8),
        "sustain": rng.integers(0, 255, (frames, 4, 88)).astype(np.uint8),
        "chroma": rng.integers(0, 255, (frames, 12)).astype(np.uint8),
        "onset": rng.integers(0, 2, (frames, 4, 88)).astype(np.uint8),
        "age": rng.integers(0, 9, (frames, 4, 88)).astype(np.uint8),
        "instruments": np.ones((frames, 4), np.int16),
        "kit": np.ones(frames, np.int16),
        "beat": rng.random((frames, 4)).astype(np.float16),
        "tempo": np.full(frames, 120, np.float16),
        "density": np.full(frames, 3, np.float16),
        "brightness": np.zeros(frames, np.float16),
        "style": np.full(128, 2 * loud - 1, np.float16),
    }


@pytest.fixture
def network() -> Renderer:
    torch.manual_seed(1)
    renderer = Renderer(CONFIG)
    for parameter in renderer.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return renderer


def prompts(size: int = 2) -> tuple[Tensor, Prompts]:
    batch = PreparedClips.stack([clip(seed) for seed in range(size)])
    return batch.latents.reshape(size, -1, 8), Prompts(batch.score, batch.style, torch.ones(size))


@pytest.mark.parametrize("given", [0, 1, 5])
@pytest.mark.parametrize("passes", [1, 2, 5])
def test_the_last_pass_gives_the_rollout_again(network: Renderer, given: int, passes: int) -> None:
    real, asked = prompts()
    start = real[:, : given * TOKENS_PER_BLOCK]
    rollout = roll_out(network, start, asked, BLOCKS, passes, torch.Generator().manual_seed(3))
    again = last_pass(network, rollout, asked)
    assert torch.equal(rollout.tokens[:, : start.shape[1]], start)
    # One Euler step from the last level ends at the network's estimate.
    torch.testing.assert_close(again, rollout.tokens[:, start.shape[1] :], atol=1e-4, rtol=1e-4)
    assert again.requires_grad and not rollout.tokens.requires_grad


def test_no_gradient_goes_from_a_block_to_those_before_it(network: Renderer) -> None:
    real, asked = prompts()
    rollout = roll_out(network, real[:, :0], asked, BLOCKS, 2, torch.Generator().manual_seed(3))
    noisy = rollout.noisy.clone().requires_grad_(True)
    out = last_pass(network, rollout.__class__(rollout.tokens, noisy, rollout.level, 0), asked)
    out[:, -1].sum().backward()
    assert noisy.grad is not None
    assert not noisy.grad[:, :-TOKENS_PER_BLOCK].any() and noisy.grad[:, -TOKENS_PER_BLOCK:].any()


@pytest.mark.parametrize("blocks", [0, 3])
def test_a_rollout_that_is_none(network: Renderer, blocks: int) -> None:
    real, asked = prompts()
    start = real[:, : 3 * TOKENS_PER_BLOCK]
    with pytest.raises(ValueError, match="blocks after 3"):
        roll_out(network, start, asked, blocks, 2, torch.Generator())


def test_a_discriminator_learns_real_from_played_and_right_from_swapped() -> None:
    torch.manual_seed(2)
    real, asked = prompts(4)
    fake = real + torch.randn(real.shape, generator=torch.Generator().manual_seed(5))
    judge = Discriminator(Renderer(CONFIG))
    assert len(judge.backbone.layers) == 2
    optimiser = torch.optim.Adam(judge.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        right = judge(real, asked.score, asked.style)
        told = relativistic(right, judge(fake, asked.score, asked.style))
        matched = relativistic(right, judge(real, asked.score, asked.style.roll(1, 0)))
        optimiser.zero_grad()
        (told + matched).backward()
        optimiser.step()
        losses.append((float(told.detach()), float(matched.detach())))
    assert losses[-1][0] < 0.5 * losses[0][0] and losses[-1][1] < 0.7 * losses[0][1]


def test_only_the_head_learns_at_first(network: Renderer) -> None:
    both = arc_forcing.ArcForcing(network, Sampler((0.0, 0.5), "euler", GuidanceInput(1, 1.5, 3)))
    batch = PreparedClips.stack([clip(seed) for seed in range(2)])
    for warming in (True, False):
        both.zero_grad(set_to_none=True)
        both.warm_up(warming)
        loss, logged = both(batch, torch.Generator().manual_seed(1))
        loss.backward()
        learns = {
            name: any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())
            for name, module in (("network", both.renderer), ("head", both.discriminator.head),
                                 ("backbone", both.discriminator.backbone))
        }  # fmt: skip
        assert learns == {"network": not warming, "head": True, "backbone": not warming}
        assert logged.keys() == {"fooling", "telling", "matching"}


def test_the_command_goes_on_where_it_was_and_exports(
    network: Renderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    for seed in range(2):
        np.savez(data / f"{seed}.npz", **clip(seed))
    sampler = Sampler((0.0, 0.5), "euler", GuidanceInput(1.0, 1.5, 3.0))
    export_half(network, tmp_path / "s.safetensors", CONFIG.as_metadata() | sampler.as_metadata())
    monkeypatch.setattr(arc_forcing, "fastest_format", lambda *_: torch.float32)
    words = ["arc", f"--data={data}", f"--start={tmp_path / 's.safetensors'}", f"--out={run}"]
    words += ["--batch=2", "--frozen=1", "--rate=0.01", f"--export={tmp_path / 'e.safetensors'}"]
    for steps in (1, 3):
        monkeypatch.setattr(sys, "argv", [*words, f"--steps={steps}"])
        arc_forcing.main()
    with safe_open(tmp_path / "e.safetensors", "pt") as file:
        assert Sampler.from_metadata(file.metadata()) == sampler
    with safe_open(run / "state.safetensors", "pt") as file:
        assert int(file.get_tensor("step")) == 3
    assert load_inference(tmp_path / "e.safetensors").config == CONFIG


def test_scores_are_cut_and_swapped_whole() -> None:
    score = PreparedClips.stack([clip(seed) for seed in range(3)]).score
    cut = arc_forcing.cut_score(score, 7)
    swapped = arc_forcing.swapped_score(score)
    for name, value in vars(score).items():
        assert torch.equal(getattr(cut, name), value[:, :7]), name
        assert torch.equal(getattr(swapped, name)[0].nan_to_num(), value[2].nan_to_num()), name
    assert isinstance(cut, ScoreBatch) and cut.known.shape[-1] == KNOWN

"""Training of the renderer's flow.

    python -m models.training.renderer --data PREPARED --out FOLDER --minutes 60

With `--start WEIGHTS` training starts from exported weights, such as the shipped ones.

Rectified flow (Liu et al. 2023; Lipman et al. 2023) on latents, block-causal with clean context,
after "Live Music Diffusion Models" section 3. Dropped at random are the style (for guidance), parts
of the score (so that the renderer can play from sketches), density and brightness (auto).

Against exposure bias, which degrades the papers' models over minutes, the context is noised at an
unknown level (as in GameNGen, Valevski et al. 2024, section 3.2.1), and in part replaced by the
network's own predictions (scheduled sampling in parallel form, Mihaylova & Martins 2019).
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.segue.renderer.features import UNKNOWN_INSTRUMENT, UNKNOWN_KIT, ScoreBatch
from models.segue.renderer.loading import load_renderer
from models.segue.renderer.network import (
    FRAMES_PER_BLOCK,
    FRAMES_PER_TOKEN,
    TOKENS_PER_BLOCK,
    Renderer,
    RendererConfig,
)
from models.training.latents import LatentBatch, PreparedClips
from models.training.trainer import Trainer, export_half


def drop_score(score: ScoreBatch, rng: torch.Generator) -> ScoreBatch:
    """Mask random parts of the score, per clip: everything (6 %), single rolls (4 %), timbres
    (8 %), chroma and beat (15 %), density and brightness (35 %).
    """
    size, frames = score.tempo.shape

    def draw(columns: int, odds: float) -> Tensor:
        return (torch.rand(size, columns, generator=rng) < odds).to(score.tempo.device)

    hidden = torch.cat([draw(5, 0.04), draw(5, 0.08), draw(2, 0.15)], dim=1) | draw(1, 0.06)
    known = (~hidden).float()[:, None].expand(size, frames, -1)
    timbre = hidden[:, None, 5:10].expand(size, frames, 5)
    nan = float("nan")
    return dataclasses.replace(
        score,
        known=known,
        kit=score.kit.masked_fill(timbre[..., 0], UNKNOWN_KIT),
        instruments=score.instruments.masked_fill(timbre[..., 1:], UNKNOWN_INSTRUMENT),
        density=score.density.masked_fill(draw(1, 0.35), nan),
        brightness=score.brightness.masked_fill(draw(1, 0.35), nan),
    )


def noise_levels(size: int, blocks: int, rng: torch.Generator) -> Tensor:
    """Random noise levels (B, N), a quarter of them at 0 (pure noise), where sampling begins."""
    spread = torch.sigmoid(torch.randn(size, blocks, generator=rng) - 0.3)
    start = torch.rand(size, blocks, generator=rng) < 0.25
    return spread.masked_fill(start, 0.0)


def corrupt_context(clean: Tensor, own_prediction: Tensor | None, rng: torch.Generator) -> Tensor:
    """Context as in inference: noised, and partly the network's own prediction."""
    size, time, _ = clean.shape
    context = clean
    if own_prediction is not None:
        blocks = time // TOKENS_PER_BLOCK
        share = torch.rand(size, 1, generator=rng)
        use_own = torch.rand(size, blocks, generator=rng) < share
        use_own = use_own.repeat_interleave(TOKENS_PER_BLOCK, dim=1).to(clean.device)
        context = torch.where(use_own[..., None], own_prediction, clean)
    strength = 0.8 * torch.rand(size, 1, 1, generator=rng).square().to(clean.device)
    return context + strength * torch.randn(clean.shape, generator=rng).to(clean.device)


def draw_context(size: int, window: int, rng: torch.Generator) -> Tensor:
    """Random limits (B,) of the context in blocks: none (20 %), one to six (40 %), all; a renderer
    that always has context learns to copy it and ignores the score.
    """
    kind = torch.rand(size, generator=rng)
    one_to_six = torch.randint(1, 7, (size,), generator=rng)
    max_context = torch.where(kind < 0.6, one_to_six, window)
    return max_context.masked_fill(kind < 0.2, 0)


class FlowLoss(nn.Module):
    """Flow-matching loss of a renderer; `own_context`: share of batches with own predictions."""

    def __init__(self, renderer: Renderer, own_context: float = 0.35) -> None:
        super().__init__()
        self.renderer = renderer
        self.own_context = own_context

    def forward(self, batch: LatentBatch, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        size, frames, dim = batch.latents.shape
        device = batch.latents.device
        clean = batch.latents.reshape(size, frames // FRAMES_PER_TOKEN, FRAMES_PER_TOKEN * dim)
        blocks = frames // FRAMES_PER_BLOCK
        score = drop_score(batch.score, rng)
        style = batch.style + 0.04 * torch.randn(batch.style.shape, generator=rng).to(device)
        has_style = (torch.rand(size, generator=rng) > 0.1).float().to(device)
        unguided = torch.ones(size, device=device)
        max_context = draw_context(size, self.renderer.config.window, rng).to(device)

        def noised(level: Tensor) -> Tensor:
            noise = torch.randn(clean.shape, generator=rng).to(device)
            per_token = level.repeat_interleave(TOKENS_PER_BLOCK, dim=1)[..., None]
            return (1 - per_token) * noise + per_token * clean

        own_prediction = None
        if float(torch.rand(1, generator=rng)) < self.own_context:
            with torch.no_grad():
                zero = torch.zeros(size, blocks, device=device)
                context = corrupt_context(clean, None, rng)
                own_prediction = self.renderer(
                    context, noised(zero), zero, score, style, has_style, unguided, max_context
                ).to(clean.dtype)
        context = corrupt_context(clean, own_prediction, rng)
        level = noise_levels(size, blocks, rng).to(device)
        noisy = noised(level)
        predicted = self.renderer(
            context, noisy, level, score, style, has_style, unguided, max_context
        )
        error = (predicted.float() - clean).square().mean(dim=-1)
        per_token = level.repeat_interleave(TOKENS_PER_BLOCK, dim=1)
        # Error of the velocity, (x - x')^2 / (1 - t)^2, bounded near t = 1.
        weight = 1.0 / (1.0 - per_token).clamp(min=0.3).square()
        loss = (error * weight).mean()
        start = per_token == 0
        first = float(error.detach()[start].mean()) if start.any() else float("nan")
        return loss, {"one_step": first}


def main() -> None:
    """Command line of the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of training.latents")
    parser.add_argument("--out", type=Path, required=True, help="checkpoints and curve")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--blocks", type=int, default=40, help="blocks of 240 ms in a crop")
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch's choice")
    parser.add_argument("--export", type=Path, default=None)
    parser.add_argument("--start", type=Path, default=None, help="weights to begin with")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    clips = PreparedClips(arguments.data)
    if not clips.clips:
        parser.error(f"no prepared clips: run models.training.latents --out {arguments.data}")
    dim = clips.clips[0]["latents"].shape[1]
    config = RendererConfig(latent_dim=dim)
    renderer = Renderer(config)
    if arguments.start:
        renderer.load_state_dict(load_renderer(arguments.start, "cpu").state_dict())
    renderer.to(arguments.device).requires_grad_(True).train()
    trainer = Trainer(renderer, arguments.out, arguments.rate, arguments.steps)
    objective = FlowLoss(renderer)
    rng = np.random.default_rng(trainer.step + 1)
    draws = torch.Generator().manual_seed(trainer.step + 1)
    for step in trainer.run(arguments.minutes):
        if step % 200 == 0:
            clips.refresh()
        batch = clips.crop(rng, arguments.batch, arguments.blocks * FRAMES_PER_BLOCK)
        batch = to_device(batch, arguments.device)
        with torch.autocast(torch.device(arguments.device).type, torch.bfloat16):
            loss, logged = objective(batch, draws)
        trainer.descend(loss, **logged)
    if arguments.export:
        renderer.load_state_dict(trainer.average.weights)
        export_half(renderer, arguments.export, config.as_metadata())


def to_device(batch: LatentBatch, device: str) -> LatentBatch:
    """The batch on the training device."""
    moved = {
        field.name: getattr(batch.score, field.name).to(device, non_blocking=True)
        for field in dataclasses.fields(batch.score)
    }
    return LatentBatch(batch.latents.to(device), ScoreBatch(**moved), batch.style.to(device))


if __name__ == "__main__":
    main()

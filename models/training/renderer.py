"""Training of the renderer's flow.

    python -m models.training.renderer --data PREPARED --out FOLDER --minutes 60

With `--start WEIGHTS` training starts from exported weights, such as the shipped ones. With
`--guided` the clips are those of `models.training.guided_latents`, and the network learns to start
from a guide as well; weights without a guide may be its start:

    OMP_NUM_THREADS=1 nice python -m models.training.renderer --guided --threads 1 \\
        --data PREPARED --start FLOW.safetensors --rate 4e-4 --minutes 60 --out FOLDER

Rectified flow (Liu et al. 2023; Lipman et al. 2023) on latents, block-causal with clean context,
after "Live Music Diffusion Models" section 3. Dropped at random are the style (for guidance), parts
of the score for spans of blocks (so that the renderer can play from sketches), density and
brightness (auto), and the guide.

Against exposure bias, which degrades the papers' models over minutes, the context is noised at an
unknown level (as in GameNGen, Valevski et al. 2024, section 3.2.1), and in part replaced by the
network's own predictions (scheduled sampling in parallel form, Mihaylova & Martins 2019), in the
last 40 % of a run. In a tenth of the clips it begins with sound of another clip. Each context is
used for three noisy copies. With `--codec WEIGHTS` half of the error is counted as the codec's
decoder turns it into sound.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from models.runtime.number_format import fastest_format
from models.segue.codec import Codec
from models.segue.renderer.features import UNKNOWN_INSTRUMENT, UNKNOWN_KIT, ScoreBatch
from models.segue.renderer.loading import load_renderer
from models.segue.renderer.network import (
    FRAMES_PER_BLOCK,
    FRAMES_PER_TOKEN,
    TOKENS_PER_BLOCK,
    Renderer,
    RendererConfig,
    flow_start,
    guide_input,
)
from models.training.gpu.shards import open_clips
from models.training.latents import LatentBatch
from models.training.metric import codec_metric
from models.training.trainer import Trainer, export_half

SKETCHES: Final = torch.tensor(
    [
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1],  # chroma and beat
        [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1],  # drums
        [0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0],  # lead
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],  # loudness and brightness at most
    ],
    dtype=torch.bool,
)
"""What a sketch gives of the score: five rolls, five timbres (by PARTS), chroma, beat."""


def drop_score(score: ScoreBatch, rng: torch.Generator, sketches: float = 0.0) -> ScoreBatch:
    """Mask random parts of the score: single rolls (4 %), timbres (8 %), chroma and beat (15 %),
    everything (6 %), for a random span of blocks and anew for those behind it; density and
    brightness (35 %) for the whole clip.

    Args:
        score: of a batch of clips.
        rng: random numbers.
        sketches: share of the spans of which only one of SKETCHES is given.

    """
    size, frames = score.tempo.shape
    device = score.tempo.device

    def draw(columns: int, odds: float) -> Tensor:
        return torch.rand(size, columns, generator=rng) < odds

    def span() -> Tensor:
        hidden = torch.cat([draw(5, 0.04), draw(5, 0.08), draw(2, 0.15)], dim=1) | draw(1, 0.06)
        sketch = SKETCHES[torch.randint(len(SKETCHES), (size,), generator=rng)]
        return torch.where(draw(1, sketches), ~sketch, hidden)

    blocks = frames // FRAMES_PER_BLOCK
    # Half of the clips have one span, the others two.
    cut = torch.randint(1, 2 * blocks + 1, (size, 1), generator=rng) * FRAMES_PER_BLOCK
    first = (torch.arange(frames) < cut)[..., None]
    hidden = torch.where(first, span()[:, None], span()[:, None]).to(device)
    known = (~hidden).float()
    timbre = hidden[..., 5:10]
    nan = float("nan")
    return dataclasses.replace(
        score,
        known=known,
        kit=score.kit.masked_fill(timbre[..., 0], UNKNOWN_KIT),
        instruments=score.instruments.masked_fill(timbre[..., 1:], UNKNOWN_INSTRUMENT),
        density=score.density.masked_fill(draw(1, 0.35).to(device), nan),
        brightness=score.brightness.masked_fill(draw(1, 0.35).to(device), nan),
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


def foreign_context(
    context: Tensor, rng: torch.Generator, odds: float = 0.1
) -> tuple[Tensor, Tensor]:
    """Context (B, T, 2 D) with sound from elsewhere, as where the performer plays in or a file is
    continued: in a share of the clips another clip's blocks up to a random one.

    Returns:
        The context, and (B, T) 1 where it is foreign.

    """
    size, time, _ = context.shape
    blocks = time // TOKENS_PER_BLOCK
    chosen = torch.rand(size, 1, generator=rng) < odds
    cut = torch.randint(1, blocks + 1, (size, 1), generator=rng) * TOKENS_PER_BLOCK
    foreign = (chosen & (torch.arange(time) < cut)).to(context.device)
    return torch.where(foreign[..., None], context.roll(1, dims=0), context), foreign.float()


def draw_context(size: int, window: int, rng: torch.Generator) -> Tensor:
    """Random limits (B,) of the context in blocks: none (20 %), one to six (40 %), all; a renderer
    that always has context learns to copy it and ignores the score.
    """
    kind = torch.rand(size, generator=rng)
    one_to_six = torch.randint(1, 7, (size,), generator=rng)
    max_context = torch.where(kind < 0.6, one_to_six, window)
    return max_context.masked_fill(kind < 0.2, 0)


def draw_sigma(size: int, rng: torch.Generator) -> Tensor:
    """Random noise (B,) at the flow's start: no guide (20 %), or 0.15 to 2, even in its log."""
    spread = torch.empty(size).uniform_(math.log(0.15), math.log(2.0), generator=rng).exp()
    return spread.masked_fill(torch.rand(size, generator=rng) < 0.2, math.inf)


def vary_guide(guide: Tensor, rng: torch.Generator) -> Tensor:
    """Guide tokens (B, T, 2 D) as a microphone might have them: with noise of its own (a third of
    the clips), and each number of a latent louder or softer (a third).
    """
    size, _, width = guide.shape
    noisy, coloured = (torch.rand(size, 1, 1, generator=rng) < 1 / 3 for _ in range(2))
    amount = 0.5 * torch.rand(size, 1, 1, generator=rng) * noisy
    colour = 1 + 0.2 * torch.randn(size, 1, width // 2, generator=rng) * coloured
    noise = torch.randn(guide.shape, generator=rng)
    device = guide.device
    return guide * colour.repeat(1, 1, 2).to(device) + (amount * noise).to(device)


OWN_CONTEXT: Final = 0.35
"""Share of batches whose context is in part the network's own prediction."""
OWN_FROM: Final = 0.6
"""Share of a run before which there are none: a pass more, for predictions that are poor yet."""
COPIES: Final = 3
"""Noisy copies beside one context: the context's tokens are a pass's half otherwise."""


def own_context_share(progress: float) -> float:
    """Share of batches with own predictions when so much of a run is over, 0 to 1."""
    return OWN_CONTEXT if progress >= OWN_FROM else 0.0


class FlowLoss(nn.Module):
    """Flow-matching loss of a renderer. A guided network's flow starts at the guide and noise in
    most clips.

    Args:
        renderer: the network.
        own_context: share of batches with own predictions in the context.
        copies: noisy copies beside each context, at levels and with noise of their own.
        metric: of the codec (`codec_metric`), (D, D); with it half of the error is counted as the
            decoder hears it. None for the plain error.

    """

    root: Tensor | None

    def __init__(
        self,
        renderer: Renderer,
        own_context: float = OWN_CONTEXT,
        copies: int = COPIES,
        metric: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.renderer = renderer
        self.own_context = own_context
        self.copies = copies
        root = None if metric is None else torch.linalg.cholesky(metric)
        self.register_buffer("root", root, persistent=False)

    def forward(self, batch: LatentBatch, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        size, frames, dim = batch.latents.shape
        device = batch.latents.device
        clean = batch.latents.reshape(size, frames // FRAMES_PER_TOKEN, FRAMES_PER_TOKEN * dim)
        blocks = frames // FRAMES_PER_BLOCK
        guide, sigma = self._guide(batch, clean, rng)
        guided = self.renderer.config.guided and batch.guide is not None
        score = drop_score(batch.score, rng, 0.25 if guided else 0.0)
        given = guide_input(guide, sigma) if guided else None
        style = batch.style + 0.04 * torch.randn(batch.style.shape, generator=rng).to(device)
        has_style = (torch.rand(size, generator=rng) > 0.1).float().to(device)
        unguided = torch.ones(size, device=device)
        max_context = draw_context(size, self.renderer.config.window, rng).to(device)

        def noised(level: Tensor) -> Tensor:
            copies = level.shape[1] // blocks
            target = clean.repeat(1, copies, 1)
            noise = torch.randn(target.shape, generator=rng).to(device)
            start = flow_start(guide.repeat(1, copies, 1), sigma.repeat(1, copies), noise)
            per_token = level.repeat_interleave(TOKENS_PER_BLOCK, dim=1)[..., None]
            return (1 - per_token) * start + per_token * target

        own_prediction = None
        if float(torch.rand(1, generator=rng)) < self.own_context:
            with torch.no_grad():
                zero = torch.zeros(size, blocks, device=device)
                context = corrupt_context(clean, None, rng)
                own_prediction = self.renderer(
                    context,
                    noised(zero),
                    zero,
                    score,
                    style,
                    has_style,
                    unguided,
                    max_context,
                    given,
                ).to(clean.dtype)
        context = corrupt_context(clean, own_prediction, rng)
        context, foreign = foreign_context(context, rng)
        copies = self.copies
        level = noise_levels(size, copies * blocks, rng).to(device)
        noisy = noised(level)
        told = None if given is None else given.repeat(1, copies, 1)
        predicted = self.renderer(
            context, noisy, level, score, style, has_style, unguided, max_context, told
        )
        error = self._error(predicted.float() - clean.repeat(1, copies, 1))
        per_token = level.repeat_interleave(TOKENS_PER_BLOCK, dim=1)
        # Error of the velocity, (x - x')^2 / (1 - t)^2, bounded near t = 1.
        weight = 1.0 / (1.0 - per_token).clamp(min=0.3).square()
        # Beside foreign sound there is no right answer but behind it.
        counts = 1.0 - foreign.repeat(1, copies)
        loss = (error * weight * counts).sum() / counts.sum().clamp(min=1.0)
        start = per_token == 0
        first = float(error.detach()[start].mean()) if start.any() else float("nan")
        return loss, {"one_step": first}

    def _error(self, difference: Tensor) -> Tensor:
        """Squared error of each token, (B, n), from differences (B, n, 2 D)."""
        plain = difference.square().mean(dim=-1)
        if self.root is None:
            return plain
        frames = difference.unflatten(-1, (FRAMES_PER_TOKEN, -1)) @ self.root
        return 0.5 * (plain + frames.square().mean(dim=(-2, -1)))

    def _guide(
        self, batch: LatentBatch, clean: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Guide tokens (B, T, 2 D) and sigma (B, T); infinite where there is no guide."""
        size, tokens, _ = clean.shape
        if batch.guide is None or not self.renderer.config.guided:
            none = torch.full((size, tokens), math.inf, device=clean.device)
            return torch.zeros_like(clean), none
        sigma = draw_sigma(size, rng).to(clean.device)[:, None].expand(size, tokens)
        return vary_guide(batch.guide.reshape(clean.shape), rng), sigma


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
    parser.add_argument("--guided", action="store_true", help="learn to start from a guide")
    parser.add_argument("--start", type=Path, default=None, help="weights to begin with")
    parser.add_argument("--codec", type=Path, default=None, help="count errors as it decodes them")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    clips = open_clips(arguments.data, arguments.device)
    if not len(clips):
        parser.error(f"no prepared clips: run models.training.latents --out {arguments.data}")
    if arguments.guided and not clips.guided:
        parser.error("the clips have no guides: make them with models.training.guided_latents")
    config = RendererConfig(latent_dim=clips.latent_dim, guided=int(arguments.guided))
    renderer = Renderer(config)
    if arguments.start:
        weights = load_renderer(arguments.start, "cpu").state_dict()
        renderer.load_state_dict(renderer.state_dict() | weights)
    number_format = fastest_format(arguments.device, min(5.0, 6.0 * arguments.minutes))
    print(f"matrix products in {number_format}")
    renderer.to(arguments.device).requires_grad_(True).train()
    trainer = Trainer(renderer, arguments.out, arguments.rate, arguments.steps)
    metric = None
    if arguments.codec:
        crops = clips.crop(np.random.default_rng(0), 8, FRAMES_PER_BLOCK)
        metric = codec_metric(Codec.load(arguments.codec).network, crops.latents.cpu())
    objective = FlowLoss(renderer, metric=metric).to(arguments.device)
    rng = np.random.default_rng(trainer.step + 1)
    draws = torch.Generator().manual_seed(trainer.step + 1)
    for step in trainer.run(arguments.minutes):
        if step % 200 == 0:
            clips.refresh()
        objective.own_context = own_context_share(trainer.progress)
        batch = clips.crop(rng, arguments.batch, arguments.blocks * FRAMES_PER_BLOCK)
        batch = to_device(batch, arguments.device)
        kind = torch.device(arguments.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=number_format == torch.bfloat16):
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
    guide = None if batch.guide is None else batch.guide.to(device)
    return LatentBatch(batch.latents.to(device), ScoreBatch(**moved), batch.style.to(device), guide)


if __name__ == "__main__":
    main()

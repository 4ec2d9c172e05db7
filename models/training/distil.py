"""Distillation of the flow into few steps, with guidance as an input.

    python -m models.training.distil --data PREPARED --teacher FLOW --out FOLDER --minutes 20

The teacher integrates its flow in several Euler steps with classifier-free guidance (Ho & Salimans
2022) at a weight drawn per clip; the student must predict the result in one step from the same
noise, given the weight as an input (guidance distillation, Meng et al. 2023, section 3). Part of
the context is replaced by the student's own output, so that it learns to continue itself: the
parallel form of the papers' self-forced rollouts. In `--alone` of the batches the whole clip is the
student's own, played from the prompts alone. What it hears of itself is played by its averaged
weights (the target network of consistency models, Song et al. 2023, section 5). The loss is the
music-aware one of "Data-Free Streaming Consistency Distillation": latent, plus spectral along time,
plus temporal difference. The exported file says how it is to be played.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from models.runtime.number_format import fastest_format
from models.segue.renderer.features import ScoreBatch
from models.segue.renderer.network import (
    FRAMES_PER_BLOCK,
    FRAMES_PER_TOKEN,
    TOKENS_PER_BLOCK,
    Renderer,
    RendererConfig,
)
from models.segue.renderer.sampler import GuidanceInput, Sampler
from models.training.arc.rollout import Prompts, roll_out
from models.training.gpu.shards import open_clips
from models.training.latents import LatentBatch
from models.training.renderer import corrupt_context, drop_score, to_device
from models.training.trainer import Trainer, export_half

SAMPLER: Final = Sampler((0.0, 0.5), "euler", GuidanceInput(1.0, 1.5, 3.0))
"""How the student is to be sampled, which its file says: the levels from which it learns to reach
the end in one step, and the guidance weights that it learns (1 is the unguided model)."""

REFRESH: Final = 8
"""Steps after which the averaged weights that the student hears itself with are renewed."""


def music_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Loss of tokens (B, T, 2 D): latents, their spectrum along time, their temporal difference."""
    size, time, width = predicted.shape
    frames = time * FRAMES_PER_TOKEN
    a = predicted.float().reshape(size, frames, width // FRAMES_PER_TOKEN)
    b = target.float().reshape(size, frames, width // FRAMES_PER_TOKEN)
    latent = _huber(a - b).mean()
    step = _huber((a[:, 1:] - a[:, :-1]) - (b[:, 1:] - b[:, :-1])).mean()
    spectrum = torch.fft.rfft(a, dim=1).abs() - torch.fft.rfft(b, dim=1).abs()
    return latent + 0.25 * step + 0.25 * _huber(spectrum / frames**0.5).mean()


def _huber(error: Tensor, width: float = 0.3) -> Tensor:
    """Pseudo-Huber loss, as in improved consistency training (Song & Dhariwal 2024)."""
    return (error.square() + width**2).sqrt() - width


class Distillation:
    """Distillation targets of a frozen teacher, and the student's loss."""

    def __init__(self, teacher: Renderer, steps: int = 4, average: Renderer | None = None) -> None:
        self.teacher = teacher
        self.average = average
        self.steps = steps
        assert SAMPLER.guidance is not None
        self.weights = (SAMPLER.guidance.least, SAMPLER.guidance.most)

    @torch.no_grad()
    def target(
        self,
        context: Tensor,
        noisy: Tensor,
        start: Tensor,
        score: ScoreBatch,
        style: Tensor,
        weight: Tensor,
    ) -> Tensor:
        """End of the teacher's guided flow from `noisy` at levels `start` (B, N), in equal
        steps.
        """
        size = len(style)
        given, no_style = torch.ones_like(weight), torch.zeros_like(weight)
        unguided = torch.ones_like(weight)
        x = noisy
        for index in range(self.steps):
            level = start + (1.0 - start) * index / self.steps
            next_levels = start + (1.0 - start) * (index + 1) / self.steps
            with_style = self.teacher(context, x, level, score, style, given, unguided)
            without = self.teacher(context, x, level, score, style, no_style, unguided)
            strength = weight.view(size, 1, 1)
            clean = without + strength * (with_style - without)
            this_level = level.repeat_interleave(TOKENS_PER_BLOCK, dim=1)[..., None]
            next_level = next_levels.repeat_interleave(TOKENS_PER_BLOCK, dim=1)[..., None]
            # Euler step on the straight path from x to the estimate at level 1.
            x = x + (clean.float() - x) * ((next_level - this_level) / (1.0 - this_level))
        return x

    def loss(
        self, student: Renderer, batch: LatentBatch, rng: torch.Generator, alone: bool = False
    ) -> Tensor:
        """The student's error on one batch, or where it plays `alone` on its prompts only."""
        heard = self.average or student
        size, frames, dim = batch.latents.shape
        clean = batch.latents.reshape(size, frames // FRAMES_PER_TOKEN, FRAMES_PER_TOKEN * dim)
        blocks = frames // FRAMES_PER_BLOCK
        device = clean.device
        score = drop_score(batch.score, rng)
        style = batch.style + 0.04 * torch.randn(batch.style.shape, generator=rng).to(device)
        least, most = self.weights
        weight = (least + (most - least) * torch.rand(size, generator=rng)).to(device)
        given = torch.ones_like(weight)
        if alone:
            prompts, passes = Prompts(score, style, weight), len(SAMPLER.levels)
            clean = roll_out(heard, clean[:, :0], prompts, blocks, passes, rng).tokens
        starts = torch.tensor(SAMPLER.levels)
        start = starts[torch.randint(len(starts), (size, blocks), generator=rng)]
        start = start.to(device)
        per_token = start.repeat_interleave(TOKENS_PER_BLOCK, dim=1)[..., None]
        noise = torch.randn(clean.shape, generator=rng).to(device)
        with torch.no_grad():
            zero = torch.zeros_like(start)
            context = corrupt_context(clean, None, rng)
            own_prediction = heard(context, noise, zero, score, style, given, weight).float()
            context = corrupt_context(clean, own_prediction, rng)
        # Half of the second steps start from the student's own first step, as in inference.
        use_own = (torch.rand(size, 1, 1, generator=rng) < 0.5).to(device)
        base = torch.where(use_own, own_prediction, clean)
        # The same noise, since in inference both steps are on one path.
        noisy = (1 - per_token) * noise + per_token * base
        target = self.target(context, noisy, start, score, style, weight)
        predicted = student(context, noisy, start, score, style, given, weight)
        return music_loss(predicted, target)


def load_average(folder: Path) -> Renderer:
    """The averaged weights of a flow run."""
    saved = load_file(folder / "state.safetensors")
    weights = {k[8:]: v for k, v in saved.items() if k.startswith("average.")}
    latent_dim = weights["out.weight"].shape[0] // FRAMES_PER_TOKEN
    renderer = Renderer(RendererConfig(latent_dim=latent_dim))
    renderer.load_state_dict(weights)
    return renderer


def main() -> None:
    """Command line of the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of training.latents")
    parser.add_argument("--teacher", type=Path, required=True, help="folder of training.renderer")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=6)
    parser.add_argument("--blocks", type=int, default=40)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--alone", type=float, default=0.2, help="share of batches without clips")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--export", type=Path, default=None)
    arguments = parser.parse_args()
    clips = open_clips(arguments.data, arguments.device)
    if not len(clips):
        parser.error(f"no prepared clips: run models.training.latents --out {arguments.data}")
    teacher = load_average(arguments.teacher).to(arguments.device).eval().requires_grad_(False)
    student = load_average(arguments.teacher).to(arguments.device)
    trainer = Trainer(student, arguments.out, arguments.rate, arguments.steps, decay=0.99)
    average = load_average(arguments.teacher).to(arguments.device).eval().requires_grad_(False)
    distillation = Distillation(teacher, average=average)
    rng = np.random.default_rng(trainer.step + 11)
    draws = torch.Generator().manual_seed(trainer.step + 11)
    kind = torch.device(arguments.device).type
    half = fastest_format(arguments.device, min(5.0, 6.0 * arguments.minutes)) == torch.bfloat16
    for step in trainer.run(arguments.minutes):
        if step % REFRESH == 0:
            average.load_state_dict(trainer.average.weights)
        alone = bool(rng.random() < arguments.alone)
        batch = clips.crop(rng, arguments.batch, arguments.blocks * FRAMES_PER_BLOCK)
        batch = to_device(batch, arguments.device)
        with torch.autocast(kind, torch.bfloat16, enabled=half):
            loss = distillation.loss(student, batch, draws, alone)
        trainer.descend(loss)
    if arguments.export:
        student.load_state_dict(trainer.average.weights)
        metadata = {**student.config.as_metadata(), **SAMPLER.as_metadata()}
        export_half(student, arguments.export, metadata)


if __name__ == "__main__":
    main()

"""Training of a guide into weights of few passes, such as the shipped renderer's.

    OMP_NUM_THREADS=1 nice python -m models.training.guided_student --threads 1 \\
        --data GUIDED --out FOLDER --minutes 120 --guide resources/weights/guide.safetensors

With `--start resources/weights/guide.safetensors` it goes on from a guide that was learned before.

The network begins as the shipped one and learns to start at the latents of a guide and noise
(FlowDec, Welker et al. 2025, section 3): from there, and from half of the way to the end, it must
reach the corpus' latents in one step. Half of the second steps start from its own first step, as in
inference. The loss is that of `models.training.distil`. A quarter of the batches have no guide, and
there the shipped network is the target, so that without a guide the sound stays what it is.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from models.runtime.number_format import fastest_format
from models.segue.renderer.guide_weights import with_guide, write_guide
from models.segue.renderer.loading import load_renderer, load_sampler
from models.segue.renderer.network import (
    FRAMES_PER_BLOCK,
    FRAMES_PER_TOKEN,
    TOKENS_PER_BLOCK,
    Renderer,
    flow_start,
    guide_input,
)
from models.segue.renderer.sampler import Sampler
from models.storage.weights import WEIGHTS
from models.training.distil import music_loss
from models.training.gpu.shards import open_clips
from models.training.latents import LatentBatch
from models.training.renderer import (
    corrupt_context,
    draw_context,
    draw_sigma,
    drop_score,
    foreign_context,
    to_device,
    vary_guide,
)
from models.training.trainer import Trainer, export_half

FREE: Final = 0.25
"""Share of batches without a guide."""
OWN: Final = 0.5
"""Share of batches in which context and second starts are in part the student's own first step."""
HIDDEN: Final = 0.15
"""Share of clips whose score is a sketch only."""


class GuidedStudentLoss(nn.Module):
    """Loss of a guided student on one batch; base: the network that it began as."""

    def __init__(self, student: Renderer, base: Renderer, sampler: Sampler) -> None:
        super().__init__()
        self.student = student
        self.base = [base.eval().requires_grad_(False)]  # in a list, so that it is not trained
        self.levels = torch.tensor(sampler.levels)
        known = sampler.guidance
        self.weights = (1.0, 1.0) if known is None else (known.least, known.most)

    def forward(self, batch: LatentBatch, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        size, frames, dim = batch.latents.shape
        if batch.guide is None:
            raise ValueError("the clips have no guides")
        device = batch.latents.device
        clean = batch.latents.reshape(size, frames // FRAMES_PER_TOKEN, FRAMES_PER_TOKEN * dim)
        guide = vary_guide(batch.guide.reshape(clean.shape), rng)
        blocks, tokens = frames // FRAMES_PER_BLOCK, clean.shape[1]
        free = float(torch.rand(1, generator=rng)) < FREE
        own = float(torch.rand(1, generator=rng)) < OWN
        sigma = draw_sigma(size, rng).to(device)
        if free:
            sigma = torch.full_like(sigma, torch.inf)
        sigma = sigma[:, None].expand(size, tokens)
        told = guide_input(guide, sigma)
        score = drop_score(batch.score, rng, HIDDEN)
        style = batch.style + 0.04 * torch.randn(batch.style.shape, generator=rng).to(device)
        given = torch.ones(size, device=device)
        least, most = self.weights
        weight = (least + (most - least) * torch.rand(size, generator=rng)).to(device)
        limit = draw_context(size, self.student.config.window, rng).to(device)
        start = flow_start(guide, sigma, torch.randn(clean.shape, generator=rng).to(device))
        reached, context = clean, corrupt_context(clean, None, rng)
        if own:
            with torch.no_grad():
                zero = torch.zeros(size, blocks, device=device)
                guess = self.student(
                    context, start, zero, score, style, given, weight, limit, told
                ).float()
            context = corrupt_context(clean, guess, rng)
            reached = guess
        context, foreign = foreign_context(context, rng)
        drawn = torch.randint(len(self.levels), (size, blocks), generator=rng)
        level = self.levels[drawn].to(device)
        share = level.repeat_interleave(TOKENS_PER_BLOCK, dim=1)[..., None]
        noisy = (1.0 - share) * start + share * reached
        predicted = self.student(context, noisy, level, score, style, given, weight, limit, told)
        target = clean
        if free:
            with torch.no_grad():
                target = self.base[0](context, noisy, level, score, style, given, weight, limit)
        # Beside foreign sound there is no right answer but behind it.
        counts = (1.0 - foreign)[..., None]
        loss = music_loss(predicted.float() * counts, target.float() * counts)
        error = float((predicted.detach().float() - target).square().mean())
        return loss, {"free" if free else "guided": error}


def main() -> None:
    """Command line of the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="of models.training.guided_latents"
    )
    parser.add_argument("--out", type=Path, required=True, help="checkpoints and curve")
    parser.add_argument("--base", type=Path, default=WEIGHTS / "renderer.safetensors")
    parser.add_argument("--start", type=Path, default=None, help="guide file to go on from")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--blocks", type=int, default=40, help="blocks of 240 ms in a crop")
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch's choice")
    parser.add_argument("--export", type=Path, default=None, help="weights to be written, whole")
    parser.add_argument(
        "--guide", type=Path, default=None, help="to be written: what was learned beyond the base"
    )
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    clips = open_clips(arguments.data, arguments.device)
    if not len(clips) or not clips.guided:
        parser.error("make clips with guides first: python -m models.training.guided_latents")
    base, sampler = load_renderer(arguments.base), load_sampler(arguments.base)
    if arguments.start:
        student = with_guide(arguments.base, base, arguments.start).requires_grad_(True)
    else:
        student = Renderer(dataclasses.replace(base.config, guided=1))
        student.load_state_dict(student.state_dict() | base.state_dict())
    student.to(arguments.device).train()
    trainer = Trainer(student, arguments.out, arguments.rate, arguments.steps, decay=0.995)
    objective = GuidedStudentLoss(student, base.to(arguments.device), sampler)
    rng = np.random.default_rng(trainer.step + 1)
    draws = torch.Generator().manual_seed(trainer.step + 1)
    number_format = fastest_format(arguments.device)
    kind = torch.device(arguments.device).type
    for step in trainer.run(arguments.minutes):
        if step % 200 == 0:
            clips.refresh()
        batch = clips.crop(rng, arguments.batch, arguments.blocks * FRAMES_PER_BLOCK)
        batch = to_device(batch, arguments.device)
        with torch.autocast(kind, torch.bfloat16, enabled=number_format == torch.bfloat16):
            loss, logged = objective(batch, draws)
        trainer.descend(loss, **logged)
    student.load_state_dict(trainer.average.weights)
    if arguments.guide:
        write_guide(arguments.base, base, student, arguments.guide)
    if arguments.export:
        metadata = {**student.config.as_metadata(), **sampler.as_metadata()}
        export_half(student, arguments.export, metadata)


if __name__ == "__main__":
    main()

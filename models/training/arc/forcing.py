"""ARC-Forcing: adversarial training of a renderer on its own rollouts.

    python -m models.training.arc.forcing --data PREPARED --start WEIGHTS --out FOLDER --minutes 8

After "Live Music Diffusion Models" (section on ARC-Forcing): the network plays a dozen blocks after
its own blocks, in one to five passes each; a discriminator compares them with the real clip of the
same prompt (relativistic loss) and learns to tell right prompts from swapped ones (contrastive
loss). `--start` takes exported weights, such as those of `models.training.distil`. In the first
`--frozen` steps only the discriminator's head learns. Network and discriminator step together.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.func import functional_call

from models.runtime.number_format import fastest_format
from models.segue.renderer.features import ScoreBatch
from models.segue.renderer.loading import load_renderer
from models.segue.renderer.network import (
    FRAMES_PER_BLOCK,
    FRAMES_PER_TOKEN,
    TOKENS_PER_BLOCK,
    Renderer,
)
from models.segue.renderer.sampler import Sampler
from models.training.arc.discriminator import CONTRAST, Discriminator, relativistic
from models.training.arc.rollout import MOST_PASSES, Prompts, last_pass, roll_out
from models.training.gpu.shards import open_clips
from models.training.latents import LatentBatch
from models.training.renderer import to_device
from models.training.trainer import Trainer, export_half

GIVEN: Final = 8
"""At most so many real blocks stand before a rollout."""


class ArcForcing(nn.Module):
    """A renderer, its discriminator, and the sum of their losses."""

    def __init__(self, renderer: Renderer, sampler: Sampler, blocks: int = 12) -> None:
        super().__init__()
        self.renderer = renderer
        self.discriminator = Discriminator(renderer)
        self.blocks = blocks
        guidance = sampler.guidance
        self.weights = (1.0, 1.0) if guidance is None else (guidance.least, guidance.most)

        self.warming = False

    def warm_up(self, warming: bool) -> None:
        """Whether only the discriminator's head learns, before anyone listens to it."""
        self.warming = warming
        for module in (self.renderer, self.discriminator.backbone):
            module.requires_grad_(not warming)

    def forward(self, batch: LatentBatch, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Loss of both on clips of at least GIVEN + `blocks` blocks, and what to log."""
        size, frames, dim = batch.latents.shape
        real = batch.latents.reshape(size, frames // FRAMES_PER_TOKEN, FRAMES_PER_TOKEN * dim)
        given = int(torch.randint(GIVEN + 1, (1,), generator=rng))
        passes = int(torch.randint(1, MOST_PASSES + 1, (1,), generator=rng))
        blocks = given + self.blocks
        tokens = blocks * TOKENS_PER_BLOCK
        real = real[:, :tokens]
        score = cut_score(batch.score, blocks * FRAMES_PER_BLOCK)
        least, most = self.weights
        guidance = (least + (most - least) * torch.rand(size, generator=rng)).to(real.device)
        prompts = Prompts(score, batch.style, guidance)
        first = given * TOKENS_PER_BLOCK
        rollout = roll_out(self.renderer, real[:, :first], prompts, blocks, passes, rng)
        played = rollout.tokens
        if not self.warming:
            own = last_pass(self.renderer, rollout, prompts)
            played = torch.cat([real[:, :first], own], dim=1)
        # The network learns from the discriminator as it is, the discriminator from fixed clips.
        judge = {k: v.detach() for k, v in self.discriminator.named_parameters()}
        asked = (score, batch.style)
        seen = functional_call(self.discriminator, judge, (played, *asked))
        with torch.no_grad():
            of_real = functional_call(self.discriminator, judge, (real, *asked))
        fooling = relativistic(seen, of_real)
        right = self.discriminator(real, *asked)
        telling = relativistic(right, self.discriminator(played.detach(), *asked))
        swap_score = float(torch.rand(1, generator=rng)) < 0.5
        swapped = (swapped_score(score) if swap_score else score, batch.style.roll(1, 0))
        matching = relativistic(right, self.discriminator(real, *swapped))
        logged = {
            "fooling": float(fooling.detach()),
            "telling": float(telling.detach()),
            "matching": float(matching.detach()),
        }
        loss = telling + CONTRAST * matching
        return loss if self.warming else loss + fooling, logged


def cut_score(score: ScoreBatch, frames: int) -> ScoreBatch:
    """The first frames of a batch of scores."""
    return ScoreBatch(**{name: value[:, :frames] for name, value in vars(score).items()})


def swapped_score(score: ScoreBatch) -> ScoreBatch:
    """A batch of scores, each with the next clip's."""
    return ScoreBatch(**{name: value.roll(1, 0) for name, value in vars(score).items()})


def main() -> None:
    """Command line of the stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of training.latents")
    parser.add_argument("--start", type=Path, required=True, help="exported weights to begin with")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=6, help="at least 2, as prompts are swapped")
    parser.add_argument("--blocks", type=int, default=12, help="that a rollout adds")
    parser.add_argument("--rate", type=float, default=2e-5)
    parser.add_argument("--frozen", type=int, default=200, help="first steps of the head alone")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--export", type=Path, default=None)
    arguments = parser.parse_args()
    if arguments.batch < 2:
        parser.error("--batch must be 2 at least: prompts are swapped between clips")
    clips = open_clips(arguments.data, arguments.device)
    if not len(clips):
        parser.error(f"no prepared clips: run models.training.latents --out {arguments.data}")
    with safe_open(arguments.start, "pt") as file:
        sampler = Sampler.from_metadata(file.metadata() or {})
    renderer = load_renderer(arguments.start, "cpu")
    both = ArcForcing(renderer, sampler, arguments.blocks).to(arguments.device).requires_grad_(True)
    trainer = Trainer(both, arguments.out, arguments.rate, arguments.steps, decay=0.99)
    rng = np.random.default_rng(trainer.step + 17)
    draws = torch.Generator().manual_seed(trainer.step + 17)
    kind = torch.device(arguments.device).type
    half = fastest_format(arguments.device) == torch.bfloat16
    frames = (GIVEN + arguments.blocks) * FRAMES_PER_BLOCK
    for step in trainer.run(arguments.minutes):
        both.warm_up(step < arguments.frozen)
        batch = to_device(clips.crop(rng, arguments.batch, frames), arguments.device)
        with torch.autocast(kind, torch.bfloat16, enabled=half):
            loss, logged = both(batch, draws)
        trainer.descend(loss, **logged)
    if arguments.export:
        both.load_state_dict(trainer.average.weights)
        metadata = {**renderer.config.as_metadata(), **sampler.as_metadata()}
        export_half(both.renderer, arguments.export, metadata)


if __name__ == "__main__":
    main()

"""Distillation: the guided teacher's end, and a student that learns towards it."""

from __future__ import annotations

import pytest
import torch

from models.music.score import FrameScore
from models.segue.renderer.features import ScoreBatch, no_age, score_batch
from models.segue.renderer.network import (
    FRAMES_PER_BLOCK,
    TOKENS_PER_BLOCK,
    Renderer,
    RendererConfig,
)
from models.training.distil import SAMPLER, Distillation
from models.training.latents import LatentBatch

SMALL = RendererConfig(
    latent_dim=4, width=24, layers=2, heads=6, hidden=16, score_width=8, window=4
)
BLOCKS = 5


def network(seed: int) -> Renderer:
    torch.manual_seed(seed)
    made = Renderer(SMALL)
    for parameter in made.parameters():
        if not parameter.abs().sum():
            torch.nn.init.normal_(parameter, std=0.2)
    return made


def score() -> ScoreBatch:
    return score_batch(FrameScore.silent(BLOCKS * FRAMES_PER_BLOCK), no_age())[0]


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_the_target_is_the_end_of_the_teacher_s_guided_flow(weight: float) -> None:
    teacher, steps = network(1).eval(), 3
    size = (1, BLOCKS * TOKENS_PER_BLOCK, 2 * SMALL.latent_dim)
    context, noise = torch.randn(size), torch.randn(size)
    style, one = torch.randn(1, 128), torch.ones(1)
    start = torch.zeros(1, BLOCKS)
    with torch.no_grad():
        found = Distillation(teacher, steps).target(
            context, noise, start, score(), style, torch.tensor([weight])
        )
        x = noise
        for index in range(steps):
            level = torch.full((1, BLOCKS), index / steps)
            told = teacher(context, x, level, score(), style, one, one)
            untold = teacher(context, x, level, score(), style, 0 * one, one)
            clean = untold + weight * (told - untold)
            x = x + (clean - x) / (steps - index)
    torch.testing.assert_close(found, x, atol=1e-5, rtol=0)


@pytest.mark.parametrize("alone", [False, True])
def test_a_student_comes_nearer_to_the_target(alone: bool) -> None:
    teacher = network(2).eval().requires_grad_(False)
    student = network(3).train()
    batch = LatentBatch(torch.randn(1, BLOCKS * FRAMES_PER_BLOCK, 4), score(), torch.randn(1, 128))
    distillation = Distillation(teacher, 2, average=network(6).eval())
    before = teacher.out.weight.clone()

    def loss() -> torch.Tensor:
        return distillation.loss(student, batch, torch.Generator().manual_seed(5), alone)

    first = float(loss().detach())
    optimiser = torch.optim.Adam(student.parameters(), 3e-3)
    for _ in range(15):
        optimiser.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert float(loss().detach()) < 0.9 * first
    assert torch.equal(before, teacher.out.weight)


def test_alone_a_student_hears_no_clip() -> None:
    distillation, student = Distillation(network(2).eval(), 2), network(3)

    def loss(latents: torch.Tensor, alone: bool) -> float:
        batch = LatentBatch(latents, score(), torch.ones(1, 128))
        draws = torch.Generator().manual_seed(5)
        return float(distillation.loss(student, batch, draws, alone).detach())

    clips = [torch.randn(1, BLOCKS * FRAMES_PER_BLOCK, 4) for _ in range(2)]
    assert loss(clips[0], True) == loss(clips[1], True)
    assert loss(clips[0], False) != loss(clips[1], False)


def test_a_student_is_played_as_it_was_taught() -> None:
    """Each step of play starts at a level from which the student learned to reach the end."""
    assert SAMPLER.solver == "euler", "a step that reaches the end needs no bend"
    assert SAMPLER.guidance is not None
    assert Distillation(network(4)).weights == (SAMPLER.guidance.least, SAMPLER.guidance.most)

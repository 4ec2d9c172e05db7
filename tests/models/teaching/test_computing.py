"""What a lesson computes on, and that all of it is on one device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import torch

from models.errors import SegueError
from models.segue.renderer.features import ScoreBatch, unknown_score
from models.segue.renderer.network import Renderer
from models.teaching.computing import computing
from models.teaching.lesson import KINDS
from models.teaching.low_rank import Pupil
from models.teaching.objective import Draws, LessonBatch, Objective, device_of
from models.teaching.plan import CoursePlan
from tests.models.teaching.test_lesson import CONFIG, FEATURES, SAMPLER

FRAMES = 36
META = torch.device("meta")
"""A device without numbers, which refuses those of another as a card does."""


def batch_and_chance() -> tuple[LessonBatch, Draws]:
    torch.manual_seed(0)
    one, many = unknown_score(FRAMES), len(KINDS)
    score = ScoreBatch(*(torch.cat([getattr(one, f.name)] * many) for f in fields(one)))
    batch = LessonBatch(
        torch.randn(many, FRAMES, 8), score, torch.zeros(many, 128), torch.tensor(KINDS),
        torch.randn(64, 8),
    )  # fmt: skip
    drawn = Draws.of(batch, CONFIG.window, torch.Generator().manual_seed(1))
    blocks = torch.ones(many, drawn.second.shape[1], dtype=torch.bool)
    return batch, replace(drawn, own=blocks)


def loss_on(device: torch.device, change: Callable[[Draws], Draws] = lambda drawn: drawn) -> Pupil:
    batch, drawn = batch_and_chance()
    base = Renderer(CONFIG).to(device)
    pupil = Pupil(base, 4)
    objective = Objective(base, SAMPLER, FEATURES)
    loss, parts = objective.loss(pupil.network, batch.to(device), change(drawn.to(device)))
    loss.backward()  # type: ignore[no-untyped-call]
    assert set(parts) == {"music", "kept", "dressed", "steps", "partials"}
    return pupil


@pytest.mark.parametrize("device", [torch.device("cpu"), META])
def test_a_step_stays_on_its_device(device: torch.device) -> None:
    pupil = loss_on(device)
    assert device_of(pupil.network) == device
    for name, parameter in pupil.parameters.items():
        assert parameter.grad is not None and parameter.grad.device == device, name


@pytest.mark.parametrize("name", ["style", "noise", "guidance", "context_noise", "own_noise"])
def test_what_is_left_on_another_device_is_noticed(name: str) -> None:
    _, drawn = batch_and_chance()
    with pytest.raises(RuntimeError, match="device"):
        loss_on(META, lambda moved: replace(moved, **{name: getattr(drawn, name)}))


def test_the_device_of_a_course(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [("auto", False, "cpu"), ("auto", True, "cuda"), ("cpu", True, "cpu")]
    cases += [("cuda", True, "cuda")]
    for wanted, present, device in cases:
        monkeypatch.setattr(torch.cuda, "is_available", lambda present=present: present)
        on = computing(wanted, 2)
        assert (on.device, on.cores) == (device, 2 if device == "cpu" else 1), wanted
        if device == "cuda":
            assert on.number_format == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SegueError, match="no cuda device"):
        computing("cuda", 2)
    with pytest.raises(SegueError, match="choose from auto, cpu, cuda"):
        CoursePlan("a", ("b",), device="tpu")
    assert CoursePlan("a", ("b",)).device == "auto"

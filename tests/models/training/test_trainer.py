"""Trainer: averaged weights, learning rate; the error as the decoder hears it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from models.segue.codec.autoencoder import Autoencoder, CodecConfig
from models.training.metric import FLOOR, codec_metric
from models.training.renderer import OWN_FROM, own_context_share
from models.training.trainer import EVERY, HOLD, MovingAverage, Trainer


def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def step(trainer: Trainer) -> None:
    trainer.descend(trainer.module(torch.ones(1, 3)).square().sum())


def test_the_average_follows_weights_that_stand_still_as_far_as_with_each_step() -> None:
    module, decay = layer(), 0.5
    average = MovingAverage(module, decay)
    begun = average.weights["weight"].clone()
    with torch.no_grad():
        module.weight.add_(1.0)
    for count in range(1, 4 * EVERY + 1):
        before = average.weights["weight"].clone()
        average.update(module)
        moved = not torch.equal(before, average.weights["weight"])
        assert moved == (count % EVERY == 0)
    left = 1.0 - (average.weights["weight"] - begun)
    torch.testing.assert_close(left, torch.full_like(left, decay ** (4 * EVERY)))


def test_a_checkpoint_has_the_last_steps_in_its_average(tmp_path: Path) -> None:
    trainer = Trainer(layer(), tmp_path, 0.1, 100)
    begun = trainer.average.weights["weight"].clone()
    for _ in range(EVERY - 1):
        step(trainer)
    trainer.save()
    saved = trainer.average.weights["weight"]
    assert not torch.equal(saved, begun)
    again = Trainer(layer(), tmp_path, 0.1, 100)
    torch.testing.assert_close(again.average.weights["weight"], saved)
    step(again)  # completes the eighth, and takes in that one step alone
    once = MovingAverage(again.module, again.average.decay)
    once.weights = {"weight": saved.clone(), "bias": trainer.average.weights["bias"].clone()}
    once.resume(EVERY - 1)
    once.update(again.module)
    torch.testing.assert_close(again.average.weights["weight"], once.weights["weight"])


def test_the_rate_is_held_before_it_decays_and_never_warmed_up_twice(tmp_path: Path) -> None:
    trainer = Trainer(layer(), tmp_path, 1.0, 1000, warmup=10)
    rates = []
    for at in range(1001):
        trainer.step = at
        rates.append(trainer.rate())
    assert rates[0] == pytest.approx(0.1) and rates[9] == pytest.approx(1.0)
    held = round(HOLD * 1000)
    assert rates[10 : held + 1] == [pytest.approx(1.0)] * (held - 9)
    assert all(a > b for a, b in zip(rates[held:], rates[held + 1 :], strict=False))
    assert rates[-1] == pytest.approx(0.05)
    trainer.step = 300
    trainer.save()
    assert Trainer(layer(), tmp_path, 1.0, 1000, warmup=10).rate() == pytest.approx(1.0)


def test_own_predictions_come_late_in_a_run() -> None:
    assert own_context_share(0.0) == own_context_share(OWN_FROM - 0.01) == 0.0
    assert own_context_share(OWN_FROM) == own_context_share(1.0) > 0.0


def test_the_metric_tells_how_much_of_an_error_is_decoded() -> None:
    torch.manual_seed(4)
    network = Autoencoder(CodecConfig(latent=6)).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.05)
    with torch.no_grad():
        network.unproject.weight[:, 0] *= 10.0
    latents = torch.randn(3, 5, 6, dtype=torch.float64)
    metric = codec_metric(network, latents)
    torch.testing.assert_close(metric, metric.T)
    assert float(metric.trace()) == pytest.approx(6.0, rel=1e-4)
    assert float(torch.linalg.eigvalsh(metric).min()) > 0.0

    def heard(error: torch.Tensor) -> float:
        """What a small error of the last frame changes in its patch."""
        start = network.decoder.start(len(latents))
        moved = latents.clone()
        moved[:, -1] += 1e-4 * error
        change = network.decode(moved, start)[0] - network.decode(latents, start)[0]
        return float(change[:, -1].detach().square().sum(-1).mean())

    told, found = [], []
    for error in torch.linalg.eigh(metric).eigenvectors.T:
        told.append(float(error @ metric @ error))
        found.append(heard(error))
    # Beyond the floor the metric is what is decoded, but for one scale.
    scales = (torch.tensor(told) - FLOOR) / torch.tensor(found)
    torch.testing.assert_close(scales, scales.mean().expand(6), rtol=0.02, atol=0.0)
    assert found[-1] > 2 * found[0], "the directions are alike, so that nothing was shown"

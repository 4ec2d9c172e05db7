"""Guided renderer: where its flow starts, what it is told, and how it is trained."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import SegueError
from models.music.score import INSTRUMENTS, KITS, FrameScore
from models.runtime.number_format import fastest_format
from models.segue.renderer.features import ScoreBatch, no_age, score_batch
from models.segue.renderer.guide_weights import SMALL as SMALL_TENSOR
from models.segue.renderer.guide_weights import with_guide, write_guide
from models.segue.renderer.inference import Guide, KeyValueCache, RendererInference
from models.segue.renderer.loading import load_renderer
from models.segue.renderer.network import (
    FRAMES_PER_BLOCK,
    TOKENS_PER_BLOCK,
    Renderer,
    RendererConfig,
    flow_start,
    guide_input,
)
from models.segue.renderer.sampler import Sampler
from models.training.guides import relatives
from models.training.latents import LatentBatch, PreparedClips
from models.training.renderer import FlowLoss, draw_sigma, drop_score, foreign_context
from models.training.trainer import export_half

SMALL = RendererConfig(
    latent_dim=8, width=48, layers=3, heads=6, hidden=64, score_width=32, window=4
)
GUIDED = dataclasses.replace(SMALL, guided=1)
TOKEN = 2 * SMALL.latent_dim
BLOCKS = 5


def network(config: RendererConfig, seed: int = 1) -> Renderer:
    """A network without any zeros, so that everything acts, but a guide that it was not taught."""
    torch.manual_seed(seed)
    made = Renderer(dataclasses.replace(config, guided=0))
    for parameter in made.parameters():
        if not parameter.abs().sum():
            torch.nn.init.normal_(parameter, std=0.1)
    if not config.guided:
        return made.eval()
    guided = Renderer(config)
    guided.load_state_dict(guided.state_dict() | made.state_dict())
    return guided.eval()


def taught(seed: int = 2) -> Renderer:
    made = network(GUIDED, seed)
    torch.nn.init.normal_(made.guide_in.weight, std=0.1)
    return made.eval()


def silent_score(size: int = 1) -> ScoreBatch:
    one = score_batch(FrameScore.silent(BLOCKS * FRAMES_PER_BLOCK), no_age())[0]
    values = {
        field.name: getattr(one, field.name).repeat(
            size, *([1] * (getattr(one, field.name).dim() - 1))
        )
        for field in dataclasses.fields(one)
    }
    return ScoreBatch(**values)


def test_a_network_without_guide_goes_on_to_the_bit() -> None:
    plain, guided = network(SMALL), network(GUIDED)
    noise, clean = (torch.randn(1, BLOCKS * TOKENS_PER_BLOCK, TOKEN) for _ in range(2))
    one, level = torch.ones(1), torch.zeros(1, BLOCKS)
    given = (clean, noise, level, silent_score(), torch.randn(1, 128), one, one)
    with torch.inference_mode():
        expected = plain(*given)
        assert torch.equal(guided(*given), expected)
        absent = torch.full(noise.shape[:2], math.inf)
        none = guide_input(torch.randn(noise.shape), absent)
        assert torch.equal(guided(*given, guide=none), expected)
    assert torch.equal(flow_start(torch.randn(noise.shape), absent, noise), noise)


def test_streaming_with_a_guide_equals_the_masked_pass() -> None:
    renderer = taught()
    clean, noise, guide = (torch.randn(1, BLOCKS * TOKENS_PER_BLOCK, TOKEN) for _ in range(3))
    style, score, one = torch.randn(1, 128), silent_score(), torch.ones(1)
    sigma = torch.tensor([0.2, 0.5, 1.0, 2.0, 0.3]).repeat_interleave(TOKENS_PER_BLOCK)[None]
    with torch.inference_mode():
        start = flow_start(guide, sigma, noise)
        given = guide_input(guide, sigma)
        whole = renderer(clean, start, torch.zeros(1, BLOCKS), score, style, one, one, guide=given)
    cache, player = KeyValueCache(), RendererInference(renderer, Sampler((0.0,)))
    for block in range(BLOCKS):
        span = slice(block * TOKENS_PER_BLOCK, (block + 1) * TOKENS_PER_BLOCK)
        frames = slice(block * FRAMES_PER_BLOCK, (block + 1) * FRAMES_PER_BLOCK)
        told = Guide(guide[0, span], float(sigma[0, span][0]))
        latents, cache = player.block(cache, score[frames], style[0], noise[0, span], guide=told)
        torch.testing.assert_close(
            latents.reshape(TOKENS_PER_BLOCK, TOKEN), whole[0, span], atol=1e-5, rtol=0
        )
        assert cache.finished is not None
        cache = KeyValueCache(cache.blocks, (clean[:, span], cache.finished[1]))


def test_a_network_that_was_not_taught_makes_its_second_pass_from_the_guide() -> None:
    renderer, one = network(SMALL), torch.ones(1)
    player = RendererInference(renderer, Sampler((0.0, 0.5), "euler"))
    clean, noise, guide = (torch.randn(1, 2 * TOKENS_PER_BLOCK, TOKEN) for _ in range(3))
    style, score = torch.randn(1, 128), silent_score()[slice(0, 2 * FRAMES_PER_BLOCK)]
    last, frames = slice(TOKENS_PER_BLOCK, None), slice(FRAMES_PER_BLOCK, None)
    first_frames = score[slice(0, FRAMES_PER_BLOCK)]

    def played(given: Guide | None) -> torch.Tensor:
        cache = player.listen(KeyValueCache(), first_frames, clean[0, :TOKENS_PER_BLOCK])
        made, _ = player.block(cache, score[frames], style[0], noise[0, last], guide=given)
        return made.reshape(TOKENS_PER_BLOCK, TOKEN)

    with torch.inference_mode():
        start, level = 0.5 * guide + 0.5 * noise, torch.full((1, 2), 0.5)
        whole = renderer(clean, start, level, score, style, one, one)[0, last]
    torch.testing.assert_close(played(Guide(guide[0, last], 1.0)), whole, atol=1e-5, rtol=0)
    assert torch.equal(played(Guide(guide[0, last], math.inf)), played(None))
    near, far = (played(Guide(guide[0, last], sigma)) for sigma in (1.2, 12.0))
    assert (near - whole).norm() < (far - whole).norm()


def test_a_network_with_one_pass_that_was_not_taught_refuses_a_guide() -> None:
    player = RendererInference(network(SMALL), Sampler((0.0,)))
    noise = torch.randn(TOKENS_PER_BLOCK, TOKEN)
    score = silent_score()[slice(0, FRAMES_PER_BLOCK)]
    with pytest.raises(ValueError, match="not trained with a guide"):
        player.block(KeyValueCache(), score, None, noise, guide=Guide(noise, 0.5))


def test_weights_keep_that_they_take_a_guide(tmp_path: Path) -> None:
    export_half(taught(), tmp_path / "r.safetensors", GUIDED.as_metadata())
    assert load_renderer(tmp_path / "r.safetensors").config == GUIDED
    export_half(network(SMALL), tmp_path / "p.safetensors", SMALL.as_metadata())
    assert load_renderer(tmp_path / "p.safetensors").config == SMALL


def test_a_guide_s_weights_are_a_difference_to_the_network_they_began_as(tmp_path: Path) -> None:
    base, file = tmp_path / "r.safetensors", tmp_path / "g.safetensors"
    export_half(network(SMALL), base, SMALL.as_metadata())
    before = load_renderer(base)
    after = Renderer(GUIDED)
    after.load_state_dict(after.state_dict() | before.state_dict())
    torch.manual_seed(5)
    for parameter in after.parameters():
        parameter.data += 0.02 * torch.randn(parameter.shape)
    write_guide(base, before, after, file)
    found = with_guide(base, before, file)
    assert found.config == GUIDED
    known, true, made = (each.state_dict() for each in (before, after, found))
    for name, value in true.items():
        error = (made[name] - value).norm()
        whole = value.dim() != 2 or value.numel() < SMALL_TENSOR or name not in known
        assert (
            error <= 1e-3 * value.norm() if whole else error < 0.25 * (value - known[name]).norm()
        )
    assert file.stat().st_size < 0.6 * base.stat().st_size

    export_half(network(SMALL, seed=8), base, SMALL.as_metadata())
    with pytest.raises(SegueError, match="does not belong to r.safetensors"):
        with_guide(base, load_renderer(base), file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(SegueError, match="damaged: restore the file"):
        with_guide(base, before, file)


def test_training_learns_to_use_a_guide() -> None:
    """Where the guide is the music itself, less is left to be guessed after some steps."""
    renderer = network(GUIDED).train()
    rng = torch.Generator().manual_seed(3)
    loss = FlowLoss(renderer, own_context=0.0)

    def batch() -> LatentBatch:
        latents = torch.randn(4, BLOCKS * FRAMES_PER_BLOCK, SMALL.latent_dim, generator=rng)
        return LatentBatch(latents, silent_score(4), torch.zeros(4, 128), latents)

    optimiser = torch.optim.Adam(renderer.parameters(), 3e-3)
    values = []
    for _ in range(60):
        optimiser.zero_grad()
        value, _ = loss(batch(), rng)
        value.backward()
        optimiser.step()
        values.append(float(value.detach()))
    assert renderer.guide_in.weight.abs().sum() > 0
    assert np.mean(values[-10:]) < 0.8 * np.mean(values[:10])


def test_sketches_give_only_what_they_name() -> None:
    rng = torch.Generator().manual_seed(1)
    score = drop_score(silent_score(64), rng, sketches=1.0)
    rows = {tuple(row) for row in score.known.reshape(-1, 12).int().tolist()}
    assert rows == {
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1),
        (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1),
        (0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0),
        (0,) * 12,
    }
    spans = (score.known[:, 1:] != score.known[:, :-1]).any(-1).sum(1)
    assert set(spans.tolist()) == {0, 1}
    changes = (score.known[:, 1:] != score.known[:, :-1]).any(-1).nonzero()[:, 1] + 1
    assert (changes % FRAMES_PER_BLOCK == 0).all()


def test_foreign_sound_begins_a_tenth_of_the_contexts() -> None:
    clean = torch.arange(4000.0)[:, None, None].expand(4000, BLOCKS * TOKENS_PER_BLOCK, 2)
    context, foreign = foreign_context(clean, torch.Generator().manual_seed(1))
    share = float(foreign.any(dim=1).float().mean())
    assert share == pytest.approx(0.1, abs=0.02)
    assert torch.equal(context != clean, (foreign > 0)[..., None].expand_as(clean))
    lengths = foreign.sum(dim=1)
    assert ((lengths % TOKENS_PER_BLOCK) == 0).all(), "whole blocks"
    assert (foreign[:, 1:] <= foreign[:, :-1]).all(), "from the beginning on"


def test_a_fifth_of_the_clips_has_no_guide() -> None:
    sigma = draw_sigma(4000, torch.Generator().manual_seed(1))
    absent = torch.isinf(sigma)
    assert float(absent.float().mean()) == pytest.approx(0.2, abs=0.03)
    assert float(sigma[~absent].min()) >= 0.15 and float(sigma[~absent].max()) <= 2.0


def test_clips_without_guides_are_read_as_before(tmp_path: Path) -> None:
    rows = {"latents": np.zeros((12, 8), np.float16), "style": np.zeros(128, np.float16)}
    score = silent_score()
    for field in dataclasses.fields(score):
        if field.name != "known":
            rows[field.name] = getattr(score, field.name)[0, :12].numpy()
    for name in ("drums", "sustain", "chroma"):
        rows[name] = rows[name].astype(np.uint8)
    np.savez(tmp_path / "000000.npz", **rows)  # type: ignore[arg-type]
    draws = np.random.default_rng(1)
    assert PreparedClips(tmp_path).crop(draws, 2, 6).guide is None
    rows["guide"] = np.ones((12, 8), np.float16)
    np.savez(tmp_path / "000000.npz", **rows)  # type: ignore[arg-type]
    guide = PreparedClips(tmp_path).crop(draws, 2, 6).guide
    assert guide is not None
    assert guide.shape == (2, 6, 8)


@pytest.mark.parametrize(
    ("sound", "drums", "other", "stranger"),
    [
        ("acoustic_bass", False, "precision_bass", "synth_pad"),
        ("rock", True, "jazz", "rock"),
    ],
)
def test_another_instrument_is_of_the_same_family(
    sound: str, drums: bool, other: str, stranger: str
) -> None:
    found = relatives(sound, drums)
    assert other in found
    assert stranger not in found
    assert sound not in found


def test_every_instrument_and_kit_has_its_own_relatives() -> None:
    for sound in INSTRUMENTS:
        if sound != "none":
            assert sound not in relatives(sound, drums=False)
    for kit in KITS:
        assert kit not in relatives(kit, drums=True)


def test_the_number_format_is_one_that_torch_multiplies() -> None:
    kind = fastest_format("cpu", 0.05)
    assert kind in (torch.float32, torch.bfloat16)
    assert torch.isfinite(
        torch.mm(torch.ones(8, 8, dtype=kind), torch.ones(8, 8, dtype=kind))
    ).all()

"""Objective of a lesson: the player's music as samples, the base's own music as it was.

The shipped renderer reaches clean latents in two passes, each a sample and no mean, so a squared
error against the player's music would blur it. The loss is the energy score instead (Gneiting &
Raftery 2007, section 4.2): the mean distance of two samples to the music, less half their distance
to each other. It is least where the samples are distributed as the music is.

The player's music has no notes that are known, and what is learned without notes hardly shows where
an arranger writes them. So other clips have a score of the base's music and the learned style:
the timbres of their frames shall be distributed as the player's are (energy distance; Szekely &
Rizzo 2013), while their partials are those of the base's music, and their changes from frame to
frame those that the base would make, which play the notes. Whole frames are not compared: the
player's pieces have keys of their own, and those would be learned with them.

So that nothing is forgotten, part of each batch is music of the base itself with its full score, on
which the pupil must do what the base does (prior preservation; DreamBooth, Ruiz et al. 2023,
section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import torch
from torch import Tensor

from models.segue.renderer.features import ScoreBatch
from models.segue.renderer.network import (
    FRAMES_PER_TOKEN,
    TOKENS_PER_BLOCK,
    Renderer,
    RendererLayer,
    attend,
    limit_context,
    rotary,
    rotate,
    training_mask,
)
from models.segue.renderer.sampler import Sampler
from models.teaching.frames import FrameFeatures, partial_distance, timbre_distance

SAMPLES: Final = 2
"""Samples of each block, with noise of their own and one context."""
MUSIC: Final = 0
"""Kind of a clip: the player's music."""
OWN: Final = 1
"""The base's music, which is to stay."""
DRESSED: Final = 2
"""The base's music, which is to sound as the player's."""
STEPS: Final = 0.5
PARTIALS: Final = 1.5
"""Weights of what follows the notes where the base's music sounds as the player's: changes from
frame to frame, and partials."""
OWN_CONTEXT: Final = 0.5
"""Share of the batches in whose context the pupil's own music stands."""


@dataclass(frozen=True, eq=False)
class LessonBatch:
    """Crops of B clips, N blocks each: latents (B, 6 N, D), score, style (B, 128), the kind of
    each, (B,) of MUSIC, OWN and DRESSED, and frames (n, D) of the player's music.
    """

    latents: Tensor
    score: ScoreBatch
    style: Tensor
    kind: Tensor
    frames: Tensor

    def to(self, device: torch.device) -> LessonBatch:
        """On another device, but for the kinds, by which rows are chosen."""
        score = self.score.to(str(device))
        latents, style, frames = (x.to(device) for x in (self.latents, self.style, self.frames))
        return LessonBatch(latents, score, style, self.kind, frames)


class Objective:
    """Loss of a pupil on a batch.

    Args:
        base: the renderer as it is.
        sampler: how it is played.
        features: of latent frames.

    """

    def __init__(self, base: Renderer, sampler: Sampler, features: FrameFeatures) -> None:
        self.base, self.levels = base, sampler.levels
        self.features = features.to(device_of(base))
        guidance = sampler.guidance
        self.guidance = (1.0, 1.0) if guidance is None else (guidance.least, guidance.usual)

    def loss(
        self, pupil: Renderer, batch: LessonBatch, drawn: Draws
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss (), and what it consists of.

        Args:
            pupil: the network that learns.
            batch: on its device, all but the kinds.
            drawn: the chance in it, on its device, all but the limits.

        """
        size, frames, dim = batch.latents.shape
        clean = batch.latents.reshape(size, frames // FRAMES_PER_TOKEN, FRAMES_PER_TOKEN * dim)
        least, most = self.guidance
        given = Given(
            batch.score,
            batch.style + 0.03 * drawn.style,
            least + (1.5 * most - least) * drawn.guidance,
            drawn.limit,
        )
        noise = drawn.noise
        context = clean + drawn.context_noise
        with torch.no_grad():
            level = noise.new_zeros(size, drawn.second.shape[1] * SAMPLES)
            first = predict(pupil, context, noise, level, given).float()
            if drawn.own is not None:
                own = drawn.own.repeat_interleave(TOKENS_PER_BLOCK, dim=1)[..., None]
                context = torch.where(own, first[:, : clean.shape[1]], clean)
                context = context + drawn.own_noise
        # Each block is at its first or its second pass, which starts from the pupil's own first.
        level = torch.where(drawn.second, self.levels[-1], 0.0).repeat(1, SAMPLES)
        per_token = level.repeat_interleave(TOKENS_PER_BLOCK, dim=1)[..., None]
        noisy = (1.0 - per_token) * noise + per_token * first
        found = predict(pupil, context, noisy, level, given).float()
        new, old, dressed = (
            torch.nonzero(batch.kind == kind)[:, 0] for kind in (MUSIC, OWN, DRESSED)
        )
        parts = {}
        total = found.new_zeros(())
        if len(new):
            parts["music"] = energy_score(found[new], clean[new])
            total = total + parts["music"] * (len(new) / size)
        if len(old):
            with torch.no_grad():
                same = given.rows(old)
                target = predict(self.base, context[old], noisy[old], level[old], same).float()
            parts["kept"] = distance(found[old], target).mean()
            total = total + parts["kept"] * (len(old) / size)
        if len(dressed):
            with torch.no_grad():
                same = given.rows(dressed)
                played = predict(
                    self.base, clean[dressed], noisy[dressed], level[dressed], same
                ).float()
            sounds, notes = found[dressed], clean[dressed].repeat(1, SAMPLES, 1)
            parts["dressed"] = timbre_distance(sounds, batch.frames, self.features)
            parts["steps"] = step_distance(sounds, played)
            parts["partials"] = partial_distance(sounds, notes, self.features)
            wrong = STEPS * parts["steps"] + PARTIALS * parts["partials"]
            total = total + (parts["dressed"] + wrong) * (len(dressed) / size)
        return total, {name: value.detach() for name, value in parts.items()}


@dataclass(frozen=True, eq=False)
class Draws:
    """The chance in a step, drawn on the CPU, so that it is the same on every device.

    style (B, 128) and noise (B, S T, 2 D), normal; guidance (B,) 0 to 1; context limits (B,);
    context_noise and own_noise (B, T, 2 D); own (B, N): blocks in whose context the pupil's own
    music stands, None for none in all clips; second (B, N): blocks at their second pass.
    """

    style: Tensor
    guidance: Tensor
    limit: Tensor
    noise: Tensor
    context_noise: Tensor
    own_noise: Tensor
    own: Tensor | None
    second: Tensor

    @classmethod
    def of(cls, batch: LessonBatch, window: int, rng: torch.Generator) -> Draws:
        """Those of a batch; `window`: blocks of the network's context."""
        size, frames, dim = batch.latents.shape
        time, width = frames // FRAMES_PER_TOKEN, FRAMES_PER_TOKEN * dim
        blocks = time // TOKENS_PER_BLOCK
        own = torch.rand(size, blocks, generator=rng) < torch.rand(size, 1, generator=rng)
        own |= (batch.kind == DRESSED)[:, None]
        has_own = float(torch.rand(1, generator=rng)) < OWN_CONTEXT
        return cls(
            style=torch.randn(batch.style.shape, generator=rng),
            guidance=torch.rand(size, generator=rng),
            limit=_context_limit(size, window, rng),
            noise=torch.randn(size, SAMPLES * time, width, generator=rng),
            context_noise=_context_noise((size, time, width), rng),
            own_noise=_context_noise((size, time, width), rng),
            own=own if has_own else None,
            second=torch.rand(size, blocks, generator=rng) < 0.5,
        )

    def to(self, device: torch.device) -> Draws:
        """On another device, but for the limits, of which masks are made on the CPU."""
        moved = {
            f.name: getattr(self, f.name).to(device)
            for f in fields(self)
            if f.name != "limit" and getattr(self, f.name) is not None
        }
        return replace(self, **moved)


@dataclass(frozen=True, eq=False)
class Given:
    """What is told to the network: score, style (B, 128), guidance (B,), context limits (B,)."""

    score: ScoreBatch
    style: Tensor
    guidance: Tensor
    limit: Tensor

    def rows(self, chosen: Tensor) -> Given:
        """The clips of some indices."""
        score = ScoreBatch(*(getattr(self.score, f.name)[chosen] for f in fields(self.score)))
        rest = (self.style, self.guidance, self.limit)
        return Given(score, *(values[chosen] for values in rest))


def device_of(network: Renderer) -> torch.device:
    """The device that a network is on."""
    return next(network.parameters()).device


def predict(network: Renderer, clean: Tensor, noisy: Tensor, level: Tensor, given: Given) -> Tensor:
    """As `Renderer.forward` with several noisy streams beside one context.

    Args:
        network: base or pupil.
        clean: tokens (B, T, 2 D) of the context.
        noisy: tokens (B, S T, 2 D) of S noisy streams one after the other.
        level: (B, S N) noise level of each of their blocks.
        given: score and style, the same for all streams.

    Returns:
        Clean tokens (B, S T, 2 D).

    """
    config, time = network.config, clean.shape[1]
    copies, blocks = noisy.shape[1] // time, time // TOKENS_PER_BLOCK
    with torch.no_grad():
        scored = network.score(given.score)
    embedded = network.embed_noisy(
        noisy, scored.repeat(1, copies, 1), given.style, noisy.new_ones(len(noisy))
    )
    x = torch.cat([network.embed_clean(clean, scored), embedded], dim=1).float()
    noise = network.level(level, given.guidance[:, None].expand_as(level))
    noise = noise.repeat_interleave(TOKENS_PER_BLOCK, dim=1)
    angles = rotary(torch.arange(time).repeat(1 + copies).to(x.device), config.head_dim)
    mask = _mask(blocks, config.window, copies, given.limit).to(x.device)
    for layer in network.layers:
        assert isinstance(layer, RendererLayer)
        x = _layer(layer, x, noise, time, mask, angles)
    found: Tensor = network.out(network.norm(x[:, time:]))
    return found


def _layer(
    layer: RendererLayer,
    x: Tensor,
    noise: Tensor,
    time: int,
    mask: Tensor,
    angles: tuple[Tensor, Tensor],
) -> Tensor:
    """A layer over context and noisy streams; only the latter are modulated by their level."""
    quiet = [part.expand(len(x), time, -1) for part in layer.modulation(None)]
    shift1, scale1, gate1, shift2, scale2, gate2 = (
        torch.cat([still, moved], dim=1)
        for still, moved in zip(quiet, layer.modulation(noise), strict=True)
    )
    query, key, value = layer.qkv(layer.norm1(x) * (1 + scale1) + shift1)
    attended = attend(rotate(query, angles), rotate(key, angles), value, mask)
    x = x + gate1 * layer.project(attended)
    return x + gate2 * layer.feed(layer.norm2(x) * (1 + scale2) + shift2)


def _mask(blocks: int, window: int, copies: int, limit: Tensor) -> Tensor:
    """Mask (B, 1, (1 + S) T, (1 + S) T): each noisy stream sees the context and itself."""
    two = limit_context(training_mask(blocks, window), limit, blocks)
    time = blocks * TOKENS_PER_BLOCK
    size = (1 + copies) * time
    mask = torch.zeros(len(limit), 1, size, size, dtype=torch.bool)
    mask[..., :time, :time] = two[..., :time, :time]
    for copy in range(1, 1 + copies):
        rows = slice(copy * time, (copy + 1) * time)
        mask[..., rows, :time] = two[..., time:, :time]
        mask[..., rows, rows] = two[..., time:, time:]
    return mask


def energy_score(samples: Tensor, music: Tensor) -> Tensor:
    """Energy score () of the two samples (B, 2 T, W) of music (B, T, W), by `distance`."""
    one, other = samples.chunk(SAMPLES, dim=1)
    apart = distance(one, music) + distance(other, music) - distance(one, other)
    return 0.5 * apart.mean()


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean Euclidean distance (B,) of token sequences (B, T, W) by frames, by blocks, and of their
    changes from frame to frame; each per number of the vector.
    """
    error = one - other
    size, time, width = error.shape
    frames = error.reshape(size, time * FRAMES_PER_TOKEN, width // FRAMES_PER_TOKEN)
    blocks = error.reshape(size, time // TOKENS_PER_BLOCK, TOKENS_PER_BLOCK * width)
    steps = frames[:, 1:] - frames[:, :-1]
    return _length(frames) + _length(blocks) + 0.5 * _length(steps)


def step_distance(samples: Tensor, played: Tensor) -> Tensor:
    """Mean distance () of the changes from frame to frame of two token sequences (B, T, W)."""
    size, time, width = samples.shape
    shape = (size, time * FRAMES_PER_TOKEN, width // FRAMES_PER_TOKEN)
    steps = [tokens.reshape(shape).diff(dim=1) for tokens in (samples, played)]
    return _length(steps[0] - steps[1]).mean()


def _length(vectors: Tensor) -> Tensor:
    width = vectors.shape[-1]
    return ((vectors.square().sum(-1) + 1e-6) / width).sqrt().mean(1)


def _context_noise(shape: tuple[int, int, int], rng: torch.Generator) -> Tensor:
    """What is added to a context (B, T, W), which in inference is never quite clean."""
    strength = 0.6 * torch.rand(shape[0], 1, 1, generator=rng).square()
    return strength * torch.randn(shape, generator=rng)


def _context_limit(size: int, window: int, rng: torch.Generator) -> Tensor:
    """Random limits (B,) of the context in blocks: none (15 %), one to six (25 %), all."""
    kind = torch.rand(size, generator=rng)
    few = torch.randint(1, 7, (size,), generator=rng)
    return torch.where(kind < 0.4, few, window).masked_fill(kind < 0.15, 0)

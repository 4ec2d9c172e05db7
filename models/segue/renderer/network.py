"""Renderer network: score, style and clean context -> latents of the next block.

Block-wise rectified flow with a key-value cache of clean context ("Live Music Diffusion Models",
section 3): a context token never attends to noise or a noise level, so its keys and values are
computed once; a noisy token attends to the clean context before its block and to its own block. In
training both streams run in one masked pass (Block Diffusion, Arriola et al. 2025, section 3.2); in
inference block by block with the cache (`models.segue.renderer.inference`).

Shapes: two latent frames of D numbers (80 ms) are one token; three tokens are a block (240 ms).
The network predicts the clean latents ("x-prediction"; Li & He 2025, "Back to basics"), which at
noise level zero is the conditional mean and keeps few-step sampling on the data's manifold.

A guided network may start its flow at the latents of a guide and sigma times noise instead of noise
alone (FlowDec, Welker et al. 2025, section 3); it is told the guide and sigma.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.music.score import INSTRUMENTS, KITS, PITCHED, PITCHES
from models.segue.renderer.features import DRUM_CELLS, KNOWN, MAX_AGE, ScoreBatch

FRAMES_PER_TOKEN: Final = 2
TOKENS_PER_BLOCK: Final = 3
FRAMES_PER_BLOCK: Final = FRAMES_PER_TOKEN * TOKENS_PER_BLOCK


@dataclass(frozen=True)
class RendererConfig:
    """Sizes of the renderer. `window` is the clean context in blocks of 240 ms (36 = 8.6 s);
    `guided` is 1 where it takes a guide.
    """

    latent_dim: int = 96
    style_dim: int = 128
    width: int = 384
    layers: int = 8
    heads: int = 6
    kv_heads: int = 2
    hidden: int = 1024
    score_width: int = 256
    window: int = 36
    guided: int = 0

    @property
    def head_dim(self) -> int:
        return self.width // self.heads

    def as_metadata(self) -> dict[str, str]:
        """The sizes as text, for the header of a safetensors file."""
        return {name: str(value) for name, value in asdict(self).items()}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str]) -> RendererConfig:
        names = asdict(cls())
        return cls(**{name: int(metadata[name]) for name in names if name in metadata})


class ScoreEncoder(nn.Module):
    """Score encoder: frames -> one vector a token; a part's roll is modulated by its instrument."""

    def __init__(self, config: RendererConfig) -> None:
        super().__init__()
        width = config.score_width
        self.drums = nn.Linear(DRUM_CELLS, width)
        self.roll = nn.Linear(5 * PITCHES, width)
        self.kit = nn.Embedding(len(KITS) + 1, 2 * width)
        self.instrument = nn.Embedding(len(INSTRUMENTS) + 1, 2 * width)
        self.part = nn.Parameter(torch.zeros(len(PITCHED), width))
        self.mix = nn.Linear(width, width)
        self.globals = nn.Linear(12 + 4 + 1 + 4 + KNOWN, width)
        self.out = nn.Linear(FRAMES_PER_TOKEN * width, config.width)
        nn.init.normal_(self.kit.weight, std=0.3)
        nn.init.normal_(self.instrument.weight, std=0.3)

    def forward(self, score: ScoreBatch) -> Tensor:
        """(B, T, ...) frames -> (B, T / 2, width)."""
        sustain = score.sustain
        struck = (score.onset > 0).to(sustain.dtype)
        live = (score.age < MAX_AGE).to(sustain.dtype)
        level = sustain.clamp(min=0.0)
        # Decay times of 0.15 s (the attack of a key or a pick) and 0.9 s (the string after it).
        knock = level * live * torch.exp(-score.age * (0.04 / 0.15))
        ring = level * live * torch.exp(-score.age * (0.04 / 0.9))
        roll = torch.cat([level, struck, score.onset * 0.25, knock, ring], dim=-1)
        known = score.known
        roll = roll * known[..., 1:5, None]
        scale, shift = self.instrument(score.instruments).chunk(2, dim=-1)
        sounding = (level.amax(dim=-1, keepdim=True) > 0).to(roll.dtype)
        pitched = self.roll(roll) * (1 + scale) + (shift + self.part) * sounding
        kit_scale, kit_shift = self.kit(score.kit).chunk(2, dim=-1)
        hits = score.drums * known[..., :1]
        hit = (hits.amax(dim=-1, keepdim=True) > 0).to(roll.dtype)
        drums = self.drums(hits) * (1 + kit_scale) + kit_shift * hit
        voices = torch.cat([pitched, drums[..., None, :]], dim=-2)
        frame = self.mix(functional.gelu(voices)).sum(dim=-2)
        density, has_density = _optional(score.density / 10.0)
        brightness, has_brightness = _optional(score.brightness)
        frame = frame + self.globals(
            torch.cat(
                [
                    score.chroma * known[..., 10:11],
                    score.beat * known[..., 11:12],
                    (score.tempo[..., None] / 120.0 - 1.0) * known[..., 11:12],
                    density,
                    has_density,
                    brightness,
                    has_brightness,
                    known,
                ],
                dim=-1,
            )
        )
        batch, frames, width = frame.shape
        packed = frame.reshape(batch, frames // FRAMES_PER_TOKEN, FRAMES_PER_TOKEN * width)
        return self.out(functional.gelu(packed))


def _optional(value: Tensor) -> tuple[Tensor, Tensor]:
    """A control that may be nan (auto) -> its value or zero, and whether it is given."""
    given = ~torch.isnan(value)
    return torch.nan_to_num(value)[..., None], given.to(value.dtype)[..., None]


class NoiseLevel(nn.Module):
    """Embedding of noise level and guidance: six modulation vectors shared by all layers, to which
    each layer adds a table of its own (adaLN-single; PixArt-alpha, Chen et al. 2023, section 2.3).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer(
            "frequencies", torch.exp(torch.linspace(0.0, math.log(200.0), 64)), persistent=False
        )
        self.frequencies: Tensor
        self.net = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, 6 * width))
        nn.init.zeros_(self.net[2].weight)
        nn.init.zeros_(self.net[2].bias)

    def forward(self, level: Tensor, guidance: Tensor) -> Tensor:
        """(..., ) level 0 (noise) to 1 (clean), guidance weight 0 to 4 -> (..., 6, width)."""
        waves = [
            wave(value[..., None] * self.frequencies)
            for value in (level, guidance * 0.25)
            for wave in (torch.sin, torch.cos)
        ]
        out = self.net(torch.cat(waves, dim=-1))
        return out.unflatten(-1, (6, -1))


class RendererLayer(nn.Module):
    """Transformer layer: attention and gated feed-forward with RMS norms, modulated for noisy
    tokens only.
    """

    def __init__(self, config: RendererConfig) -> None:
        super().__init__()
        self.config = config
        width, head = config.width, config.head_dim
        self.norm1 = nn.RMSNorm(width, eps=1e-5)
        self.norm2 = nn.RMSNorm(width, eps=1e-5)
        self.query = nn.Linear(width, config.heads * head, bias=False)
        self.key_value = nn.Linear(width, 2 * config.kv_heads * head, bias=False)
        self.query_norm = nn.RMSNorm(head, eps=1e-5)
        self.key_norm = nn.RMSNorm(head, eps=1e-5)
        self.project = nn.Linear(width, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, width, bias=False)
        self.table = nn.Parameter(torch.zeros(6, width))
        self.table.data[2] = 1.0
        self.table.data[5] = 1.0
        scale = 1.0 / math.sqrt(2 * config.layers)
        nn.init.normal_(self.project.weight, std=scale / math.sqrt(width))
        nn.init.normal_(self.down.weight, std=scale / math.sqrt(config.hidden))

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, width) normed input -> q (B, h, T, d), k and v (B, g, T, d), before rotation."""
        config = self.config
        batch, time, _ = x.shape
        query = self.query(x).view(batch, time, config.heads, config.head_dim)
        key, value = (
            part.view(batch, time, config.kv_heads, config.head_dim)
            for part in self.key_value(x).chunk(2, dim=-1)
        )
        query, key = self.query_norm(query), self.key_norm(key)
        return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)

    def modulation(self, level: Tensor | None) -> tuple[Tensor, ...]:
        """Shift, scale and gate of attention, then of the feed-forward; of clean tokens if None."""
        table = self.table if level is None else self.table + level
        return tuple(table.unbind(dim=-2))

    def feed(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(functional.silu(gate) * up)


def rotary(positions: Tensor, head_dim: int) -> tuple[Tensor, Tensor]:
    """Rotary embedding (RoFormer, Su et al. 2021, section 3.2): positions (T,) -> cosine and sine
    (T, head_dim / 2).
    """
    half = head_dim // 2
    rate = torch.exp(torch.arange(half) * (-math.log(1000.0) / half)).to(positions.device)
    angle = positions.float()[:, None] * rate
    return angle.cos(), angle.sin()


def rotate(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate `x` (..., T, head_dim) by the angles of its positions."""
    cosine, sine = (part.to(x.dtype) for part in angles)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Grouped-query attention -> (B, T, width)."""
    groups = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
    out = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return out.transpose(1, 2).flatten(2)


class Renderer(nn.Module):
    """The network; `forward` is the training pass over both streams."""

    def __init__(self, config: RendererConfig) -> None:
        super().__init__()
        self.config = config
        token = FRAMES_PER_TOKEN * config.latent_dim
        self.score = ScoreEncoder(config)
        self.latents_in = nn.Linear(token, config.width)
        self.noisy_in = nn.Linear(token, config.width)
        if config.guided:
            # At zero, so that a network begins as the one without guide that it is trained from.
            self.guide_in = nn.Linear(token + 2, config.width, bias=False)
            nn.init.zeros_(self.guide_in.weight)
        self.style = nn.Linear(config.style_dim, config.width)
        self.no_style = nn.Parameter(torch.zeros(config.width))
        self.clean = nn.Parameter(torch.zeros(config.width))
        self.level = NoiseLevel(config.width)
        self.layers = nn.ModuleList(RendererLayer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=1e-5)
        self.out = nn.Linear(config.width, token)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def embed_clean(self, latents: Tensor, score: Tensor) -> Tensor:
        """Embedding of clean tokens (B, n, 2 D) with their score (B, n, width)."""
        return self.latents_in(latents) + score + self.clean

    def embed_noisy(
        self,
        noisy: Tensor,
        score: Tensor,
        style: Tensor,
        has_style: Tensor,
        guide: Tensor | None = None,
    ) -> Tensor:
        """Embedding of noisy tokens (B, n, 2 D) with score (B, n, width), style (B, 128),
        has_style (B,) and the `guide_input` (B, n, 2 D + 2).
        """
        given = has_style[:, None].to(noisy.dtype)
        styled = self.style(style) * given + self.no_style * (1 - given)
        embedded: Tensor = self.noisy_in(noisy) + score + styled[:, None]
        return embedded if guide is None else embedded + self.guide_in(guide)

    def forward(
        self,
        clean: Tensor,
        noisy: Tensor,
        level: Tensor,
        score: ScoreBatch,
        style: Tensor,
        has_style: Tensor,
        guidance: Tensor,
        max_context: Tensor | None = None,
        guide: Tensor | None = None,
    ) -> Tensor:
        """Training pass over whole clips of N blocks, T = 3 N tokens, with K noisy copies of them
        beside one context.

        Args:
            clean: tokens (B, T, 2 D) of the context stream.
            noisy: tokens (B, K T, 2 D) of the noisy streams, one after the other.
            level: (B, K N) noise level of each block, 0 (noise) to 1 (clean).
            score: frames of the whole clips, (B, 2 T, ...).
            style: (B, 128).
            has_style: (B,) bool; where false, `style` is ignored.
            guidance: (B,) guidance weight, 0 to 4.
            max_context: (B,) blocks of context that a clip attends to; the window if None.
            guide: `guide_input` (B, K T, 2 D + 2) of a guided network; None for no guide.

        Returns:
            The predicted clean tokens (B, K T, 2 D).

        """
        config = self.config
        time = clean.shape[1]
        copies = noisy.shape[1] // time
        scored = self.score(score)
        streams = torch.cat(
            [
                self.embed_clean(clean, scored),
                self.embed_noisy(noisy, scored.repeat(1, copies, 1), style, has_style, guide),
            ],
            dim=1,
        )
        guidance_of_blocks = guidance[:, None].expand_as(level)
        noise = self.level(level, guidance_of_blocks).repeat_interleave(TOKENS_PER_BLOCK, dim=1)
        # Clean tokens get no modulation but each layer's constant table.
        modulation = torch.cat([torch.zeros_like(noise[:, :time]), noise], dim=1)
        blocks = time // TOKENS_PER_BLOCK
        mask = training_mask(blocks, config.window, copies).to(clean.device)
        if max_context is not None:
            mask = limit_context(mask, max_context, blocks)
        positions = torch.arange(time).repeat(1 + copies).to(clean.device)
        angles = rotary(positions, config.head_dim)
        x = streams.float()  # under autocast too, so that layers do not add up in bfloat16
        for layer in self.layers:
            assert isinstance(layer, RendererLayer)
            x = self.run_layer(layer, x, modulation, mask, angles)
        return self.out(self.norm(x[:, time:]))

    @staticmethod
    def run_layer(
        layer: RendererLayer,
        x: Tensor,
        modulation: Tensor,
        mask: Tensor | None,
        angles: tuple[Tensor, Tensor],
    ) -> Tensor:
        """Tokens (B, n, width) through a layer, under a mask of attention or none."""
        shift1, scale1, gate1, shift2, scale2, gate2 = layer.modulation(modulation)
        query, key, value = layer.qkv(layer.norm1(x) * (1 + scale1) + shift1)
        attended = attend(rotate(query, angles), rotate(key, angles), value, mask)
        x = x + gate1 * layer.project(attended)
        return x + gate2 * layer.feed(layer.norm2(x) * (1 + scale2) + shift2)


def guide_input(guide: Tensor, sigma: Tensor) -> Tensor:
    """Input of `Renderer.guide_in`.

    Args:
        guide: tokens (..., 2 D) of the guide.
        sigma: (...,) noise that is added to each token where the flow starts; infinite where there
            is no guide.

    Returns:
        (..., 2 D + 2): the guide, whether there is one, and log sigma; zeros where there is none.

    """
    given = torch.isfinite(sigma)
    logs = torch.where(given, sigma, torch.ones_like(sigma)).log()
    full = torch.cat([guide, torch.ones_like(logs)[..., None], logs[..., None]], dim=-1)
    return torch.where(given[..., None], full, torch.zeros_like(full))


def flow_start(guide: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Start of the flow: guide + sigma x noise, and noise alone where sigma is infinite.

    Args:
        guide: tokens (..., 2 D).
        sigma: (...,) as of `guide_input`.
        noise: standard normal, (..., 2 D).

    """
    given = torch.isfinite(sigma)
    spread = torch.where(given, sigma, torch.ones_like(sigma))[..., None]
    return torch.where(given[..., None], guide + spread * noise, noise)


def limit_context(mask: Tensor, max_context: Tensor, blocks: int) -> Tensor:
    """(n, n) mask of streams of T tokens -> (B, 1, n, n): clip b attends to at most max_context[b]
    blocks back.
    """
    block = torch.arange(blocks, device=mask.device).repeat_interleave(TOKENS_PER_BLOCK)
    block = block.repeat(len(mask) // len(block))
    distance = block[:, None] - block[None, :]
    return (mask & (distance <= max_context.view(-1, 1, 1)))[:, None]


def training_mask(blocks: int, window: int, copies: int = 1) -> Tensor:
    """Attention mask ((1 + K) T, (1 + K) T) bool of the training pass with K noisy copies: true
    where a row attends to a column.

    Clean block b attends to clean blocks b - window + 1 .. b; noisy block b to clean blocks
    b - window .. b - 1 and to itself: the same `window` finished blocks as in inference.
    """
    block = torch.arange(blocks).repeat_interleave(TOKENS_PER_BLOCK)
    row, column = block[:, None], block[None, :]
    clean_clean = (column <= row) & (column > row - window)
    noisy_clean = (column < row) & (column >= row - window)
    own = torch.block_diag(*[column == row] * copies).bool()
    top = torch.cat([clean_clean, clean_clean.new_zeros(len(block), len(own))], dim=1)
    return torch.cat([top, torch.cat([noisy_clean.repeat(copies, 1), own], dim=1)], dim=0)

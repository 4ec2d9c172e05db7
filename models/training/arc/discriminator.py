"""Discriminator of adversarial training: does a clip of latents sound real, and fit its prompt?

The first half of a renderer's layers, with attention over the whole clip, and a small convolutional
head ("Live Music Diffusion Models", section on ARC-Forcing). Its losses are those of adversarial
relativistic-contrastive training (Novack et al. 2025, "Fast text-to-audio generation with
adversarial post-training", section 3).
"""

from __future__ import annotations

import copy
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.segue.renderer.features import ScoreBatch
from models.segue.renderer.network import Renderer, RendererLayer, rotary

HEAD_WIDTH: Final = 128
CONTRAST: Final = 2.0
"""Weight of the loss on swapped prompts."""


class Discriminator(nn.Module):
    """Logits of clips of latents. `backbone` is a copy of a renderer's first half."""

    def __init__(self, renderer: Renderer) -> None:
        super().__init__()
        backbone = copy.deepcopy(renderer)
        kept = list(backbone.layers)[: max(1, len(backbone.layers) // 2)]
        backbone.layers = nn.ModuleList(kept)
        self.backbone = backbone
        width = renderer.config.width
        self.head = nn.Sequential(
            nn.Conv1d(width, HEAD_WIDTH, 4, stride=2, padding=1),
            nn.GroupNorm(8, HEAD_WIDTH),
            nn.SiLU(),
            nn.Conv1d(HEAD_WIDTH, HEAD_WIDTH, 4, stride=2, padding=1),
            nn.GroupNorm(8, HEAD_WIDTH),
            nn.SiLU(),
            nn.Conv1d(HEAD_WIDTH, 1, 3, padding=1),
        )

    def forward(self, tokens: Tensor, score: ScoreBatch, style: Tensor) -> Tensor:
        """How real each stretch of clips is.

        Args:
            tokens: clean tokens (B, T, 2 D), T at least 4.
            score: frames of the clips, (B, 2 T, ...).
            style: (B, 128).

        Returns:
            Logits (B, T // 4).

        """
        renderer = self.backbone
        size, time, _ = tokens.shape
        given = torch.ones(size, device=tokens.device)
        scored = renderer.score(score)[:, :time]
        x = renderer.embed_noisy(tokens, scored, style, given).float()
        # As at the flow's end, where nothing but the clip itself is left.
        modulation = renderer.level(given[:, None], given[:, None])
        angles = rotary(torch.arange(time, device=tokens.device), renderer.config.head_dim)
        for layer in renderer.layers:
            assert isinstance(layer, RendererLayer)
            x = renderer.run_layer(layer, x, modulation, None, angles)
        logits: Tensor = self.head(renderer.norm(x).transpose(1, 2))[:, 0]
        return logits


def relativistic(wanted: Tensor, other: Tensor) -> Tensor:
    """Loss until `wanted` logits (B, n) lie above the `other` ones of the same prompts."""
    return functional.softplus(other.float() - wanted.float()).mean()

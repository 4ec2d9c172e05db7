"""Rehearsal: music of the base itself with its scores, so that a lesson forgets nothing.

The corpus is not shipped; what the network learned from it, it plays: the arranger writes under
random terms, the renderer plays (prior preservation with generated examples, as in DreamBooth, Ruiz
et al. 2023, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.engine.controls import Controls, blend
from models.segue.arranger.arranger import Arranger
from models.segue.renderer.features import ScoreBatch, no_age, score_batch
from models.segue.renderer.inference import KeyValueCache, RendererInference
from models.segue.renderer.network import FRAMES_PER_BLOCK, TOKENS_PER_BLOCK
from models.segue.style import anchors

CLIPS: Final = 20
BLOCKS: Final = 36
SETTLE: Final = 4
"""Blocks at a stream's beginning that are left out."""
SCORE_FIELDS: Final = tuple(each.name for each in fields(ScoreBatch))


@dataclass(frozen=True, eq=False)
class ScoredClip:
    """A clip of the base's music: latents (T, D), score (a batch of one), style (128,)."""

    latents: Tensor
    score: ScoreBatch
    style: Tensor


def play_clip(
    arranger: Arranger, renderer: RendererInference, number: int, blocks: int = BLOCKS
) -> ScoredClip:
    """Clip `number` of the rehearsal; the same one each time."""
    rng = np.random.default_rng([number, 0x5E90E])
    table = anchors.load()
    chosen = rng.choice(len(table), size=int(rng.integers(1, 3)), replace=False)
    style = blend([table[index] for index in chosen], list(rng.uniform(0.3, 1.0, len(chosen))))
    state, age, cache = arranger.start(1_000 + number), no_age(), KeyValueCache()
    noise = torch.Generator().manual_seed(number)
    latents, scores = [], []
    for _ in range(blocks + SETTLE):
        score, state, _ = arranger.block(state, style, Controls(), FRAMES_PER_BLOCK)
        batch, age = score_batch(score, age)
        drawn = torch.randn(TOKENS_PER_BLOCK, 2 * renderer.config.latent_dim, generator=noise)
        new, cache = renderer.block(cache, batch, torch.from_numpy(style.copy()), drawn)
        latents.append(new)
        scores.append(batch)
    joined = scores[SETTLE]
    for batch in scores[SETTLE + 1 :]:
        joined = joined.join(batch)
    return ScoredClip(torch.cat(latents[SETTLE:]).clone(), joined, torch.from_numpy(style.copy()))


def save_clip(clip: ScoredClip, path: Path) -> None:
    """Write a clip, whole or not at all."""
    tensors = {f"score.{name}": getattr(clip.score, name) for name in SCORE_FIELDS}
    small = {
        n: t.half() if t.is_floating_point() else t.to(torch.int16) for n, t in tensors.items()
    }
    partial = path.with_suffix(".partial")
    save_file({**small, "latents": clip.latents.half(), "style": clip.style}, partial)
    partial.replace(path)


def load_clip(path: Path) -> ScoredClip:
    """A clip that `save_clip` wrote. Raises what safetensors raises for a damaged file."""
    tensors = load_file(path)
    score = {}
    for name in SCORE_FIELDS:
        tensor = tensors[f"score.{name}"]
        score[name] = tensor.float() if tensor.is_floating_point() else tensor.long()
    return ScoredClip(tensors["latents"].float(), ScoreBatch(**score), tensors["style"].float())

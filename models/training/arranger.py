"""Training of the arranger on endless composed songs; one CPU thread is enough.

    python -m models.training.arranger --minutes 40 --out runs/arranger

Weights that are already good are trained on with `--init`, which matters only for a new folder;
`--bfloat16` computes the matrix products in bfloat16, which pays off where the processor
multiplies it (AMX, AVX512-BF16) and at `--batch 32` and more:

    OMP_NUM_THREADS=1 nice -n 10 python -m models.training.arranger --minutes 75 --batch 32 \\
        --bfloat16 --rate 1e-3 --init resources/weights/arranger.safetensors --out runs/arranger

A worker process composes songs into the pool while the network learns from those that are there.
Runs go on where they were stopped. The style of a song is the noisy mixture of its
terms' anchors, often with another term mixed in: a song is then drawn the more seldom the smaller
its share, so that a mix learns to mean its proportions.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from models.music.score import DRUMS, PARTS
from models.segue.arranger.network import (
    HEADS,
    LONG_AGO,
    SECTION_CODES,
    ArrangerConfig,
    ArrangerNet,
    StepCondition,
    StepPlace,
)
from models.segue.arranger.setting import SettingNet
from models.segue.arranger.steps import (
    ACTION,
    DRUM_COLUMNS,
    LEVELS,
    NOTE_PARTS,
    SECTIONS,
    STRIKE,
    SYMBOL,
    TOKEN,
    StepSong,
)
from models.training.sets.arranger_data import (
    ABSENT,
    SongPool,
    StepBatch,
    bits,
    corrupt_batch,
    draw,
    fill_pool,
    setting_targets,
)
from models.training.trainer import Trainer, save_atomic

STYLE_DROP: Final = 0.1
DENSITY_DROP: Final = 0.3
CODE_COLUMNS: Final = (SYMBOL, ACTION, *(TOKEN[p] for p in NOTE_PARTS))
HEAD_PARTS: Final = (0, -1, 2, 1, 4, 3)
"""Index into PARTS of each head's part (-1: the chord symbol belongs to no part)."""


class Arrangement(nn.Module):
    """Both networks of the arranger as one module."""

    def __init__(self, config: ArrangerConfig) -> None:
        super().__init__()
        self.step = ArrangerNet(config)
        self.setting = SettingNet(config.style_dim)


class Styles:
    """Style vectors of songs, from the terms' anchors."""

    def __init__(self, anchors: dict[str, NDArray[np.float32]]) -> None:
        self.anchors = anchors
        self.names = list(anchors)

    def of(
        self, songs: Sequence[StepSong], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(B, style_dim) vectors and (B, 1) flags, 0 where the style is hidden."""
        dim = len(next(iter(self.anchors.values())))
        out = np.zeros((len(songs), dim), np.float32)
        known = (rng.random((len(songs), 1)) >= STYLE_DROP).astype(np.float32)
        for index, song in enumerate(songs):
            weights = np.array([w for _, w in song.terms])
            weights = weights * rng.uniform(0.7, 1.3, len(weights))
            base = sum(
                w * self.anchors[name]
                for (name, _), w in zip(song.terms, weights / weights.sum(), strict=True)
            )
            if rng.random() < 0.15:
                # Odds in proportion to the share: its density is 2 w, so w is a root.
                share = float(np.sqrt(rng.random()))
                others = rng.choice(len(self.names), int(rng.integers(1, 3)), replace=False)
                rest = np.mean([self.anchors[self.names[i]] for i in others], axis=0)
                base = share * base + (1 - share) * rest
            noise = rng.normal(0.0, float(rng.uniform(0.0, 0.04)), dim)
            out[index] = base + noise
        return out * known, known


def load_anchors() -> dict[str, NDArray[np.float32]]:
    """Anchor vectors by term, as the style model has them."""
    from models.segue.style.anchors import load
    from models.segue.style.terms import NAMES

    return dict(zip(NAMES, load(), strict=True))


def to_condition(
    songs: Sequence[StepSong], style: NDArray[np.float32], known: NDArray[np.float32]
) -> StepCondition:
    """The network's view of songs' settings and styles."""
    settings = [song.setting for song in songs]
    return StepCondition(
        style=torch.from_numpy(style),
        styled=torch.from_numpy(known),
        kit=torch.tensor([s.kit for s in settings]),
        instruments=torch.tensor([s.instruments for s in settings]),
        mode=torch.tensor([s.mode for s in settings]),
        metre=torch.tensor([s.metre for s in settings]),
        pace=torch.tensor([[np.log2(s.bpm / 120), s.swing] for s in settings], dtype=torch.float32),
    )


def density_input(
    density: NDArray[np.float32], quantiles: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """(B, T) onsets per second -> (B, T, 2) quantile and flag, hidden in some sequences."""
    quantile = np.interp(density, quantiles, np.linspace(0, 1, len(quantiles)))
    known = np.broadcast_to(rng.random((len(density), 1)) >= DENSITY_DROP, density.shape)
    return np.stack([quantile * known, known], axis=-1).astype(np.float32)


def lag_codes(batch: StepBatch, lags: NDArray[np.uint8], previous: NDArray[np.uint8]) -> Tensor:
    """(B, T, SOURCES, 5) the code that each source had for heads 1 to 5, -1 for none."""
    codes = lags[..., list(CODE_COLUMNS)].astype(np.int64)
    # A chord symbol is coded by whether it is the one that sounds already.
    before = np.where(previous[..., :1] == ABSENT, 0, previous[..., SYMBOL : SYMBOL + 1])
    codes[..., 0] = np.where(codes[..., 0] == before, 0, codes[..., 0] + 1)
    codes[lags[..., 0] == ABSENT] = -1
    return torch.from_numpy(codes)


def losses(
    net: ArrangerNet,
    batch: StepBatch,
    songs: Sequence[StepSong],
    styles: Styles,
    quantiles: NDArray[np.float32],
    rng: np.random.Generator,
) -> dict[str, Tensor]:
    """Surprise per step of each head, and per bar of the plan, in nats."""
    size, length = batch.valid.shape
    earlier, lags = corrupt_batch(batch, rng)
    pairs = [songs[int(i)] for i in batch.songs.reshape(-1)]
    style, known = styles.of(pairs, rng)
    table = net.condition(to_condition(pairs, style, known)).reshape(size, 2, -1)
    which = torch.from_numpy(batch.which)
    condition = table.gather(1, which[..., None].expand(-1, -1, table.shape[-1]))
    moment = StepPlace(
        place=torch.from_numpy(batch.place),
        section=torch.from_numpy(batch.section),
        section_bar=torch.from_numpy(batch.section_bar),
        active=torch.from_numpy(bits(batch.active)),
        change=torch.from_numpy(batch.change),
        density=torch.from_numpy(density_input(batch.density, quantiles, rng)),
    )
    previous_features = net.features(torch.from_numpy(earlier))
    lag_features = net.features(torch.from_numpy(lags))
    features = net.features(torch.from_numpy(batch.rows))
    joined, output, _ = net.advance(previous_features, lag_features, moment, condition, None)
    starts, gates = net.trunks(joined)
    codes = lag_codes(batch, lags, earlier)
    valid = torch.from_numpy(batch.valid)
    active = moment.active > 0.5
    rows = torch.from_numpy(batch.rows.astype(np.int64))
    total = valid.sum()
    out: dict[str, Tensor] = {}

    drums = net.logits_drums(starts, gates, lag_features)
    drums = drums + features[..., : len(DRUMS) * LEVELS] @ net.drum_links()
    drums = drums.reshape(size, length, len(DRUMS), LEVELS)
    surprise = F.cross_entropy(
        drums.flatten(0, 2), rows[..., DRUM_COLUMNS].flatten(), reduction="none"
    )
    surprise = surprise.reshape(size, length, -1).sum(-1)
    out["drums"] = surprise[valid & active[..., 0]].sum() / total

    before = torch.from_numpy(
        np.where(earlier[..., 0] == ABSENT, 0, earlier[..., SYMBOL]).astype(np.int64)
    )
    for head in range(1, len(HEADS)):
        logits, hidden = net.logits_code(head, starts, features, gates, codes[..., head - 1])
        target = rows[..., CODE_COLUMNS[head - 1]]
        part = HEAD_PARTS[head]
        if part < 0:
            target = torch.where(target == before, torch.zeros_like(target), target + 1)
        there = valid if part < 0 else valid & active[..., part]
        out[HEADS[head]] = F.cross_entropy(logits[there], target[there], reduction="sum") / total
        if part < 0:
            continue
        struck = there & (target >= STRIKE)
        touch = net.logits_touch(head, hidden[struck], features[struck])
        touch_target = rows[..., CODE_COLUMNS[head - 1] + 1][struck]
        out["touch"] = out.get("touch", torch.zeros(())) + (
            F.cross_entropy(touch, touch_target, reduction="sum") / total
        )
    out |= plan_losses(net, batch, output, condition, moment)
    return out


def plan_losses(
    net: ArrangerNet, batch: StepBatch, output: Tensor, condition: Tensor, moment: StepPlace
) -> dict[str, Tensor]:
    """Surprise of section and active parts at bar starts, per step so that it weighs as it does."""
    row, step = np.nonzero(batch.plan & batch.valid)
    r, t = torch.from_numpy(row), torch.from_numpy(step)
    first = t == 0
    back = (t - 1).clamp(min=0)
    gone = first[:, None].float()
    before = StepPlace(
        place=moment.place[r, back],
        section=torch.where(first, SECTIONS.index("other"), moment.section[r, back]),
        section_bar=torch.where(first, 0, moment.section_bar[r, back]),
        active=moment.active[r, back] * (1 - gone),
        change=torch.where(first, 0, moment.change[r, back]).clamp(max=LONG_AGO),
        density=moment.density[r, t],
    )
    section, plan = net.logits_section(output[r, back] * (1 - gone), condition[r, t], before)
    section_target = torch.from_numpy(batch.plan_section[row, step])
    bits_back = batch.returned[row, step]
    returned = np.concatenate(
        [bits(np.maximum(bits_back, 0)) * (bits_back >= 0)[:, None], (bits_back >= 0)[:, None]], -1
    ).astype(np.float32)
    active = net.logits_active(plan, section_target, torch.from_numpy(returned))
    target = torch.from_numpy(batch.active[row, step])
    bars = max(1, len(row))
    assert section.shape[-1] == SECTION_CODES and len(PARTS) == 5
    return {
        "section": F.cross_entropy(section, section_target, reduction="sum") / bars,
        "active": F.cross_entropy(active, target, reduction="sum") / bars,
    }


def export(
    module: Arrangement, weights: dict[str, Tensor], quantiles: NDArray[np.float32], path: Path
) -> None:
    """Averaged weights as float16 safetensors; the header holds what the run-time must know."""
    metadata = {
        "config": json.dumps(module.step.config.as_dict()),
        "density_quantiles": json.dumps([round(float(q), 4) for q in quantiles]),
    }
    save_atomic({k: v.to(torch.float16) for k, v in weights.items()}, path, metadata)


def begin_from(module: Arrangement, path: Path) -> NDArray[np.float32]:
    """Fill `module` with the weights of an exported file.

    Returns:
        The file's quantiles of onset density (onsets per second), so that the density control
        goes on meaning the same.

    Raises:
        RuntimeError: the file's networks have other sizes.

    """
    module.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    with safe_open(path, framework="numpy") as file:
        return np.array(json.loads(file.metadata()["density_quantiles"]), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the arranger on composed songs.")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pool", type=Path, help="folder of composed songs; default OUT/pool")
    parser.add_argument("--songs", type=int, default=20_000, help="songs to compose in all")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=192, help="steps in a sequence")
    parser.add_argument("--steps", type=int, default=1_000_000, help="most optimiser steps")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--hidden", type=int, default=320)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--init", type=Path, help="exported weights to begin a new folder with")
    parser.add_argument(
        "--bfloat16", action="store_true", help="compute matrix products in bfloat16"
    )
    parser.add_argument(
        "--export", type=Path, default=Path("resources/weights/arranger.safetensors")
    )
    args = parser.parse_args()

    folder = args.pool or args.out / "pool"
    worker = multiprocessing.get_context("spawn").Process(
        target=fill_pool, args=(folder, 0, 1, args.songs), daemon=True
    )
    worker.start()
    pool = SongPool(folder)
    while pool.refresh() < min(args.songs, 96):
        if not worker.is_alive() and not pool.songs:
            raise SystemExit("no songs were composed; see the message above")
        time.sleep(2)

    torch.manual_seed(0)
    module = Arrangement(ArrangerConfig(hidden=args.hidden, layers=args.layers))
    args.out.mkdir(parents=True, exist_ok=True)
    quantile_file = args.out / "quantiles.json"
    begun = None if args.init is None else begin_from(module, args.init)
    if not quantile_file.exists():
        found = pool.density_quantiles() if begun is None else begun
        quantile_file.write_text(json.dumps(found.tolist()))
    quantiles = np.array(json.loads(quantile_file.read_text()), np.float32)
    print(f"{sum(p.numel() for p in module.parameters()) / 1e6:.2f} M parameters")
    trainer = Trainer(module, args.out, args.rate, args.steps, decay=0.998, weight_decay=0.01)
    styles = Styles(load_anchors())
    rng = np.random.default_rng([trainer.step, os.getpid()])
    refreshed = saved = time.monotonic()
    for _ in trainer.run(args.minutes, checkpoint_seconds=120):
        now = time.monotonic()
        if now - refreshed > 30:
            pool.refresh()
            refreshed = now
        batch = draw(pool.songs, rng, args.batch, args.length)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bfloat16):
            parts = losses(module.step, batch, pool.songs, styles, quantiles, rng)
        some = [pool.songs[i] for i in rng.integers(0, len(pool.songs), 256)]
        style, known = styles.of(some, rng)
        setting = module.setting.loss(
            torch.from_numpy(style),
            torch.from_numpy(known),
            torch.from_numpy(setting_targets(some)),
        )
        # A bar's plan is one decision in sixteen steps, and form hangs on it.
        loss = sum(v for k, v in parts.items() if k not in ("section", "active"))
        loss = loss + 0.2 * (parts["section"] + parts["active"]) + 0.05 * setting
        logged = {name: float(value.detach()) for name, value in parts.items()}
        trainer.descend(torch.as_tensor(loss), setting=float(setting.detach()), **logged)
        if now - saved > 120:
            export(module, trainer.average.weights, quantiles, args.out / "arranger.safetensors")
            saved = now
    export(module, trainer.average.weights, quantiles, args.export)
    worker.terminate()


if __name__ == "__main__":
    main()

"""Evaluation of exported arranger weights: cross-entropy on songs that training never saw.

    python -m models.training.arranger_evaluation resources/weights/arranger.safetensors OTHER ...

Every file is measured on the same sequences of the same songs, of the corpus' split for evaluation.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from models.corpus.composer.composer import compose
from models.segue.arranger.network import ArrangerConfig
from models.segue.arranger.steps import StepSong, encode
from models.training.arranger import Arrangement, Styles, begin_from, losses
from models.training.sets.arranger_data import SECONDS, draw

FIRST_SEED: Final = 700_000  # of songs; training's begin far above
BATCH: Final = 16
LENGTH: Final = 192  # steps in a sequence, as in training


def held_out_songs(count: int) -> list[StepSong]:
    """Songs over combinations of terms, and from random streams, that training never draws."""
    return [
        encode(compose(FIRST_SEED + number, seconds=SECONDS, split="eval"))
        for number in range(count)
    ]


@torch.inference_mode()
def surprise(
    module: Arrangement,
    songs: Sequence[StepSong],
    styles: Styles,
    quantiles: np.ndarray,
    batches: int,
) -> dict[str, float]:
    """Mean surprise of each head in nats per step (section and active parts: per bar).

    Args:
        module: the networks.
        songs: that the sequences are drawn from.
        styles: of the songs.
        quantiles: of onset density (onsets per second), as the weights' file holds them.
        batches: number of batches.

    Returns:
        Figures by head, and their sum over the heads that write steps as `steps`.

    """
    module.eval()
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(batches):
        batch = draw(songs, rng, BATCH, LENGTH)
        parts = losses(module.step, batch, songs, styles, quantiles, rng)
        rows.append({name: float(value) for name, value in parts.items()})
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    steps = sum(value for name, value in means.items() if name not in ("section", "active"))
    return {"steps": steps, **means}


def main() -> None:
    from models.training.arranger import load_anchors

    parser = argparse.ArgumentParser(description="Surprise of arranger weights at unseen songs.")
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--songs", type=int, default=240)
    parser.add_argument("--batches", type=int, default=60)
    arguments = parser.parse_args()
    songs, styles = held_out_songs(arguments.songs), Styles(load_anchors())
    for path in arguments.weights:
        module = Arrangement(ArrangerConfig())
        quantiles = begin_from(module, path)
        figures = surprise(module, songs, styles, quantiles, arguments.batches)
        print(json.dumps({"weights": str(path), **{k: round(v, 4) for k, v in figures.items()}}))


if __name__ == "__main__":
    main()

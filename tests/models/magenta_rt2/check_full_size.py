"""Comparison of the full-size `small` depthformer with the reference, on random weights.

Run by hand from the repository's root. The first and third command need Segue's environment, the
second that of the reference, which `make_depthformer_fixtures.py` describes:

    python -m models.magenta_rt2.checkpoint.random_weights --size small --out FOLDER
    python tests/models/magenta_rt2/make_depthformer_fixtures.py OUT \\
        --full FOLDER/checkpoints/mrt2_small.safetensors
    python -m tests.models.magenta_rt2.check_full_size \\
        FOLDER/checkpoints/mrt2_small.safetensors OUT/full_small_expected.safetensors

Prints the largest difference of the logits, offline and streamed, relative to their standard
deviation, and the share of greedy tokens that are equal.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

from models.magenta_rt2.checkpoint.weights import load_depthformer
from models.magenta_rt2.depthformer.config import (
    CODEBOOK_SIZE,
    NUM_RESERVED_TOKENS,
    RVQ_LEVELS,
    SMALL,
)
from models.magenta_rt2.depthformer.stepper import FrameStepper


def main(checkpoint: Path, results: Path) -> None:
    expected = load_file(results)
    model = load_depthformer(checkpoint, SMALL)
    conditions = torch.from_numpy(expected["conditions"].astype(np.int64))
    given = torch.from_numpy(expected["given"].astype(np.int64))
    spread = float(expected["spread"][0])
    whole = model(given, conditions[: len(given)])
    parts = [
        whole[
            :,
            level,
            NUM_RESERVED_TOKENS + CODEBOOK_SIZE * level : NUM_RESERVED_TOKENS
            + CODEBOOK_SIZE * (level + 1),
        ]
        for level in range(RVQ_LEVELS)
    ]
    stepper = FrameStepper(model)
    offline = torch.stack(parts, dim=1).numpy()[:, :, ::8]
    streamed = torch.stack(
        [stepper.teacher_force(row, tokens) for row, tokens in zip(conditions, given, strict=False)]
    ).numpy()[:, :, ::8]
    for name, got in (("offline", offline), ("streamed", streamed)):
        error = np.abs(got - expected["logits"]).max() / spread
        print(f"{name}: largest difference {error:.2e} of the logits' spread {spread:.3f}")
    stepper.load(stepper.empty_context())
    no_noise = torch.zeros(RVQ_LEVELS, CODEBOOK_SIZE)
    tokens = torch.stack([stepper.step(row, no_noise, 0.0, 40) for row in conditions])
    same = ((tokens + stepper.offsets).numpy() == expected["tokens"]).mean()
    print(f"greedy: {100 * same:.2f} % of the tokens of {len(conditions)} frames are the same")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

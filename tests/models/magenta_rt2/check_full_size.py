"""Full-size `small` against what the reference made of the same random weights. Offline, by hand.

    python -m models.magenta_rt2.checkpoint.random_weights --size small --out FOLDER
    (in the reference's environment) make_depthformer_fixtures.py OUT --full CHECKPOINT
    python tests/models/magenta_rt2/check_full_size.py CHECKPOINT EXPECTED

EXPECTED is OUT/full_small_expected.safetensors. Prints the largest difference of the logits,
offline and streamed, against their spread, and whether
the greedy tokens are the same.
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


def main(checkpoint: Path, expected: Path) -> None:
    wanted = load_file(expected)
    model = load_depthformer(checkpoint, SMALL)
    conditions = torch.from_numpy(wanted["conditions"].astype(np.int64))
    given = torch.from_numpy(wanted["given"].astype(np.int64))
    spread = float(wanted["spread"][0])
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
        error = np.abs(got - wanted["logits"]).max() / spread
        print(f"{name}: largest difference {error:.2e} of the logits' spread {spread:.3f}")
    stepper.load(stepper.empty_context())
    silence = torch.zeros(RVQ_LEVELS, CODEBOOK_SIZE)
    tokens = torch.stack([stepper.step(row, silence, 0.0, 40) for row in conditions])
    same = ((tokens + stepper.offsets).numpy() == wanted["tokens"]).mean()
    print(f"greedy: {100 * same:.2f} % of the tokens of {len(conditions)} frames are the same")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Conversion of BeatNet's published weights (models.music.tracking.beatnet). Offline.

    python -m models.training.beatnet BeatNet/models/model_1_weights.pt \
        --export resources/weights/beatnet.safetensors

The file is in the package BeatNet 1.1.3 (Heydari, Cwitkowitz and Duan, CC BY 4.0): the first of its
three networks, the one that was trained without GTZAN. Only names and the number format change:
input and state of a recurrent layer lie side by side, and its two biases are added. Afterwards:
python -m models.storage.weights.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def converted(table: Mapping[str, Tensor]) -> dict[str, NDArray[np.float16]]:
    """Weights by their names in Segue's file."""
    found = {
        "conv.weight": table["conv1.weight"][:, 0],
        "conv.bias": table["conv1.bias"],
        "enter.weight": table["linear0.weight"],
        "enter.bias": table["linear0.bias"],
        "leave.weight": table["linear.weight"],
        "leave.bias": table["linear.bias"],
    }
    for layer, name in enumerate(("first", "second")):
        sides = (table[f"lstm.weight_{side}_l{layer}"] for side in ("ih", "hh"))
        found[f"{name}.weight"] = torch.cat(list(sides), dim=1)
        found[f"{name}.bias"] = table[f"lstm.bias_ih_l{layer}"] + table[f"lstm.bias_hh_l{layer}"]
    return {name: np.ascontiguousarray(value.numpy(), np.float16) for name, value in found.items()}


def main() -> int:
    """Read, convert, export."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description="Convert BeatNet's published weights.")
    parser.add_argument("weights", type=Path, help="model_1_weights.pt")
    parser.add_argument("--export", type=Path, required=True)
    asked = parser.parse_args()
    # weights_only: a pickle must not be able to run code.
    save_file(
        converted(torch.load(asked.weights, weights_only=True, map_location="cpu")), asked.export
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

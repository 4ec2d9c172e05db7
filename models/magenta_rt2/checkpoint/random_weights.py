"""Random weights in the layout of the released files, for tests and measurements.

    python -m models.magenta_rt2.checkpoint.random_weights --size small --out FOLDER

writes the files that the engine needs to run where the released weights are not available. Such a
model plays noise. A file of this kind says so in its metadata.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from models.magenta_rt2.checkpoint.files import CHECKPOINTS, CODEC_ENCODER
from models.magenta_rt2.checkpoint.weights import CODEC_PREFIX, TensorSlot, tensor_slots
from models.magenta_rt2.depthformer.config import (
    SIZES,
    DepthformerConfig,
    size_config,
)
from models.magenta_rt2.depthformer.network import Depthformer
from models.magenta_rt2.spectrostream.codec import SpectroStream, SpectroStreamConfig
from models.magenta_rt2.spectrostream.weights import targets

METADATA = {"segue": "random weights: for tests and measurements, not music"}


def random_tensors(config: DepthformerConfig, seed: int = 0) -> dict[str, Tensor]:
    """Every tensor of a depthformer, float32, with variances of a trained one's magnitude."""
    generator = torch.Generator().manual_seed(seed)
    return {slot.key: _random_tensor(slot, generator) for slot in tensor_slots(Depthformer(config))}


def _random_tensor(slot: TensorSlot, generator: torch.Generator) -> Tensor:
    noise = torch.randn(slot.shape, generator=generator)
    leaf = slot.key.rsplit("/", 1)[-1]
    if leaf == "scale":
        return 1.0 + 0.1 * noise
    if leaf in ("bias", "per_dim_scale"):
        return 0.1 * noise
    if leaf == "embedding":
        # The model multiplies it by the root of the width, or sums over twelve levels.
        return noise / math.sqrt(slot.shape[-1])
    if leaf.startswith("sink_"):
        return 0.5 * noise
    fan_in = math.prod(slot.shape[1:]) if "output_projection" in slot.key else slot.shape[0]
    # The logits get the spread of a trained model's, so that the soft cap has an effect.
    return noise * ((3.0 if "to_logits" in slot.key else 1.0) / math.sqrt(fan_in))


def random_codec(config: SpectroStreamConfig, seed: int = 0) -> dict[str, Tensor]:
    """Every tensor of the codec by its released key, float32, keeping signals near their level."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for key, target in targets(SpectroStream(config)).items():
        noise = torch.randn(target.shape, generator=generator)
        if len(target.shape) == 1:
            noise *= 0.05
        elif len(target.shape) == 4:  # (time, frequency, inputs, outputs)
            noise /= math.sqrt(math.prod(target.shape[:3]))
        tensors[key] = noise
    return tensors


def write(
    folder: Path,
    size: str,
    seed: int = 0,
    config: DepthformerConfig | None = None,
    codec: SpectroStreamConfig | None = None,
) -> Path:
    """Write the released files of a size with random weights; returns the checkpoint's path.

    config, codec: other sizes than the released ones, for tests.
    """
    tensors = random_tensors(config or size_config(size), seed)
    encoder = {}
    for key, tensor in random_codec(codec or SpectroStreamConfig(), seed + 1).items():
        if key.startswith("encoder/"):
            encoder["params/" + key] = tensor
        else:
            tensors[CODEC_PREFIX + key] = tensor
    checkpoint = folder / CHECKPOINTS[f"magenta-rt2-{size}"]
    for path, part in ((checkpoint, tensors), (folder / CODEC_ENCODER, encoder)):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(part, path, metadata=METADATA)
    return checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    path = write(chosen.out, chosen.size, chosen.seed)
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB of random weights")


if __name__ == "__main__":
    main()

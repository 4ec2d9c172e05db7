"""What a guided renderer has learned beyond the weights that it began as, in a file of its own.

`segue-diffusion` plays the renderer without a guide and sounds better with it as it was; learned
sounds are changes of it too. So the guide's training is kept as a difference, which the dreamer
adds: three bits a number, in steps of the size of each row (a uniform quantiser of eight levels,
with the step for a normal distribution: Max, "Quantizing for minimum distortion", 1960).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.errors import SegueError
from models.segue.renderer.network import Renderer
from models.storage.weights import sha256_of

BITS: Final = 3
MIDDLE: Final = 2 ** (BITS - 1) - 0.5
STEP: Final = 0.586
"""Step between levels, in standard deviations of a row."""
SMALL: Final = 4096
"""Numbers under which a tensor is stored whole."""
CODES, STEPS = ".codes", ".steps"
BASE: Final = "renderer"  # field of the header: SHA-256 of the weights that the file belongs to


def write_guide(base: Path, before: Renderer, after: Renderer, path: Path) -> None:
    """Write what a guided network has learned.

    Args:
        base: file of the weights that it began as.
        before: the network of that file.
        after: the guided network.
        path: file to be written, whole or not at all.

    """
    known, tensors = before.state_dict(), dict[str, Tensor]()
    for name, value in after.state_dict().items():
        if name not in known or value.dim() != 2 or value.numel() < SMALL:
            tensors[name] = value.detach().cpu().half().contiguous()
            continue
        difference = (value - known[name]).detach().cpu().float().numpy()
        steps = (STEP * difference.std(axis=1, keepdims=True) + 1e-12).astype(np.float32)
        codes = np.clip(np.rint(difference / steps + MIDDLE), 0, 2**BITS - 1).astype(np.uint8)
        tensors[name + CODES] = torch.from_numpy(_packed(codes))
        tensors[name + STEPS] = torch.from_numpy(steps[:, 0])
    partial = path.with_suffix(".part")
    save_file(tensors, str(partial), metadata={BASE: sha256_of(base)})
    partial.chmod(0o644)  # safetensors creates it readable by its owner only
    partial.replace(path)


def with_guide(base: Path, before: Renderer, path: Path) -> Renderer:
    """The guided network of a file.

    Args:
        base: file of the weights that it began as.
        before: the network of that file, which is not changed.
        path: of `write_guide`.

    Raises:
        SegueError: the file is missing, damaged, or belongs to other weights.

    """
    after = Renderer(dataclasses.replace(before.config, guided=1))
    try:
        with safe_open(str(path), framework="pt") as file:
            owner = (file.metadata() or {}).get(BASE)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        weights = _added(before.state_dict(), tensors)
        after.load_state_dict(weights)
    except (SafetensorError, RuntimeError, ValueError, KeyError, OSError) as error:
        raise SegueError(f"the weights {path.name} are damaged: restore the file.") from error
    if owner != sha256_of(base):
        raise SegueError(f"{path.name} does not belong to {base.name}: restore both files.")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in weights.values()):
        raise SegueError(f"the weights {path.name} hold numbers that are not finite: restore it.")
    after.to(before.no_style.device).eval().requires_grad_(False)
    return after


def _added(known: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with the differences of a file."""
    weights = dict(known)
    for name, value in tensors.items():
        if name.endswith(CODES):
            target = name.removesuffix(CODES)
            before = known[target]
            codes = _unpacked(value.numpy(), before.numel()).reshape(before.shape)
            steps = tensors[target + STEPS].float()[:, None]
            difference = (torch.from_numpy(codes.astype(np.float32)) - MIDDLE) * steps
            weights[target] = before + difference.to(before.device)
        elif not name.endswith(STEPS):
            weights[name] = value.float()
    return weights


def _packed(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes as bytes, BITS each, the highest bit first."""
    bits = np.unpackbits(codes.reshape(-1, 1), axis=1)[:, 8 - BITS :]
    return np.packbits(bits.reshape(-1))


def _unpacked(packed: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """The first `count` codes."""
    bits = np.unpackbits(packed, count=count * BITS).reshape(count, BITS)
    return np.asarray(np.packbits(bits, axis=1)[:, 0] >> (8 - BITS), np.uint8)

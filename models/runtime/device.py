"""Which device torch computes on. Inference lane and offline; imports torch only when asked."""

from __future__ import annotations

from models.errors import SegueError


def resolve_device(device: str = "auto") -> str:
    """'auto', 'cpu', 'cuda' or 'mps' -> the torch device to use.

    auto takes a GPU where torch has one. Raises SegueError for one that is not there.
    """
    import torch

    have = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if have[name])
    if device not in have:
        raise SegueError(f"there is no device '{device}': choose from auto, {', '.join(have)}.")
    if not have[device]:
        raise SegueError(f"torch finds no {device} device here: use --device cpu, or auto.")
    return device

"""Choice of the torch device."""

from __future__ import annotations

from models.errors import SegueError


def use_full_precision() -> None:
    """Compute float32 on a CUDA device in float32: TF32, torch's default in convolutions, has ten
    bits of mantissa. The codec is no slower without it.
    """
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def resolve_device(device: str = "auto") -> str:
    """The torch device for 'auto', 'cpu', 'cuda' or 'mps'; auto prefers a GPU.

    Raises SegueError for a device that torch does not find.
    """
    import torch

    found = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if found[name])
    if device not in found:
        raise SegueError(f"there is no device '{device}': choose from auto, {', '.join(found)}.")
    if not found[device]:
        raise SegueError(f"torch finds no {device} device here: use --device cpu, or auto.")
    return device

"""Loading of the renderer's weights from safetensors."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from models.errors import SegueError
from models.segue.renderer.network import Renderer, RendererConfig


def load_renderer(path: Path, device: str = "cpu") -> Renderer:
    """A float32 renderer in inference mode.

    Args:
        path: safetensors file whose header holds the `RendererConfig`.
        device: torch device.

    Raises:
        SegueError: the file is missing, damaged or of another version.
    """
    if not path.is_file():
        raise SegueError(f"the weights {path.name} are missing: restore {path.parent.name}.")
    try:
        with safe_open(str(path), framework="pt") as file:
            config = RendererConfig.from_metadata(file.metadata() or {})
            names = list(file.keys())
            tensors = {name: file.get_tensor(name).float() for name in names}
        renderer = Renderer(config)
        renderer.load_state_dict(tensors)
    except (SafetensorError, RuntimeError, ValueError, KeyError, OSError) as error:
        raise SegueError(
            f"the weights {path.name} are damaged or of another version: restore the file."
        ) from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise SegueError(f"the weights {path.name} hold numbers that are not finite: restore it.")
    renderer.to(device).eval().requires_grad_(False)
    return renderer

"""Loading of the renderer's weights from safetensors."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from models.errors import SegueError
from models.segue.renderer.inference import RendererInference
from models.segue.renderer.network import Renderer, RendererConfig
from models.segue.renderer.sampler import Sampler


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


def load_sampler(path: Path) -> Sampler:
    """How a file's weights are to be sampled; as the flow where the file does not say.

    Raises:
        SegueError: the file cannot be read, or asks for what this version does not know.

    """
    try:
        with safe_open(str(path), framework="pt") as file:
            return Sampler.from_metadata(file.metadata() or {})
    except (SafetensorError, ValueError, OSError) as error:
        raise SegueError(
            f"the weights {path.name} are damaged or of another version: restore the file."
        ) from error


def load_inference(path: Path, device: str = "cpu") -> RendererInference:
    """A file's weights laid out for inference, sampled as the file says.

    The network itself is freed: inference keeps its own packed copy of the weights.

    Raises:
        SegueError: the file is missing, damaged or of another version.

    """
    inference: RendererInference = RendererInference(
        load_renderer(path, device), load_sampler(path)
    )
    return inference

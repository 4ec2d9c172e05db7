"""The released weights into the model, memory-mapped and without conversion. Inference lane.

Key names and layouts are those that the reference's `jax/system.py` reads and `mlx/load_weights.py`
spells out (magenta-rt 2.0.3, Apache-2.0). On a CPU in the file's own number format the parameters
are views of the mapped file: nothing is copied, and pages come in as they are first used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from models.command import PROGRAM_NAME
from models.errors import SegueError
from models.magenta_rt2.depthformer.config import SIZES, DepthformerConfig
from models.magenta_rt2.depthformer.layers import Attention, Dense, DepthformerLayer, FeedForward
from models.magenta_rt2.depthformer.network import Depthformer

PREFIX: Final = "params/depthformer/"
CODEC_PREFIX: Final = "params/soundstream/"


@dataclass(frozen=True)
class TensorSlot:
    """One tensor of the file: its key and shape there, and the parameter that it becomes."""

    key: str
    shape: tuple[int, ...]
    module: nn.Module
    attribute: str


def slots(model: Depthformer) -> Iterator[TensorSlot]:
    """Every tensor that the model needs."""
    config = model.config
    encoder = PREFIX + "encoder/body/"
    style = encoder + "layers_1/branched_mulan_embedder/mulan_embedder/"
    rest = encoder + "layers_1/branched_regular_embedder/regular_embedder/"
    decoder = PREFIX + "decoder/"
    depth = decoder + "depth_body/"
    condition = model.condition
    yield _plain(style + "mulan_dequantizer/embedding", condition, "style_table")
    yield _plain(style + "depth_input_adapter/kernel", condition.style_adapter, "weight")
    yield _plain(rest + "embedding", condition, "channel_table")
    yield from _norm(encoder + "encoder_ln", condition.norm)
    yield _plain(decoder + "decoder_embedding/embedding/embedding", model, "table")
    for number, layer in enumerate(model.temporal_layers):
        name = f"{decoder}temporal_body/transformer/x_layers_{number}/"
        yield from _layer(name, layer, config.temporal.width, config.condition_width)
    if model.adapter is not None:
        yield _plain(depth + "depth_input_adapter/kernel", model.adapter, "weight")
    for number, layer in enumerate(model.depth_layers):
        name = f"{depth}transformer/x_layers_{number}/"
        yield from _layer(name, layer, config.depth.width, None)
    yield from _norm(depth + "final_ln", model.depth_norm)
    yield from _kernel(depth + "to_logits", model.head)


def _plain(key: str, module: nn.Module, attribute: str) -> TensorSlot:
    return TensorSlot(key, tuple(getattr(module, attribute).shape), module, attribute)


def _norm(key: str, module: nn.Module) -> Iterator[TensorSlot]:
    for name, _ in module.named_parameters(recurse=False):
        yield _plain(f"{key}/{name}", module, name)


def _kernel(key: str, kernel: Dense) -> Iterator[TensorSlot]:
    yield _plain(key + "/kernel", kernel, "weight")
    if kernel.bias is not None:
        yield _plain(key + "/bias", kernel, "bias")


def _layer(
    key: str, layer: DepthformerLayer, width: int, source: int | None
) -> Iterator[TensorSlot]:
    yield from _attention(key + "self_attention/", layer.own, (width,) * 3)
    if layer.cross is not None and source is not None:
        yield from _attention(key + "cross_attention/", layer.cross, (width, source, source))
    feed: FeedForward = layer.feed
    yield from _kernel(key + "ffn/ffn_layer1", feed.first)
    yield from _kernel(key + "ffn/ffn_layer2", feed.second)
    yield from _norm(key + "ffn/pre_norm", feed.pre_norm)
    yield from _norm(key + "ffn/post_norm", feed.post_norm)


def _attention(
    key: str, attention: Attention, widths: tuple[int, int, int]
) -> Iterator[TensorSlot]:
    heads, size = attention.heads, attention.head_dim
    parts = list(attention.project.parts)
    if attention.project_source is not None:
        parts += list(attention.project_source.parts)
    for name, width, part in zip(("query", "key", "value"), widths, parts, strict=True):
        shape = (width, heads, size)
        yield TensorSlot(f"{key}attention/{name}_projection/kernel", shape, part, "weight")
    yield _plain(key + "attention/per_dim_scale", attention, "per_dim_scale")
    if attention.sink_key is not None:
        for name in ("key", "value"):
            sink = f"{key}attention/sink_{name}_embeddings"
            yield TensorSlot(sink, (1, heads, size), attention, f"sink_{name}")
    width = attention.output.outputs
    yield TensorSlot(
        f"{key}output_projection/kernel", (width, heads, size), attention.output, "weight"
    )
    yield from _norm(key + "pre_norm", attention.pre_norm)
    yield from _norm(key + "post_norm", attention.post_norm)


def load_depthformer(
    path: Path,
    config: DepthformerConfig,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    join: bool = False,
) -> Depthformer:
    """The model of `config` with the weights of a released file, on a device.

    Raises SegueError for a file that is missing or damaged, and one that names every key that is
    missing or too much and every shape that is wrong.
    """
    model = Depthformer(config)
    wanted = {slot.key: slot for slot in slots(model)}
    with open_file(path, config.name, device) as file:
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        ours = {key: shape for key, shape in shapes.items() if not key.startswith(CODEC_PREFIX)}
        fault = misfit({key: slot.shape for key, slot in wanted.items()}, ours)
        if fault:
            raise SegueError(_not_this_model(path, config, ours) + fault + _remedy(config.name))
        for key, slot in wanted.items():
            tensor = file.get_tensor(key)
            shape = getattr(slot.module, slot.attribute).shape
            tensor = tensor.to(device=device, dtype=dtype).view(shape)
            setattr(slot.module, slot.attribute, nn.Parameter(tensor, requires_grad=False))
    model.eval()
    model.finish(join=join)
    return model


def codec_tensors(path: Path, name: str, device: str = "cpu") -> dict[str, Tensor]:
    """The codec's tensors of a released file, by their keys without the common part."""
    with open_file(path, name, device) as file:
        keys = [key for key in file.keys() if key.startswith(CODEC_PREFIX)]  # noqa: SIM118
        return {key.removeprefix(CODEC_PREFIX): file.get_tensor(key) for key in keys}


def file_tensors(path: Path, name: str) -> dict[str, Tensor]:
    """Every tensor of a released file, on the CPU."""
    with open_file(path, name) as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def file_metadata(path: Path, name: str) -> dict[str, str]:
    """What a released file says about itself."""
    with open_file(path, name) as file:
        return dict(file.metadata() or {})


def open_file(path: Path, name: str, device: str = "cpu") -> Any:
    """The opened safetensors file; SegueError where it is not there or not whole."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise SegueError(
            f"the weights of {name} are not here ({path.name} is missing)" + _fetch(name)
        )
    try:
        return safe_open(path, framework="pt", device=device)
    except (SafetensorError, OSError) as error:
        raise SegueError(
            f"{path.name} is damaged or was cut short ({error})" + _remedy(name)
        ) from error


def misfit(
    wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> str | None:
    """How shapes by key differ from what is wanted, in words; None where they are the same."""
    missing = sorted(wanted.keys() - found.keys())
    strange = sorted(found.keys() - wanted.keys())
    wrong = [
        f"{key} is {found[key]} and must be {shape}"
        for key, shape in sorted(wanted.items())
        if key in found and found[key] != shape
    ]
    parts = []
    if missing:
        parts.append(f"missing: {', '.join(missing)}")
    if strange:
        parts.append(f"unknown: {', '.join(strange)}")
    if wrong:
        parts.append(f"of another shape: {', '.join(wrong)}")
    return "; ".join(parts) or None


def _not_this_model(
    path: Path, config: DepthformerConfig, found: Mapping[str, tuple[int, ...]]
) -> str:
    """The beginning of the sentence; tells when the file is that of the other size."""
    table = found.get(PREFIX + "decoder/decoder_embedding/embedding/embedding")
    for other in SIZES.values():
        width = other.temporal.width
        if other is not config and table is not None and table[-1:] == (width,):
            return f"{path.name} holds {other.name}, not {config.name} - "
    return f"{path.name} does not fit {config.name} - "


def _fetch(name: str) -> str:
    return f": run `{PROGRAM_NAME} models fetch {name}`."


def _remedy(name: str) -> str:
    return f": fetch it again with `{PROGRAM_NAME} models fetch {name}`."


def parameter_count(model: Depthformer) -> int:
    """Numbers in the file that the model uses."""
    return sum(math.prod(slot.shape) for slot in slots(model))

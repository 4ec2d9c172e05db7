"""Loading of the depthformer's released weights, memory-mapped and without conversion.

Key names and layouts are those that the reference's `jax/system.py` reads and `mlx/load_weights.py`
spells out (magenta-rt 2.0.3, Apache-2.0). On a CPU in the file's own dtype the parameters are views
of the mapped file: nothing is copied, and pages are read when they are first used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from models.command import PROGRAM_NAME
from models.errors import SegueError
from models.magenta_rt2.depthformer.config import SIZES, DepthformerConfig

if TYPE_CHECKING:
    from safetensors import safe_open
from models.magenta_rt2.depthformer.layers import Attention, Dense, DepthformerLayer, FeedForward
from models.magenta_rt2.depthformer.network import Depthformer

PREFIX: Final = "params/depthformer/"
CODEC_PREFIX: Final = "params/soundstream/"


@dataclass(frozen=True)
class TensorSlot:
    """A tensor of the released file: its key and shape there, and the parameter it is loaded to."""

    key: str
    shape: tuple[int, ...]
    module: nn.Module
    attribute: str


def tensor_slots(model: Depthformer) -> Iterator[TensorSlot]:
    """Every tensor of the released file that the model needs."""
    config = model.config
    encoder = PREFIX + "encoder/body/"
    style = encoder + "layers_1/branched_mulan_embedder/mulan_embedder/"
    rest = encoder + "layers_1/branched_regular_embedder/regular_embedder/"
    decoder = PREFIX + "decoder/"
    depth = decoder + "depth_body/"
    condition = model.encoder
    yield _slot(style + "mulan_dequantizer/embedding", condition, "style_embedding")
    yield _slot(style + "depth_input_adapter/kernel", condition.style_adapter, "weight")
    yield _slot(rest + "embedding", condition, "channel_embedding")
    yield from _norm(encoder + "encoder_ln", condition.norm)
    yield _slot(decoder + "decoder_embedding/embedding/embedding", model, "decoder_embedding")
    for number, layer in enumerate(model.temporal_body):
        name = f"{decoder}temporal_body/transformer/x_layers_{number}/"
        yield from _layer(name, layer, config.temporal.model_dims, config.encoder_dims)
    if model.depth_input_adapter is not None:
        yield _slot(depth + "depth_input_adapter/kernel", model.depth_input_adapter, "weight")
    for number, layer in enumerate(model.depth_body):
        name = f"{depth}transformer/x_layers_{number}/"
        yield from _layer(name, layer, config.depth.model_dims, None)
    yield from _norm(depth + "final_ln", model.final_ln)
    yield from _dense(depth + "to_logits", model.to_logits)


def _slot(key: str, module: nn.Module, attribute: str) -> TensorSlot:
    return TensorSlot(key, tuple(getattr(module, attribute).shape), module, attribute)


def _norm(key: str, module: nn.Module) -> Iterator[TensorSlot]:
    for name, _ in module.named_parameters(recurse=False):
        yield _slot(f"{key}/{name}", module, name)


def _dense(key: str, kernel: Dense) -> Iterator[TensorSlot]:
    yield _slot(key + "/kernel", kernel, "weight")
    if kernel.bias is not None:
        yield _slot(key + "/bias", kernel, "bias")


def _layer(
    key: str, layer: DepthformerLayer, width: int, source: int | None
) -> Iterator[TensorSlot]:
    yield from _attention(key + "self_attention/", layer.self_attention, (width,) * 3)
    if layer.cross_attention is not None and source is not None:
        yield from _attention(
            key + "cross_attention/", layer.cross_attention, (width, source, source)
        )
    ffn: FeedForward = layer.ffn
    yield from _dense(key + "ffn/ffn_layer1", ffn.ffn_layer1)
    yield from _dense(key + "ffn/ffn_layer2", ffn.ffn_layer2)
    yield from _norm(key + "ffn/pre_norm", ffn.pre_norm)
    yield from _norm(key + "ffn/post_norm", ffn.post_norm)


def _attention(
    key: str, attention: Attention, widths: tuple[int, int, int]
) -> Iterator[TensorSlot]:
    heads, size = attention.num_heads, attention.dim_per_head
    parts = list(attention.input_projection.parts)
    if attention.source_projection is not None:
        parts += list(attention.source_projection.parts)
    for name, width, part in zip(("query", "key", "value"), widths, parts, strict=True):
        shape = (width, heads, size)
        yield TensorSlot(f"{key}attention/{name}_projection/kernel", shape, part, "weight")
    yield _slot(key + "attention/per_dim_scale", attention, "per_dim_scale")
    if attention.sink_key is not None:
        for name in ("key", "value"):
            sink = f"{key}attention/sink_{name}_embeddings"
            yield TensorSlot(sink, (1, heads, size), attention, f"sink_{name}")
    width = attention.output_projection.outputs
    yield TensorSlot(
        f"{key}output_projection/kernel",
        (width, heads, size),
        attention.output_projection,
        "weight",
    )
    yield from _norm(key + "pre_norm", attention.pre_norm)
    yield from _norm(key + "post_norm", attention.post_norm)


def load_depthformer(
    path: Path,
    config: DepthformerConfig,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    fuse: bool = False,
) -> Depthformer:
    """A depthformer with the weights of a released file.

    Args:
        path: the checkpoint.
        config: the sizes that it must have.
        device: of the parameters.
        dtype: of the parameters.
        fuse: compute query, key and value by one layer each, see `Projections.fuse`.

    Raises:
        SegueError: the file is missing or damaged, or has missing or unknown keys or wrong shapes,
            all of which it names.

    """
    model = Depthformer(config)
    expected = {slot.key: slot for slot in tensor_slots(model)}
    with open_file(path, config.name, device) as file:
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        ours = {key: shape for key, shape in shapes.items() if not key.startswith(CODEC_PREFIX)}
        fault = shape_mismatch({key: slot.shape for key, slot in expected.items()}, ours)
        if fault:
            raise SegueError(
                _mismatch_prefix(path, config, ours) + fault + _fetch_again(config.name)
            )
        for key, slot in expected.items():
            tensor = file.get_tensor(key)
            shape = getattr(slot.module, slot.attribute).shape
            tensor = tensor.to(device=device, dtype=dtype).view(shape)
            setattr(slot.module, slot.attribute, nn.Parameter(tensor, requires_grad=False))
    model.eval()
    model.finalize(fuse=fuse)
    return model


def codec_tensors(path: Path, name: str, device: str = "cpu") -> dict[str, Tensor]:
    """The codec's tensors of a released file, by their keys without CODEC_PREFIX."""
    with open_file(path, name, device) as file:
        keys = [key for key in file.keys() if key.startswith(CODEC_PREFIX)]  # noqa: SIM118
        return {key.removeprefix(CODEC_PREFIX): file.get_tensor(key) for key in keys}


def file_tensors(path: Path, name: str) -> dict[str, Tensor]:
    """Every tensor of a released file, on the CPU."""
    with open_file(path, name) as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def file_metadata(path: Path, name: str) -> dict[str, str]:
    """Metadata of a released file."""
    with open_file(path, name) as file:
        return dict(file.metadata() or {})


def open_file(path: Path, name: str, device: str = "cpu") -> safe_open:
    """The opened safetensors file; SegueError where it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise SegueError(
            f"the weights of {name} are not here ({path.name} is missing)" + _fetch_first(name)
        )
    try:
        return safe_open(path, framework="pt", device=device)
    except (SafetensorError, OSError) as error:
        raise SegueError(
            f"{path.name} is damaged or was cut short ({error})" + _fetch_again(name)
        ) from error


def shape_mismatch(
    expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> str | None:
    """How shapes by key differ from the expected ones, in words; None where they are equal."""
    missing = sorted(expected.keys() - found.keys())
    unknown = sorted(found.keys() - expected.keys())
    wrong = [
        f"{key} is {found[key]} and must be {shape}"
        for key, shape in sorted(expected.items())
        if key in found and found[key] != shape
    ]
    parts = []
    if missing:
        parts.append(f"missing: {', '.join(missing)}")
    if unknown:
        parts.append(f"unknown: {', '.join(unknown)}")
    if wrong:
        parts.append(f"of another shape: {', '.join(wrong)}")
    return "; ".join(parts) or None


def _mismatch_prefix(
    path: Path, config: DepthformerConfig, found: Mapping[str, tuple[int, ...]]
) -> str:
    """Beginning of the error message; says if the file is that of the other size."""
    table = found.get(PREFIX + "decoder/decoder_embedding/embedding/embedding")
    for other in SIZES.values():
        width = other.temporal.model_dims
        if other is not config and table is not None and table[-1:] == (width,):
            return f"{path.name} holds {other.name}, not {config.name} - "
    return f"{path.name} does not fit {config.name} - "


def _fetch_first(name: str) -> str:
    return f": run `{PROGRAM_NAME} models fetch {name}`."


def _fetch_again(name: str) -> str:
    return f": fetch it again with `{PROGRAM_NAME} models fetch {name}`."

"""Loading of the depthformer's released weights, memory-mapped and without conversion.

Key names and layouts are those that the reference's `jax/system.py` reads and `mlx/load_weights.py`
spells out (magenta-rt 2.0.3, Apache-2.0). On a CPU in the file's own dtype the parameters are views
of the mapped file: nothing is copied. Every value is looked at once, so that damage is named here
and not heard as noise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from models.command import PROGRAM_NAME
from models.errors import SegueError
from models.magenta_rt2.checkpoint.tensor_checks import (
    is_finite,
    name_some,
    shape_mismatch,
    type_fault,
)
from models.magenta_rt2.depthformer.config import SIZES, DepthformerConfig
from models.magenta_rt2.depthformer.layers import Attention, Dense, DepthformerLayer, FeedForward
from models.magenta_rt2.depthformer.network import Depthformer

if TYPE_CHECKING:
    from safetensors import safe_open

PREFIX: Final = "params/depthformer/"
CODEC_PREFIX: Final = "params/soundstream/"
ERROR_LENGTH: Final = 100
"""Characters of another package's error message that a sentence holds."""
FUSED: Final = {
    "query_key_value_projection": ("query_projection", "key_projection", "value_projection"),
    "key_value_projection": ("key_projection", "value_projection"),
}
"""Layers that the reference may store as one, and those that they consist of."""


@dataclass(frozen=True)
class TensorSlot:
    """A tensor of the released file: its key and shape there, and the parameter it is loaded to."""

    key: str
    shape: tuple[int, ...]
    module: nn.Module
    attribute: str


@dataclass(frozen=True)
class FileTensor:
    """A tensor of a file, which is loaded to one parameter, or to several along its second axis."""

    shape: tuple[int, ...]
    slots: tuple[TensorSlot, ...]

    def pieces(self, tensor: Tensor) -> Iterator[tuple[TensorSlot, Tensor]]:
        """Each parameter with its part of the tensor."""
        if len(self.slots) == 1:
            yield self.slots[0], tensor
        else:
            yield from ((slot, tensor[:, number]) for number, slot in enumerate(self.slots))


def file_layout(slots: Iterable[TensorSlot], keys: Collection[str]) -> dict[str, FileTensor]:
    """The tensors that a file with these keys must have.

    The released layout, and where the file has one of FUSED instead the reference's other one,
    `query_key_value_projection` (inputs, 3, heads, size) and `key_value_projection` (inputs, 2,
    heads, size) (`_load_attention_weights` of `mlx/load_weights.py`, magenta-rt 2.0.3, Apache-2.0).
    """
    separate = {slot.key: slot for slot in slots}
    layout = {key: FileTensor(slot.shape, (slot,)) for key, slot in separate.items()}
    for key in keys:
        stem, _, layer = key.removesuffix("/kernel").rpartition("/")
        parts = [separate.get(f"{stem}/{part}/kernel") for part in FUSED.get(layer, ())]
        fused = tuple(slot for slot in parts if slot is not None)
        if fused and len(fused) == len(parts):
            for slot in fused:
                layout.pop(slot.key, None)
            width, *rest = fused[0].shape
            layout[key] = FileTensor((width, len(fused), *rest), fused)
    return layout


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
            of which it names three; or tensors that are no floats, or not finite.

    """
    model = Depthformer(config)
    with open_file(path, config.name, device) as file:
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        ours = {key: shape for key, shape in shapes.items() if not key.startswith(CODEC_PREFIX)}
        expected = file_layout(tensor_slots(model), ours.keys())
        fault = _other_size(config, ours) or shape_mismatch(
            {key: tensor.shape for key, tensor in expected.items()}, ours
        )
        _refuse(path, config.name, fault or type_fault(file, expected))
        broken = []
        for key, part in expected.items():
            tensor = file.get_tensor(key)
            if not is_finite(tensor):
                broken.append(key)
            for slot, piece in part.pieces(tensor):
                shape = getattr(slot.module, slot.attribute).shape
                piece = piece.to(device=device, dtype=dtype).reshape(shape)
                setattr(slot.module, slot.attribute, nn.Parameter(piece, requires_grad=False))
        _refuse(path, config.name, f"not finite: {name_some(broken)}" if broken else None)
    model.eval()
    model.finalize(fuse=fuse)
    return model


def codec_tensors(path: Path, name: str, device: str = "cpu") -> dict[str, Tensor]:
    """The codec's tensors of a released file, by their keys without CODEC_PREFIX.

    SegueError where the file is missing or damaged, or has tensors that are no finite floats.
    """
    return {
        key.removeprefix(CODEC_PREFIX): tensor
        for key, tensor in _tensors(path, name, CODEC_PREFIX, device).items()
    }


def file_tensors(path: Path, name: str) -> dict[str, Tensor]:
    """Every tensor of a released file, on the CPU; raises as `codec_tensors` does."""
    return _tensors(path, name, "", "cpu")


def _tensors(path: Path, name: str, prefix: str, device: str) -> dict[str, Tensor]:
    with open_file(path, name, device) as file:
        keys = [key for key in file.keys() if key.startswith(prefix)]  # noqa: SIM118
        _refuse(path, name, type_fault(file, keys))
        tensors = {key: file.get_tensor(key) for key in keys}
    broken = [key for key, tensor in tensors.items() if not is_finite(tensor)]
    _refuse(path, name, f"not finite: {name_some(broken)}" if broken else None)
    return tensors


def file_metadata(path: Path, name: str) -> dict[str, str]:
    """Metadata of a released file."""
    with open_file(path, name) as file:
        return dict(file.metadata() or {})


def open_file(path: Path, name: str, device: str = "cpu") -> safe_open:
    """The opened safetensors file; SegueError where it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise SegueError(
            f"the weights of {name} are not here ({path.name} is missing)" + _fetch(name)
        )
    try:
        return safe_open(path, framework="pt", device=device)
    except (SafetensorError, OSError) as error:
        raise SegueError(
            f"{path.name} is damaged or was cut short ({str(error)[:ERROR_LENGTH]})" + _fetch(name)
        ) from error


def _refuse(path: Path, name: str, fault: str | None) -> None:
    if fault is not None:
        raise SegueError(f"{path.name} does not fit: {fault}{_fetch(name)}")


def _other_size(config: DepthformerConfig, found: Mapping[str, tuple[int, ...]]) -> str | None:
    """That the file holds the other size, in words; None where it does not."""
    table = found.get(PREFIX + "decoder/decoder_embedding/embedding/embedding")
    for other in SIZES.values():
        width = other.temporal.model_dims
        if other is not config and table is not None and table[-1:] == (width,):
            return f"it holds {other.name}"
    return None


def _fetch(name: str) -> str:
    return f": run {PROGRAM_NAME} models fetch {name}."

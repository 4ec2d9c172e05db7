"""Loading of SpectroStream's released weights.

Keys and layouts are those that `magenta_rt.jax` of magenta-rt 2.0.3 writes (Apache-2.0). A
checkpoint holds `params/soundstream/...`; the encoder comes in a file of its own with
`params/encoder/...`. Kernels are (time, frequency, in, out); those of transposed convolutions are
stored flipped in time and frequency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from models.errors import SegueError
from models.magenta_rt2.checkpoint.tensor_checks import name_some
from models.magenta_rt2.spectrostream.codec import SpectroStream
from models.magenta_rt2.spectrostream.layers import (
    CausalConv2d,
    CausalConvTranspose2d,
    ResidualUnit,
)

PARTS: Final = ("quantizer", "encoder", "decoder")
_PREFIXES: Final = ("params/soundstream/", "params/")


@dataclass(frozen=True)
class TensorTarget:
    """Destination of a released tensor: the parameter, the released shape, the conversion."""

    parameter: nn.Parameter
    shape: tuple[int, ...]
    convert: Callable[[Tensor], Tensor]


def _conv(kernel: Tensor) -> Tensor:
    return kernel.permute(3, 2, 0, 1)


def _transposed(kernel: Tensor) -> Tensor:
    return kernel.flip(0, 1).permute(2, 3, 0, 1)


def _linear(kernel: Tensor) -> Tensor:
    return kernel[0, 0].T


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _layer_targets(key: str, layer: nn.Module) -> Iterable[tuple[str, TensorTarget]]:
    weight, bias = layer.weight, layer.bias
    shape = tuple(weight.shape)
    if isinstance(layer, nn.Linear):
        kernel = TensorTarget(weight, (1, 1, shape[1], shape[0]), _linear)
    elif isinstance(layer, CausalConvTranspose2d):
        kernel = TensorTarget(weight, (shape[2], shape[3], shape[0], shape[1]), _transposed)
    else:
        kernel = TensorTarget(weight, (shape[2], shape[3], shape[1], shape[0]), _conv)
    yield f"{key}/conv/kernel", kernel
    yield f"{key}/conv/bias", TensorTarget(bias, tuple(bias.shape), _same)


def _unit_targets(key: str, unit: ResidualUnit) -> Iterable[tuple[str, TensorTarget]]:
    if not unit.transposed:
        named = {"conv2d_3x3": unit.first, _name(unit.second, "conv2d", "_a"): unit.second}
    elif isinstance(unit.first, CausalConvTranspose2d):
        named = {_name(unit.first, "conv2dtranspose"): unit.first, "conv2d_3x3": unit.second}
    else:
        named = {"conv2d_3x3_a": unit.first, "conv2d_3x3": unit.second}
    for name, layer in named.items():
        yield from _layer_targets(f"{key}/{name}", layer)
    if unit.shortcut is not None:
        yield from _layer_targets(f"{key}/shortcut_layer/conv1x1", unit.shortcut)


def _name(layer: CausalConv2d | CausalConvTranspose2d, kind: str, tail: str = "") -> str:
    return f"{kind}_{layer.kernel[0]}x{layer.kernel[1]}{tail}"


def targets(codec: SpectroStream, parts: Iterable[str] = PARTS) -> dict[str, TensorTarget]:
    """Destinations of the released tensors of these parts by key, such as 'decoder/decoder_0/...'.

    The quantizer's shape has the levels that the codec loads; the file may hold more.
    """
    found: dict[str, TensorTarget] = {}
    for part in parts:
        if part == "quantizer":
            books = codec.quantizer.codebooks
            found["quantizer/embedding"] = TensorTarget(books, tuple(books.shape), _same)
        elif part == "encoder":
            found.update(_encoder_targets(codec))
        elif part == "decoder":
            found.update(_decoder_targets(codec))
        else:
            raise ValueError(f"no part {part!r}: choose from {', '.join(PARTS)}")
    return found


def _encoder_targets(codec: SpectroStream) -> Iterable[tuple[str, TensorTarget]]:
    encoder = codec.encoder
    yield from _layer_targets("encoder/base_conv_first", encoder.base_conv_first)
    for level, unit in enumerate(encoder.units):
        assert isinstance(unit, ResidualUnit)
        yield from _unit_targets(f"encoder/encoder_{level}", unit)
    yield from _unit_targets("encoder/bottleneck", encoder.bottleneck)
    yield from _layer_targets("encoder/output_convs/conv1x1_last", encoder.conv1x1_last)
    shortcut = "encoder/output_convs/shortcut_layer"
    yield from _layer_targets(f"{shortcut}/conv1x1_b1", encoder.conv1x1_b1)
    yield from _layer_targets(f"{shortcut}/conv1x1_b2", encoder.conv1x1_b2)


def _decoder_targets(codec: SpectroStream) -> Iterable[tuple[str, TensorTarget]]:
    decoder = codec.decoder
    yield from _layer_targets("decoder/input_layer/conv1x1_first", decoder.conv1x1_first)
    shortcut = "decoder/input_layer/shortcut_layer"
    yield from _layer_targets(f"{shortcut}/conv1x1_b1", decoder.conv1x1_b1)
    yield from _layer_targets(f"{shortcut}/conv1x1_b2", decoder.conv1x1_b2)
    yield from _unit_targets("decoder/input_layers_residual_unit", decoder.bottleneck)
    for number, unit in enumerate(decoder.units):
        assert isinstance(unit, ResidualUnit)
        yield from _unit_targets(f"decoder/decoder_{number}", unit)
    yield from _layer_targets("decoder/output_layer/base_conv_last", decoder.base_conv_last)


def codec_key(name: str) -> str | None:
    """A file's key without its prefix, such as 'decoder/...'; None where it is not the codec's."""
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            key = name.removeprefix(prefix)
            if key.split("/", 1)[0] in PARTS:
                return key
    return None


@torch.no_grad()
def load_spectrostream(
    codec: SpectroStream,
    tensors: Mapping[str, Tensor],
    parts: Iterable[str] = PARTS,
    source: str = "the weights file",
) -> None:
    """Copy released tensors of any float type into the codec.

    tensors: by released key, with or without 'params/soundstream/'; keys of other parts and of the
    depthformer are ignored. SegueError that names an unknown key of these parts, a missing one or a
    wrong shape, raised before anything is copied.
    """
    parts = tuple(parts)
    expected = targets(codec, parts)
    found: dict[str, str] = {}
    for name in tensors:
        key = codec_key(name) or name
        if key.split("/", 1)[0] in parts:
            found[key] = name
    missing, unknown = expected.keys() - found.keys(), found.keys() - expected.keys()
    if missing:
        raise SegueError(f"{source} lacks {name_some(missing)}: fetch Magenta RealTime 2 again.")
    if unknown:
        raise SegueError(
            f"{source} holds {name_some(unknown)}, which this version of Segue does not know."
        )
    for key, target in expected.items():
        shape = tuple(tensors[found[key]].shape)
        enough = key == "quantizer/embedding" and (
            len(shape) == 3 and shape[0] >= target.shape[0] and shape[1:] == target.shape[1:]
        )
        if shape != target.shape and not enough:
            raise SegueError(
                f"{key} in {source} has shape {list(shape)} and not {list(target.shape)}: "
                "fetch Magenta RealTime 2 again."
            )
    for key, target in expected.items():
        tensor = tensors[found[key]]
        if key == "quantizer/embedding":
            tensor = tensor[: target.shape[0]]
        target.parameter.copy_(target.convert(tensor))
    codec.use_channels_last()

"""The released tensors of SpectroStream, and where each belongs in ours. Inference lane.

Keys and layouts are those that `magenta_rt.jax` of magenta-rt 2.0.3 writes (Apache-2.0). A
checkpoint holds `params/soundstream/...`; the encoder comes in a file of its own with
`params/encoder/...`. Kernels are (time, frequency, in, out); the transposed ones are stored flipped
in time and frequency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from models.errors import SegueError
from models.magenta_rt2.spectrostream.codec import SpectroStream
from models.magenta_rt2.spectrostream.layers import (
    CausalConv2d,
    CausalTransposedConv2d,
    ResidualUnit,
)

PARTS: Final = ("quantizer", "encoder", "decoder")
_PREFIXES: Final = ("params/soundstream/", "params/")


@dataclass(frozen=True)
class TensorTarget:
    """Where a released tensor goes: the parameter, the released shape, and how to turn it."""

    parameter: nn.Parameter
    shape: tuple[int, ...]
    turn: Callable[[Tensor], Tensor]


def _conv(kernel: Tensor) -> Tensor:
    return kernel.permute(3, 2, 0, 1)


def _transposed(kernel: Tensor) -> Tensor:
    return kernel.flip(0, 1).permute(2, 3, 0, 1)


def _linear(kernel: Tensor) -> Tensor:
    return kernel[0, 0].T


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _of_layer(key: str, layer: nn.Module) -> Iterable[tuple[str, TensorTarget]]:
    weight, bias = layer.weight, layer.bias
    shape = tuple(weight.shape)
    if isinstance(layer, nn.Linear):
        kernel = TensorTarget(weight, (1, 1, shape[1], shape[0]), _linear)
    elif isinstance(layer, CausalTransposedConv2d):
        kernel = TensorTarget(weight, (shape[2], shape[3], shape[0], shape[1]), _transposed)
    else:
        kernel = TensorTarget(weight, (shape[2], shape[3], shape[1], shape[0]), _conv)
    yield f"{key}/conv/kernel", kernel
    yield f"{key}/conv/bias", TensorTarget(bias, tuple(bias.shape), _same)


def _of_unit(key: str, unit: ResidualUnit) -> Iterable[tuple[str, TensorTarget]]:
    if not unit.transposed:
        named = {"conv2d_3x3": unit.first, _name(unit.second, "conv2d", "_a"): unit.second}
    elif isinstance(unit.first, CausalTransposedConv2d):
        named = {_name(unit.first, "conv2dtranspose"): unit.first, "conv2d_3x3": unit.second}
    else:
        named = {"conv2d_3x3_a": unit.first, "conv2d_3x3": unit.second}
    for name, layer in named.items():
        yield from _of_layer(f"{key}/{name}", layer)
    if unit.shortcut is not None:
        yield from _of_layer(f"{key}/shortcut_layer/conv1x1", unit.shortcut)


def _name(layer: CausalConv2d | CausalTransposedConv2d, kind: str, tail: str = "") -> str:
    return f"{kind}_{layer.kernel[0]}x{layer.kernel[1]}{tail}"


def targets(codec: SpectroStream, parts: Iterable[str] = PARTS) -> dict[str, TensorTarget]:
    """Every released tensor of these parts by its key, such as 'decoder/decoder_0/...'.

    The quantizer's shape is the number of levels that the codec keeps; the file may hold more.
    """
    found: dict[str, TensorTarget] = {}
    for part in parts:
        if part == "quantizer":
            books = codec.quantizer.codebooks
            found["quantizer/embedding"] = TensorTarget(books, tuple(books.shape), _same)
        elif part == "encoder":
            found.update(_encoder(codec))
        elif part == "decoder":
            found.update(_decoder(codec))
        else:
            raise ValueError(f"no part {part!r}: choose from {', '.join(PARTS)}")
    return found


def _encoder(codec: SpectroStream) -> Iterable[tuple[str, TensorTarget]]:
    encoder = codec.encoder
    yield from _of_layer("encoder/base_conv_first", encoder.base)
    for level, unit in enumerate(encoder.units):
        assert isinstance(unit, ResidualUnit)
        yield from _of_unit(f"encoder/encoder_{level}", unit)
    yield from _of_unit("encoder/bottleneck", encoder.bottleneck)
    yield from _of_layer("encoder/output_convs/conv1x1_last", encoder.out)
    shortcut = "encoder/output_convs/shortcut_layer"
    yield from _of_layer(f"{shortcut}/conv1x1_b1", encoder.out_hidden)
    yield from _of_layer(f"{shortcut}/conv1x1_b2", encoder.out_features)


def _decoder(codec: SpectroStream) -> Iterable[tuple[str, TensorTarget]]:
    decoder = codec.decoder
    yield from _of_layer("decoder/input_layer/conv1x1_first", decoder.first)
    shortcut = "decoder/input_layer/shortcut_layer"
    yield from _of_layer(f"{shortcut}/conv1x1_b1", decoder.first_hidden)
    yield from _of_layer(f"{shortcut}/conv1x1_b2", decoder.first_flat)
    yield from _of_unit("decoder/input_layers_residual_unit", decoder.bottleneck)
    for number, unit in enumerate(decoder.units):
        assert isinstance(unit, ResidualUnit)
        yield from _of_unit(f"decoder/decoder_{number}", unit)
    yield from _of_layer("decoder/output_layer/base_conv_last", decoder.last)


def key_of(name: str) -> str | None:
    """A file's key without its prefix, if it is the codec's: 'decoder/...' and so on."""
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
    """Copy released tensors into the codec, whatever their float type.

    tensors: by released key, with or without 'params/soundstream/'. Keys of other parts and of the
    depthformer are left alone; a key of these parts that has no place is an error, as is a missing
    one or a wrong shape: a SegueError that names it, raised before anything is copied.
    """
    parts = tuple(parts)
    wanted = targets(codec, parts)
    given: dict[str, str] = {}
    for name in tensors:
        key = key_of(name) or name
        if key.split("/", 1)[0] in parts:
            given[key] = name
    for key in wanted:
        if key not in given:
            raise SegueError(f"{source} lacks {key}: fetch Magenta RealTime 2 again.")
    for key in given:
        if key not in wanted:
            raise SegueError(f"{source} holds {key}, which this version of Segue does not know.")
    for key, target in wanted.items():
        shape = tuple(tensors[given[key]].shape)
        enough = key == "quantizer/embedding" and (
            len(shape) == 3 and shape[0] >= target.shape[0] and shape[1:] == target.shape[1:]
        )
        if shape != target.shape and not enough:
            raise SegueError(
                f"{key} in {source} has shape {list(shape)} and not {list(target.shape)}: "
                "fetch Magenta RealTime 2 again."
            )
    for key, target in wanted.items():
        tensor = tensors[given[key]]
        if key == "quantizer/embedding":
            tensor = tensor[: target.shape[0]]
        target.parameter.copy_(target.turn(tensor))
    codec.lay_out()


@torch.no_grad()
def randomize(codec: SpectroStream, seed: int) -> None:
    """Random weights that keep signals at about their level: for tests and speed measurements."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in codec.parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 3:
            scale = 1.0
        elif parameter.ndim == 1:
            scale = 0.05
        else:
            scale = parameter[0].numel() ** -0.5
        parameter.copy_(values * scale)
    codec.lay_out()

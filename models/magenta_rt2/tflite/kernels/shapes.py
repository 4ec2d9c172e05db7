"""Operators that arrange numbers without changing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.magenta_rt2.tflite.kernels.call import Call, Kernel, UnknownOperatorError


def _reshape(call: Call) -> Tensor:
    given = len(call.operands) > 1 and call.operands[1] is not None
    return call.tensor(0).reshape(call.integers(1) if given else call.option_list(0))


def _squeeze(call: Call) -> Tensor:
    x, axes = call.tensor(0), call.option_list(0)
    return x.squeeze(tuple(axes)) if axes else x.squeeze()


def _expand_dims(call: Call) -> Tensor:
    return call.tensor(0).unsqueeze(call.integers(1)[0])


def _transpose(call: Call) -> Tensor:
    return call.tensor(0).permute(call.integers(1))


def _concatenation(call: Call) -> Tensor:
    parts = [call.tensor(number) for number in range(len(call.operands))]
    return call.activate(torch.cat(parts, call.option(0)), 1)


def _split(call: Call) -> Sequence[Tensor]:
    (axis,), x = call.integers(0), call.tensor(1)
    parts: Sequence[Tensor] = x.tensor_split(call.option(0), axis)
    return parts


def _split_v(call: Call) -> Sequence[Tensor]:
    x, sizes, (axis,) = call.tensor(0), call.integers(1), call.integers(2)
    if -1 in sizes:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(sizes) - 1
    parts: Sequence[Tensor] = x.split(sizes, axis)
    return parts


def _pack(call: Call) -> Tensor:
    parts = [call.tensor(number) for number in range(len(call.operands))]
    return torch.stack(parts, call.option(1))


def _unpack(call: Call) -> Sequence[Tensor]:
    parts: Sequence[Tensor] = call.tensor(0).unbind(call.option(1))
    return parts


def _slice(call: Call) -> Tensor:
    x = call.tensor(0)
    for axis, (begin, size) in enumerate(zip(call.integers(1), call.integers(2), strict=True)):
        x = x.narrow(axis, begin, x.shape[axis] - begin if size == -1 else size)
    return x


def _strided_slice(call: Call) -> Tensor:
    begins, ends, strides = call.integers(1), call.integers(2), call.integers(3)
    begin_mask, end_mask, ellipsis_mask, new_mask, shrink_mask = (
        call.option(field) for field in range(5)
    )
    if call.option(5, "?"):
        ends = [begin + size for begin, size in zip(begins, ends, strict=True)]
    x = call.tensor(0)
    named = sum(
        not (new_mask >> number & 1 or ellipsis_mask >> number & 1) for number in range(len(begins))
    )
    axis, dropped = 0, []
    for number, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True)):
        if ellipsis_mask >> number & 1:
            axis = x.ndim - named
            continue
        if new_mask >> number & 1:
            x = x.unsqueeze(axis)
        elif shrink_mask >> number & 1:
            x = x.narrow(axis, begin % x.shape[axis], 1)
            dropped.append(axis)
            named -= 1
        else:
            first = None if begin_mask >> number & 1 else begin
            last = None if end_mask >> number & 1 else end
            places = range(*slice(first, last, stride).indices(x.shape[axis]))
            x = x.index_select(axis, torch.tensor(list(places), dtype=torch.int64))
            named -= 1
        axis += 1
    return x.squeeze(tuple(dropped)) if dropped else x


def _pad(call: Call) -> Tensor:
    pairs = call.tensor(1).reshape(-1, 2).flip(0).reshape(-1).tolist()
    value = call.optional(2)
    return functional.pad(call.tensor(0), pairs, value=0 if value is None else value.item())


def _mirror_pad(call: Call) -> Tensor:
    x, symmetric = call.tensor(0), call.option(0, "b")
    for axis, (before, after) in enumerate(call.tensor(1).reshape(-1, 2).tolist()):
        size = x.shape[axis]
        first = range(before - 1, -1, -1) if symmetric else range(before, 0, -1)
        begin = size - 1 if symmetric else size - 2
        places = [*first, *range(size), *range(begin, begin - after, -1)]
        x = x.index_select(axis, torch.tensor(places))
    return x


def _fill(call: Call) -> Tensor:
    return call.tensor(1).reshape(()).expand(call.integers(0)).clone()


def _range(call: Call) -> Tensor:
    begin, end, step = (call.tensor(number).item() for number in range(3))
    return torch.arange(begin, end, step, dtype=call.tensor(0).dtype)


def _gather(call: Call) -> Tensor:
    weights = call.weights(0)
    x = weights if isinstance(weights, Tensor) else weights.real()
    indices = call.tensor(1)
    batch = call.option(1) % (indices.ndim + 1)
    axis = call.option(0) % x.ndim
    shape = (*x.shape[:axis], *indices.shape[batch:], *x.shape[axis + 1 :])
    if not batch:
        return x.index_select(axis, indices.reshape(-1)).reshape(shape)
    rows = math.prod(x.shape[:batch])
    wide = x.reshape(rows, math.prod(x.shape[batch:axis]), x.shape[axis], -1)
    places = indices.reshape(rows, 1, -1, 1).long()
    places = places.expand(-1, wide.shape[1], -1, wide.shape[3])
    return wide.gather(2, places).reshape(shape)


def _embedding_lookup(call: Call) -> Tensor:
    weights, rows = call.weights(1), call.tensor(0)
    x = weights if isinstance(weights, Tensor) else weights.real()
    return x.index_select(0, rows.reshape(-1)).reshape(*rows.shape, *x.shape[1:])


def _gather_nd(call: Call) -> Tensor:
    return call.tensor(0)[call.tensor(1).long().unbind(-1)]


def _scatter_nd(call: Call) -> Tensor:
    places, updates = call.tensor(0).long(), call.tensor(1)
    empty = torch.zeros(call.integers(2), dtype=updates.dtype)
    return empty.index_put(tuple(places.unbind(-1)), updates, accumulate=True)


def _one_hot(call: Call) -> Tensor:
    indices, (depth,) = call.tensor(0), call.integers(1)
    axis = call.option(0)
    chosen = indices.unsqueeze(-1) == torch.arange(depth)
    return torch.where(chosen, call.tensor(2), call.tensor(3)).movedim(-1, axis)


def _dynamic_update_slice(call: Call) -> Tensor:
    x, update = call.tensor(0).clone(), call.tensor(1)
    part = x
    for axis, (begin, size) in enumerate(zip(call.integers(2), update.shape, strict=True)):
        part = part.narrow(axis, min(max(begin, 0), x.shape[axis] - size), size)
    part.copy_(update)
    return x


def _space_to_depth(call: Call) -> Tensor:
    x, size = call.tensor(0), call.option(0)
    batch, height, width, depth = x.shape
    blocks = x.reshape(batch, height // size, size, width // size, size, depth)
    return blocks.permute(0, 1, 3, 2, 4, 5).reshape(batch, height // size, width // size, -1)


def _depth_to_space(call: Call) -> Tensor:
    x, size = call.tensor(0), call.option(0)
    batch, height, width, depth = x.shape
    blocks = x.reshape(batch, height, width, size, size, depth // size**2)
    return blocks.permute(0, 1, 3, 2, 4, 5).reshape(batch, height * size, width * size, -1)


def _space_to_batch(call: Call) -> Tensor:
    x, blocks = call.tensor(0), call.integers(1)
    count = len(blocks)
    pairs = [0, 0] * (x.ndim - 1 - count)
    for before, after in reversed(call.tensor(2).tolist()):
        pairs += [before, after]
    x = functional.pad(x, pairs)
    batch, rest = x.shape[0], x.shape[1 + count :]
    sizes = [size // block for size, block in zip(x.shape[1:], blocks, strict=False)]
    split = [number for pair in zip(sizes, blocks, strict=True) for number in pair]
    inner, outer = range(2, 2 * count + 1, 2), range(1, 2 * count, 2)
    tail = range(2 * count + 1, 2 * count + 1 + len(rest))
    order = [*inner, 0, *outer, *tail]
    return x.reshape(batch, *split, *rest).permute(order).reshape(-1, *sizes, *rest)


def _batch_to_space(call: Call) -> Tensor:
    x, blocks = call.tensor(0), call.integers(1)
    count = len(blocks)
    batch, sizes, rest = (
        x.shape[0] // math.prod(blocks),
        x.shape[1 : 1 + count],
        x.shape[1 + count :],
    )
    tail = range(2 * count + 1, 2 * count + 1 + len(rest))
    pairs = [place for axis in range(count) for place in (count + 1 + axis, axis)]
    x = x.reshape(*blocks, batch, *sizes, *rest).permute(count, *pairs, *tail)
    x = x.reshape(batch, *(size * block for size, block in zip(sizes, blocks, strict=True)), *rest)
    for axis, (before, after) in enumerate(call.tensor(2).tolist(), start=1):
        x = x.narrow(axis, before, x.shape[axis] - before - after)
    return x


def _shape(call: Call) -> Tensor:
    return torch.tensor(call.tensor(0).shape, dtype=call.outputs[0].type)


def _broadcast_args(call: Call) -> Tensor:
    shape = np.broadcast_shapes(call.integers(0), call.integers(1))  # torch's needs sympy
    return torch.tensor(shape, dtype=call.tensor(0).dtype)


def _reverse(call: Call) -> Tensor:
    return call.tensor(0).flip(call.integers(1))


def _bitcast(call: Call) -> Tensor:
    x, kind = call.tensor(0), call.outputs[0].type
    if kind is None or kind.itemsize != x.dtype.itemsize:
        raise UnknownOperatorError(f"{call.name} to another size")
    return x.view(kind)


KERNELS: Final[dict[str, Kernel]] = {
    "BATCH_TO_SPACE_ND": _batch_to_space,
    "BITCAST": _bitcast,
    "BROADCAST_ARGS": _broadcast_args,
    "BROADCAST_TO": lambda call: call.tensor(0).broadcast_to(call.integers(1)),
    "CONCATENATION": _concatenation,
    "DEPTH_TO_SPACE": _depth_to_space,
    "DYNAMIC_UPDATE_SLICE": _dynamic_update_slice,
    "EMBEDDING_LOOKUP": _embedding_lookup,
    "EXPAND_DIMS": _expand_dims,
    "FILL": _fill,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "MIRROR_PAD": _mirror_pad,
    "ONE_HOT": _one_hot,
    "PACK": _pack,
    "PAD": _pad,
    "PADV2": _pad,
    "RANGE": _range,
    "RANK": lambda call: torch.tensor(call.tensor(0).ndim, dtype=torch.int32),
    "RESHAPE": _reshape,
    "REVERSE_V2": _reverse,
    "SCATTER_ND": _scatter_nd,
    "SHAPE": _shape,
    "SLICE": _slice,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "SPACE_TO_DEPTH": _space_to_depth,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "TILE": lambda call: call.tensor(0).tile(call.integers(1)),
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
    "WHERE": lambda call: call.tensor(0).nonzero(),
}

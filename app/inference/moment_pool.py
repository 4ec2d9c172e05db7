"""Memory pool for the arrays of snapshots, in units of one size.

Moments are thinned out for hours. With each of their arrays in the heap by itself, the freed ones
would leave holes that nothing else fits into, and more each minute; here every hole fits whatever
comes. Tensors are handled without importing torch.
"""

from __future__ import annotations

import copy
import ctypes
import sys
import weakref
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Final, NamedTuple, Protocol, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from models.storage.memory import DEPTH, SIMPLE

UNIT: Final = 512
"""Bytes of a unit."""
MAX_ARRAY_BYTES: Final = 65_536
"""Larger arrays stay in the heap, which returns them to the system, shared with the stream."""
SPARE: Final = 4_000_000
"""Bytes beyond the budget, for what is added before something else is removed."""
NOTHING: Final = np.zeros(0, np.int32)
_FIELDS: Final[dict[type, tuple[str, ...] | None]] = {}


class Device(Protocol):
    """What the pool uses of `torch.device`."""

    type: str


class Storage(Protocol):
    """What is used of `torch.UntypedStorage`."""

    def data_ptr(self) -> int: ...
    def nbytes(self) -> int: ...


class Tensor(Protocol):
    """What the pool uses of `torch.Tensor`."""

    dtype: object
    device: Device
    shape: Sequence[int]
    nbytes: int

    def is_contiguous(self) -> bool: ...
    def data_ptr(self) -> int: ...
    def untyped_storage(self) -> Storage: ...
    def new_empty(self, shape: Sequence[int] | int) -> Tensor: ...


Array: TypeAlias = NDArray[np.generic] | Tensor


def is_tensor(value: object) -> TypeGuard[Tensor]:
    """Whether a value is a tensor of torch."""
    return hasattr(value, "untyped_storage")


class MomentBlock:
    """Array or tensor in the pool. uses: number of moments that hold it."""

    __slots__ = ("dtype", "shape", "size", "units", "uses")

    def __init__(
        self, units: NDArray[np.int32], shape: tuple[int, ...], dtype: object, size: int
    ) -> None:
        self.units, self.shape, self.dtype, self.size = units, shape, dtype, size
        self.uses = 0

    @property
    def nbytes_used(self) -> int:
        """Bytes of its units."""
        return len(self.units) * UNIT


class PooledTree(NamedTuple):
    """A tree in the pool: with blocks for arrays, its blocks, and what stayed outside the pool."""

    tree: object
    blocks: list[MomentBlock]
    outside: list[object]


class MomentPool:
    """Pool of arrays in trees of frozen dataclasses, tuples, lists and dictionaries.

    Other objects, large arrays and those that are not in main memory stay outside.
    """

    def __init__(self, budget: int) -> None:
        """budget: bytes. Memory is taken as it is filled, and not returned."""
        self._units = -(-(budget + SPARE) // UNIT)
        self._memory: NDArray[np.void] | None = None
        self._free: NDArray[np.int32] = np.zeros(0, np.int32)
        self._free_count = 0
        self._templates: dict[object, Tensor] = {}  # an empty tensor of each dtype
        self._known: dict[int, tuple[weakref.ref[Array], MomentBlock]] = {}

    def put(self, value: object, depth: int = DEPTH) -> PooledTree:
        """Copy a tree's arrays into the pool; those put before and still alive are shared."""
        found: dict[int, MomentBlock] = {}
        outside: list[object] = []

        def put(part: object, depth: int) -> object:
            if part is None or isinstance(part, SIMPLE):
                return part
            if isinstance(part, np.ndarray) or is_tensor(part):
                block = self._block(part)
                if block is not None:
                    found[id(block)] = block
                    return block
            elif depth and (parts := parts_of(part)) is not None:
                return rebuilt(part, parts, [put(each, depth - 1) for each in parts])
            outside.append(part)
            return part

        return PooledTree(put(value, depth), list(found.values()), outside)

    def _block(self, array: Array) -> MomentBlock | None:
        """The array's block; None where it stays outside."""
        known = self._known.get(id(array))
        if known is not None and known[0]() is array and len(known[1].units):
            return known[1]
        content = _content(array)
        if content is None or not len(content):
            return None
        units = self._allocate(-(-len(content) // UNIT))
        if units is None:
            return None
        padded = np.zeros(len(units) * UNIT, np.uint8)
        padded[: len(content)] = content
        assert self._memory is not None
        self._memory[units] = padded.view(self._memory.dtype)
        if not isinstance(array, np.ndarray) and array.dtype not in self._templates:
            self._templates[array.dtype] = array.new_empty(0)
        block = MomentBlock(units, tuple(array.shape), array.dtype, len(content))
        self._remember(array, block)
        return block

    def _remember(self, array: Array, block: MomentBlock) -> None:
        key, known = id(array), self._known
        known[key] = weakref.ref(array, lambda _: known.pop(key, None)), block

    def _allocate(self, count: int) -> NDArray[np.int32] | None:
        if self._memory is None:
            # The system gives pages when they are first written to.
            self._memory = np.empty(self._units, np.dtype((np.void, UNIT)))
            self._free = np.arange(self._units, dtype=np.int32)[::-1].copy()
            self._free_count = self._units
        if count > self._free_count:
            return None
        self._free_count -= count
        return self._free[self._free_count : self._free_count + count].copy()

    def free(self, block: MomentBlock) -> None:
        """Return the units of a block that no moment holds any more."""
        count = len(block.units)
        self._free[self._free_count : self._free_count + count] = block.units
        self._free_count += count
        block.units = NOTHING

    def get(self, tree: object, depth: int = DEPTH) -> object:
        """Copy of the value that was put, valid when its blocks are freed."""
        made: dict[int, Array] = {}

        def get(part: object, depth: int) -> object:
            if isinstance(part, MomentBlock):
                if id(part) not in made:
                    made[id(part)] = self._array(part)
                return made[id(part)]
            parts = parts_of(part) if depth else None
            if parts is None:
                return part
            return rebuilt(part, parts, [get(each, depth - 1) for each in parts])

        return get(tree, depth)

    def _array(self, block: MomentBlock) -> Array:
        assert self._memory is not None
        content = self._memory[block.units].view(np.uint8)[: block.size]
        array: Array
        template = self._templates.get(block.dtype)
        if template is not None:
            array = template.new_empty(block.shape)
            ctypes.memmove(array.data_ptr(), content.ctypes.data, block.size)
        else:
            assert isinstance(block.dtype, np.dtype)
            filled = np.empty(block.shape, block.dtype)
            filled.reshape(-1).view(np.uint8)[:] = content
            array = filled
        self._remember(array, block)
        return array


def _content(array: Array) -> NDArray[np.uint8] | None:
    """Bytes of an array in C order; None where it does not belong into the pool."""
    if array.nbytes > MAX_ARRAY_BYTES:
        return None
    if isinstance(array, np.ndarray):
        if type(array) is not np.ndarray or array.dtype.hasobject:
            return None
        return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if array.device.type != "cpu" or not array.is_contiguous():
        return None
    # By its address: numpy lacks some of torch's dtypes.
    return np.frombuffer(ctypes.string_at(array.data_ptr(), array.nbytes), np.uint8)


def parts_of(value: object) -> list[object] | None:
    """Children of a tree's root; None for a leaf."""
    if isinstance(value, tuple | list) and type(value) in (tuple, list):
        return list(value)
    if isinstance(value, dict) and type(value) is dict:
        return list(value.values())
    names = _field_names(type(value))
    return None if names is None else [getattr(value, name) for name in names]


def object_sizes(tree: object, depth: int = DEPTH) -> dict[int, int]:
    """Bytes by identity of the Python objects that hold a pooled tree together.

    What its arrays hold is not among them, nor are numbers and texts, which most trees share.
    """
    sizes: dict[int, int] = {}
    waiting = [(tree, depth)]
    while waiting:
        part, left = waiting.pop()
        if part is None or isinstance(part, SIMPLE) or id(part) in sizes:
            continue
        if isinstance(part, MomentBlock):
            held = (part, part.units, part.shape)
            sizes[id(part)] = sum(map(sys.getsizeof, held))
            continue
        parts = parts_of(part) if left else None
        if parts is not None:
            own = getattr(part, "__dict__", None)
            sizes[id(part)] = sys.getsizeof(part) + (0 if own is None else sys.getsizeof(own))
            waiting += [(each, left - 1) for each in parts]
    return sizes


def rebuilt(value: object, parts: list[object], others: list[object]) -> object:
    """Root of a tree with other children; the same object where they are the same."""
    if all(a is b for a, b in zip(parts, others, strict=True)):
        return value
    if isinstance(value, dict):
        return dict(zip(value, others, strict=True))
    make: Callable[..., object] = type(value)
    if type(value) in (tuple, list):
        return make(others)
    if isinstance(value, tuple):
        return make(*others)
    clone = copy.copy(value)
    for name, other in zip(_field_names(type(value)) or (), others, strict=True):
        object.__setattr__(clone, name, other)
    return clone


def _field_names(kind: type) -> tuple[str, ...] | None:
    """Fields of a frozen dataclass or a named tuple; None for other types."""
    if kind not in _FIELDS:
        names: tuple[str, ...] | None = None
        params = getattr(kind, "__dataclass_params__", None)
        if params is not None and params.frozen:
            names = tuple(field.name for field in fields(kind))
        elif issubclass(kind, tuple):
            names = getattr(kind, "_fields", None)
        _FIELDS[kind] = names
    return _FIELDS[kind]

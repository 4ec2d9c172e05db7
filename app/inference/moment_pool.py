"""Memory for the moments: arrays cut into units of one size, in one piece of memory. Inference
lane. Pure: torch is not imported, though tensors may come.

Moments are thinned out for hours. Where each array of theirs lies in the heap by itself, what is
taken out leaves holes that nothing else fits into: measured with 48 MB of moments, eight minutes
of playing left 46 MB of holes, and more each minute. Here every hole fits whatever comes.
"""

from __future__ import annotations

import copy
import ctypes
import weakref
from dataclasses import fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

UNIT: Final = 512
"""Bytes. Of the embedded engine's arrays 3% is lost in units that are not full."""
LARGEST: Final = 65_536
"""Bytes of an array that is kept here. The heap gives larger ones back to the system well enough,
and they are better shared with the stream that plays than copied."""
SPARE: Final = 4_000_000
"""Bytes beyond the budget, for what comes before something else is taken out."""
DEPTH: Final = 8
SIMPLE: Final = (str, bytes, int, float)
_FIELDS: Final[dict[type, tuple[str, ...] | None]] = {}
NOTHING: Final = np.zeros(0, np.int32)


class MomentBlock:
    """An array or tensor in the pool. uses: how many moments reach it."""

    __slots__ = ("kind", "shape", "size", "units", "uses")

    def __init__(
        self, units: NDArray[np.int32], shape: tuple[int, ...], kind: Any, size: int
    ) -> None:
        self.units, self.shape, self.kind, self.size = units, shape, kind, size
        self.uses = 0

    @property
    def cost(self) -> int:
        """Bytes that it takes in the pool."""
        return len(self.units) * UNIT


class MomentPool:
    """Keeps values' arrays. Values are trees of frozen dataclasses, tuples, lists and dictionaries;
    what else they hold, and what is too large or not in the processor's memory, stays as it is."""

    def __init__(self, budget: int) -> None:
        """budget: bytes. Memory is taken as it is filled, and stays."""
        self._most = -(-(budget + SPARE) // UNIT)
        self._memory: NDArray[np.void] | None = None
        self._free: NDArray[np.int32] = np.zeros(0, np.int32)
        self._left = 0
        self._empty: dict[Any, Any] = {}  # a tensor of each type, to make others of
        self._known: dict[int, tuple[weakref.ref[Any], MomentBlock]] = {}

    # A value into the pool.

    def put(self, value: Any, depth: int = DEPTH) -> tuple[Any, list[MomentBlock], list[Any]]:
        """The value with pieces instead of arrays; these pieces, each once; and what of it was left
        as it is, but for numbers and words.

        What was put before and still lives outside is not put again.
        """
        found: dict[int, MomentBlock] = {}
        left: list[Any] = []
        kept = self._put(value, found, left, depth)
        return kept, list(found.values()), left

    def _put(self, value: Any, found: dict[int, MomentBlock], left: list[Any], depth: int) -> Any:
        if value is None or isinstance(value, SIMPLE):
            return value
        if isinstance(value, np.ndarray) or hasattr(value, "untyped_storage"):
            piece = self._piece(value)
            if piece is not None:
                found[id(piece)] = piece
                return piece
        elif depth:
            parts = parts_of(value)
            if parts is not None:
                others = [self._put(part, found, left, depth - 1) for part in parts]
                return rebuilt(value, parts, others)
        left.append(value)
        return value

    def _piece(self, array: Any) -> MomentBlock | None:
        """None where it had better stay where it is."""
        known = self._known.get(id(array))
        if known is not None and known[0]() is array and len(known[1].units):
            return known[1]
        content = _content(array)
        if content is None or not len(content):
            return None
        units = self._take(-(-len(content) // UNIT))
        if units is None:
            return None
        padded = np.zeros(len(units) * UNIT, np.uint8)
        padded[: len(content)] = content
        assert self._memory is not None
        self._memory[units] = padded.view(self._memory.dtype)
        kind = array.dtype
        if not isinstance(array, np.ndarray) and kind not in self._empty:
            self._empty[kind] = array.new_empty(0)
        piece = MomentBlock(units, tuple(array.shape), kind, len(content))
        self._remember(array, piece)
        return piece

    def _remember(self, array: Any, piece: MomentBlock) -> None:
        key, known = id(array), self._known
        known[key] = weakref.ref(array, lambda _: known.pop(key, None)), piece

    def _take(self, count: int) -> NDArray[np.int32] | None:
        if self._memory is None:
            # The system gives pages when they are first written to.
            self._memory = np.empty(self._most, np.dtype((np.void, UNIT)))
            self._free = np.arange(self._most, dtype=np.int32)[::-1].copy()
            self._left = self._most
        if count > self._left:
            return None
        self._left -= count
        return self._free[self._left : self._left + count].copy()

    def free(self, piece: MomentBlock) -> None:
        """No moment reaches it any more."""
        count = len(piece.units)
        self._free[self._left : self._left + count] = piece.units
        self._left += count
        piece.units = NOTHING

    # And out of it.

    def get(self, kept: Any, depth: int = DEPTH) -> Any:
        """The value that was put: a copy, which stays what it is when the pieces are freed."""
        return self._get(kept, {}, depth)

    def _get(self, kept: Any, made: dict[int, Any], depth: int) -> Any:
        if isinstance(kept, MomentBlock):
            if id(kept) not in made:
                made[id(kept)] = self._array(kept)
            return made[id(kept)]
        parts = parts_of(kept) if depth else None
        if parts is None:
            return kept
        return rebuilt(kept, parts, [self._get(part, made, depth - 1) for part in parts])

    def _array(self, piece: MomentBlock) -> Any:
        assert self._memory is not None
        content = self._memory[piece.units].view(np.uint8)[: piece.size]
        array: Any
        if piece.kind in self._empty:
            array = self._empty[piece.kind].new_empty(piece.shape)
            ctypes.memmove(array.data_ptr(), content.ctypes.data, piece.size)
        else:
            array = np.empty(piece.shape, piece.kind)
            array.reshape(-1).view(np.uint8)[:] = content
        self._remember(array, piece)
        return array


def _content(array: Any) -> NDArray[np.uint8] | None:
    """An array's bytes, in the order of C; None where it is none for the pool."""
    if array.nbytes > LARGEST:
        return None
    if isinstance(array, np.ndarray):
        if type(array) is not np.ndarray or array.dtype.hasobject:
            return None
        return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if array.device.type != "cpu" or not array.is_contiguous():
        return None
    # By its place in memory: numpy does not know all types of numbers that torch has.
    return np.frombuffer(ctypes.string_at(array.data_ptr(), array.nbytes), np.uint8)


def parts_of(value: Any) -> list[Any] | None:
    """The parts of a tree's root; None for what is no tree."""
    kind = type(value)
    if kind is tuple or kind is list:
        return list(value)
    if kind is dict:
        return list(value.values())
    names = _names(kind)
    return None if names is None else [getattr(value, name) for name in names]


def rebuilt(value: Any, parts: list[Any], others: list[Any]) -> Any:
    """A tree's root with other parts; the very value where they are the same."""
    if all(a is b for a, b in zip(parts, others, strict=True)):
        return value
    kind = type(value)
    if kind is tuple or kind is list:
        return kind(others)
    if kind is dict:
        return dict(zip(value, others, strict=True))
    if isinstance(value, tuple):
        return kind(*others)
    clone = copy.copy(value)
    for name, other in zip(_names(kind) or (), others, strict=True):
        object.__setattr__(clone, name, other)
    return clone


def _names(kind: Any) -> tuple[str, ...] | None:
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

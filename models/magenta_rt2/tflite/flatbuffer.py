"""Reader of FlatBuffers tables, as far as TFLite files use them.

After the format's description ("FlatBuffers internals", flatbuffers.dev): a table begins with the
distance to its vtable, which holds the place of every field in the table, or 0 for the default.
"""

from __future__ import annotations

import struct
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

Bytes: TypeAlias = memoryview

_UINT32: Final = struct.Struct("<I")
_UINT16: Final = struct.Struct("<H")
_INT32: Final = struct.Struct("<i")
_SCALARS: Final = {
    kind: struct.Struct(f"<{kind}") for kind in ("b", "B", "?", "i", "I", "q", "Q", "f")
}


class DamagedFileError(ValueError):
    """A file that is not what its name says, or ends too soon."""


class FlatTable:
    """One table of a file; fields are given by their number in the schema."""

    def __init__(self, data: Bytes, place: int) -> None:
        """data: the whole file; place: of the table. DamagedFileError outside the file."""
        self._data, self._place = data, place
        self._vtable = place - self._unpack(_INT32, place)
        self._fields = (self._unpack(_UINT16, self._vtable) - 4) // 2

    @classmethod
    def root(cls, data: Bytes, identifier: bytes) -> FlatTable:
        """The file's first table. DamagedFileError for another identifier (four bytes)."""
        if bytes(data[4:8]) != identifier:
            raise DamagedFileError(f"this is no {identifier.decode()} file")
        return cls(data, _UINT32.unpack_from(data, 0)[0])

    def scalar(self, field: int, kind: str = "i", default: float = 0) -> int:
        """Whole number or boolean; kind: a letter of `struct`."""
        place = self._field(field)
        return int(default if place is None else self._unpack(_SCALARS[kind], place))

    def real(self, field: int, default: float = 0.0) -> float:
        """float32 number."""
        place = self._field(field)
        return default if place is None else float(self._unpack(_SCALARS["f"], place))

    def table(self, field: int) -> FlatTable | None:
        place = self._field(field)
        return None if place is None else FlatTable(self._data, self._target(place))

    def tables(self, field: int) -> list[FlatTable]:
        count, start = self._vector(field)
        places = (start + 4 * number for number in range(count))
        return [FlatTable(self._data, self._target(place)) for place in places]

    def numbers(self, field: int, kind: DTypeLike) -> NDArray[np.generic]:
        """Vector of numbers; shares the file's memory. Empty where it is left out."""
        count, start = self._vector(field)
        if start + count * np.dtype(kind).itemsize > len(self._data):
            raise DamagedFileError("the file ends within a vector")
        return np.frombuffer(self._data, kind, count, start)

    def integers(self, field: int) -> tuple[int, ...]:
        """Vector of int32 numbers."""
        return tuple(int(number) for number in self.numbers(field, "<i4"))

    def text(self, field: int) -> str:
        return self.numbers(field, np.uint8).tobytes().decode("utf-8", "replace")

    def _vector(self, field: int) -> tuple[int, int]:
        """Number of elements, and where the first one is."""
        place = self._field(field)
        if place is None:
            return 0, 0
        start = self._target(place)
        count = self._unpack(_UINT32, start)
        if count > len(self._data):
            raise DamagedFileError("the file ends within a vector")
        return count, start + 4

    def _field(self, field: int) -> int | None:
        if field >= self._fields:
            return None
        offset = self._unpack(_UINT16, self._vtable + 4 + 2 * field)
        return self._place + offset if offset else None

    def _target(self, place: int) -> int:
        return place + int(self._unpack(_UINT32, place))

    def _unpack(self, kind: struct.Struct, place: int) -> int:
        if place < 0:
            raise DamagedFileError("an offset leads out of the file")
        try:
            value: int = kind.unpack_from(self._data, place)[0]
        except struct.error:
            raise DamagedFileError("an offset leads out of the file") from None
        return value

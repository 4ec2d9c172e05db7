"""Memory that a value reaches: its arrays and tensors. Torch is not imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Final

import numpy as np

DEPTH: Final = 8
SIMPLE: Final = (str, bytes, int, float)


def reached_arrays(value: object, depth: int = DEPTH) -> Iterator[tuple[int, int]]:
    """(identity, bytes) of the memory of every array or tensor that a value reaches.

    A view counts as the whole array behind it.
    """
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        yield id(value), value.nbytes
        return
    if hasattr(value, "untyped_storage"):
        storage = value.untyped_storage()
        yield storage.data_ptr(), storage.nbytes()
        return
    if isinstance(size := getattr(value, "nbytes", None), int):
        yield id(value), size
        return
    if depth == 0 or value is None or isinstance(value, SIMPLE):
        return
    parts: Iterable[object]
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        parts = value
    elif is_dataclass(value):
        parts = [getattr(value, f.name) for f in fields(value)]
    else:
        parts = getattr(value, "__dict__", {}).values()
    for part in parts:
        yield from reached_arrays(part, depth - 1)

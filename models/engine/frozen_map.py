"""A small immutable mapping, for fields of controls. Pure logic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

Value = TypeVar("Value")


class FrozenMap(Mapping[str, Value]):
    """Immutable, hashable, picklable mapping of a few names, in the order that it is given."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, Value]] = ()) -> None:
        self._items = tuple(items)

    def __getitem__(self, key: str) -> Value:
        for name, value in self._items:
            if name == key:
                return value
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return repr(dict(self._items))

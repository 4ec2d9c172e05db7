"""Values as JSON by the types of dataclasses: controls, scores and properties of engines.

Nothing lists the fields a second time: a field that is added to a dataclass travels from then on.
Fields at their default are left out. A name that the reader does not know is ignored, as an engine
ignores controls that it does not have; a value that does not fit its type is refused.
"""

from __future__ import annotations

import base64
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Final, TypeVar, cast

import numpy as np

from models.errors import SegueError
from models.storage.json_types import Json

DTYPES: Final = frozenset({"bool", "uint8", "int16", "int32", "int64", "float32", "float64"})
"""dtypes of arrays that travel."""

T = TypeVar("T")


class WireError(SegueError):
    """A value on the line does not fit its type."""


def encode(value: object) -> Json:
    """A value as JSON. TypeError for one of a type that does not travel."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{value} does not travel")
        return value
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        return {"dtype": value.dtype.name, "shape": list(value.shape), "data": data}
    if is_dataclass(value) and not isinstance(value, type):
        named = ((f, getattr(value, f.name)) for f in fields(value) if f.init)
        return {f.name: encode(part) for f, part in named if not _is_default(f, part)}
    if isinstance(value, Mapping):
        return {str(name): encode(part) for name, part in value.items()}
    if isinstance(value, set | frozenset):
        return [encode(part) for part in sorted(value)]
    if isinstance(value, list | tuple):
        return [encode(part) for part in value]
    raise TypeError(f"{type(value).__name__} does not travel")


def _is_default(field: Field[object], value: object) -> bool:
    """Whether a field has its default; arrays never do."""
    default = field.default
    if default is MISSING:
        if field.default_factory is MISSING:
            return False
        default = field.default_factory()
    if isinstance(value, np.ndarray) or isinstance(default, np.ndarray):
        return False
    return type(value) is type(default) and value == default


def decode(kind: type[T], data: object) -> T:
    """A value of a type from its JSON.

    Raises:
        SegueError: it does not fit, or the value refuses it by itself.

    """
    return cast(T, _decode(kind, data))


@cache
def hints_of(kind: type) -> Mapping[str, object]:
    """Types of a dataclass's fields by their names."""
    return typing.get_type_hints(kind)


def _decode(kind: object, data: object) -> object:
    origin = typing.get_origin(kind)
    if isinstance(kind, types.UnionType) or origin is typing.Union:
        return _decode_union(typing.get_args(kind), data)
    if kind is None or kind is type(None):
        return _must(data is None, data)
    if origin is typing.Literal:
        return _must(data in typing.get_args(kind), data)
    if origin is np.ndarray or kind is np.ndarray:
        return _decode_array(data)
    if isinstance(kind, type) and is_dataclass(kind):
        return _decode_dataclass(kind, data)
    if origin is not None:
        return _decode_many(cast(type, origin), typing.get_args(kind), data)
    return _decode_plain(kind, data)


def _must(fits: bool, data: object) -> object:
    if not fits:
        raise WireError(f"{str(data)[:60]!r} is not what belongs there: use the same Segue on both")
    return data


def _decode_plain(kind: object, data: object) -> object:
    number = isinstance(data, int | float) and not isinstance(data, bool)
    if kind is float:
        _must(number, data)
        return float(cast(float, data))
    if kind is int:
        return _must(number and isinstance(data, int), data)
    if kind in (bool, str):
        return _must(isinstance(data, cast(type, kind)), data)
    return _must(kind is object, data)  # whatever JSON holds, for a reader that looks closer


def _decode_union(kinds: tuple[object, ...], data: object) -> object:
    if data is None and type(None) in kinds:
        return None
    for kind in kinds:
        try:
            return _decode(kind, data)
        except WireError:
            continue
    return _must(False, data)


def _decode_dataclass(kind: type, data: object) -> object:
    _must(isinstance(data, dict), data)
    hints = hints_of(kind)
    given = cast(dict[str, object], data)
    known = {f.name: _decode(hints[f.name], given[f.name])
             for f in fields(kind) if f.init and f.name in given}  # fmt: skip
    try:
        return kind(**known)
    except TypeError:  # a field without default is missing
        return _must(False, data)


def _decode_many(origin: type, inner: tuple[object, ...], data: object) -> object:
    if issubclass(origin, Mapping):
        _must(isinstance(data, dict), data)
        key, value = inner
        rows = cast(dict[str, object], data).items()
        return {_decode_key(key, name): _decode(value, part) for name, part in rows}
    _must(isinstance(data, list), data)
    parts = cast(list[object], data)
    if issubclass(origin, tuple) and not (len(inner) == 2 and inner[1] is Ellipsis):
        _must(len(inner) == len(parts), data)
        return tuple(_decode(k, part) for k, part in zip(inner, parts, strict=True))
    decoded = [_decode(inner[0], part) for part in parts]
    for made in (tuple, frozenset, set):
        if issubclass(origin, made):
            return cast(type[tuple[object, ...]], made)(decoded)
    _must(issubclass(list, origin) or origin is cast(object, Iterable), data)
    return decoded


def _decode_key(kind: object, name: str) -> object:
    if kind is int:
        _must(name.removeprefix("-").isdecimal(), name)
        return int(name)
    return _decode(kind, name)


def _decode_array(data: object) -> object:
    try:
        given = cast(Mapping[str, object], data)
        dtype, shape, text = given["dtype"], cast(list[int], given["shape"]), given["data"]
        _must(dtype in DTYPES, dtype)
        content = base64.b64decode(cast(str, text), validate=True)
        array = np.frombuffer(content, np.dtype(cast(str, dtype))).reshape(shape).copy()
    except (LookupError, TypeError, ValueError) as error:
        if isinstance(error, WireError):
            raise
        return _must(False, "an array")
    _must(all(size >= 0 for size in shape), "an array")
    array.setflags(write=False)
    return array

"""Serialisation of stream snapshots as JSON and arrays, without pickle.

A value is a tree of frozen dataclasses, named tuples, tuples, lists, dictionaries with string keys,
numbers, strings, sets of strings, bytes, numpy arrays and torch tensors. The tree becomes JSON that
refers to arrays by number. Only classes that the reader lists are instantiated. Numbers are
restored bit for bit. Torch is imported only to make tensors.
"""

from __future__ import annotations

import base64
import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.storage.json_types import Json

if TYPE_CHECKING:
    from torch import Tensor

Array: TypeAlias = NDArray[np.generic]
Classes: TypeAlias = Mapping[str, type]

NUMPY_DTYPES: Final = frozenset(
    {"bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
     "float16", "float32", "float64"}
)  # fmt: skip
"""dtypes that are stored as they are; others are stored as integers or floats of the same bits."""
RENAMED: Final = {
    "Cache": "KeyValueCache",
    "Context": "DepthformerContext",
    "Entry": "CacheEntry",
    "Note": "SoundingNote",
    "PlayerState": "DecodingState",
    "Watch": "SilenceWatch",
}
"""Names of classes in states that Segue 0.1 saved, and their names now."""
VERSION_ERROR: Final = (
    "the place in the music was kept by another version of Segue: it cannot be taken up here."
)


@dataclass(frozen=True, eq=False)
class PackedState:
    """A serialised snapshot. tree: JSON; arrays: those that it refers to, never written to.

    engine, weights: the engine's name and its weights' checksum.
    """

    engine: str
    weights: str
    tree: str
    arrays: tuple[Array, ...]

    @property
    def nbytes(self) -> int:
        return len(self.tree) + sum(array.nbytes for array in self.arrays)


def pack(value: object) -> tuple[str, tuple[Array, ...]]:
    """Serialise a value: its tree as JSON, and its arrays, which share memory where possible.

    Raises TypeError for a value of another type.
    """
    arrays: list[Array] = []
    known: dict[int, int] = {}
    tree = _pack(value, arrays, known)
    return json.dumps(tree, separators=(",", ":")), tuple(arrays)


def _pack(  # noqa: C901 - a list of types
    value: object, arrays: list[Array], known: dict[int, int]
) -> Json:
    def number(key: int, make: Callable[[], Array]) -> int:
        if key not in known:
            known[key] = len(arrays)
            arrays.append(make())
        return known[key]

    inner = partial(_pack, arrays=arrays, known=known)
    # Scalars of numpy before plain numbers: np.float64 is a float, and would be restored as one.
    if isinstance(value, np.generic):
        return {"scalar": number(id(value), lambda: np.array(value)), "dtype": value.dtype.name}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, np.ndarray):
        return {"array": number(id(value), lambda: _contiguous(value)), "dtype": value.dtype.name}
    if _is_tensor(value):
        name = str(value.dtype).removeprefix("torch.")
        return {"tensor": number(id(value), lambda: _tensor_to_array(value, name)), "dtype": name}
    if isinstance(value, frozenset):
        return {"set": sorted(str(part) for part in value)}
    if isinstance(value, list):
        return [inner(part) for part in value]
    if isinstance(value, Mapping):
        return {"dict": {str(name): inner(part) for name, part in value.items()}}
    names = _field_names(type(value))
    if names is not None:
        parts = {name: inner(getattr(value, name)) for name in names}
        return {"class": type(value).__name__, "fields": parts}
    if isinstance(value, tuple):
        return {"tuple": [inner(part) for part in value]}
    raise TypeError(f"{type(value).__name__} cannot be packed")


def _contiguous(array: Array) -> Array:
    """A contiguous array of a dtype in NUMPY_DTYPES; complex numbers become pairs of floats."""
    array = np.ascontiguousarray(array).reshape(array.shape)  # a scalar stays a scalar
    if array.dtype.name in NUMPY_DTYPES:
        return array
    if array.dtype.kind == "c":
        return array.view(array.real.dtype).reshape(*array.shape, 2)
    raise TypeError(f"arrays of {array.dtype} cannot be packed")


def _is_tensor(value: object) -> TypeGuard[Tensor]:
    """Whether a value is a torch tensor; torch is not imported here."""
    return hasattr(value, "untyped_storage")


def _tensor_to_array(tensor: Tensor, name: str) -> Array:
    tensor = tensor.detach().cpu().contiguous()
    if name not in NUMPY_DTYPES:  # numpy has neither bfloat16 nor eight-bit floats: store the bits
        import torch

        bits = {1: torch.uint8, 2: torch.int16}[tensor.element_size()]
        tensor = tensor.view(bits)
    return _contiguous(tensor.numpy())


def _field_names(kind: type) -> tuple[str, ...] | None:
    """Names of the fields of a dataclass or named tuple; None for other types."""
    if is_dataclass(kind):
        return tuple(field.name for field in fields(kind) if field.init)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return tuple(kind._fields)
    return None


T = TypeVar("T")


def unpack_state(
    packed: PackedState, kind: type[T], engine: str, weights: str, devices: Mapping[str, str]
) -> T:
    """Restore an engine's state of type `kind`.

    Args:
        packed: the state.
        kind: its class.
        engine: name of the engine that unpacks; it must be the one that packed.
        weights: checksum of its weights, which must be those packed.
        devices: as in `unpack`.

    Raises:
        SegueError: the state is of another engine, other weights or another version.

    """
    if (packed.engine, packed.weights) != (engine, weights):
        raise SegueError(
            f"that place in the music was made with other weights than {engine} has now, or in "
            "another precision: it cannot be taken up here."
        )
    state = unpack(packed.tree, packed.arrays, classes_of(kind), devices)
    if not isinstance(state, kind):
        raise SegueError(VERSION_ERROR)
    return state


def unpack(
    tree: str, arrays: tuple[Array, ...], classes: Classes, devices: Mapping[str, str] | None = None
) -> Any:
    """Restore the value of a tree and its arrays.

    classes: by name, those that may be instantiated. devices: torch devices of the tensors under
    fields of the root; others are on the CPU. SegueError where the tree is invalid.
    """
    try:
        value = json.loads(tree)
        if devices:
            for name in devices.keys() & value["fields"].keys():
                value["fields"][name] = {"device": devices[name], "of": value["fields"][name]}
        return _unpack(value, arrays, classes, "cpu")
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise SegueError(VERSION_ERROR) from error


def _unpack(tree: object, arrays: tuple[Array, ...], classes: Classes, device: str) -> object:
    inner = partial(_unpack, arrays=arrays, classes=classes, device=device)
    if isinstance(tree, list):
        return [inner(part) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if "class" in tree:
        name = tree["class"]
        kind = classes[name] if name in classes else classes[RENAMED[name]]
        return kind(**{str(name): inner(part) for name, part in tree["fields"].items()})
    if "tuple" in tree:
        return tuple(inner(part) for part in tree["tuple"])
    if "set" in tree:
        return frozenset(tree["set"])
    if "dict" in tree:
        return {name: inner(part) for name, part in tree["dict"].items()}
    if "bytes" in tree:
        return base64.b64decode(tree["bytes"], validate=True)
    if "device" in tree:
        return _unpack(tree["of"], arrays, classes, tree["device"])
    if "tensor" in tree:
        return _array_to_tensor(arrays[tree["tensor"]], tree["dtype"]).to(device)
    array = _restore_dtype(
        arrays[tree["array"] if "array" in tree else tree["scalar"]], tree["dtype"]
    )
    return array if "array" in tree else array[()]


def _restore_dtype(array: Array, name: str) -> Array:
    if array.dtype.name == name:
        return array
    if np.dtype(name).kind != "c":
        raise ValueError(f"{array.dtype} is not {name}")
    return array.view(name).reshape(array.shape[:-1])


def _array_to_tensor(array: Array, name: str) -> Tensor:
    import torch

    kind = getattr(torch, name)
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"{name} is no torch dtype")
    tensor = torch.from_numpy(np.array(array))  # a copy, as tensors must be writable
    return tensor if tensor.dtype == kind else tensor.view(kind)


def classes_of(root: type) -> dict[str, type]:
    """A class and the dataclasses and named tuples in the types of its fields, by name.

    Raises ValueError where two classes have the same name.
    """
    found: dict[str, type] = {}
    waiting: list[object] = [root]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, types.UnionType) or typing.get_origin(kind) is not None:
            waiting.extend(typing.get_args(kind))
        elif isinstance(kind, type) and _field_names(kind) is not None:
            if found.get(kind.__name__) is kind:
                continue
            if found.setdefault(kind.__name__, kind) is not kind:
                raise ValueError(f"two classes are named {kind.__name__}")
            waiting.extend(typing.get_type_hints(kind).values())
    return found

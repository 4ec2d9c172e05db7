"""Values as text and arrays, and back: what a moment must become to be kept in a file. Any lane.

A value is a tree of frozen dataclasses, named tuples, tuples, lists, dictionaries with string keys,
numbers, strings, bytes, numpy arrays and torch tensors. The tree becomes JSON, the arrays are
numbered in it. Nothing but the classes that the reader names can come out of it: no pickle. Numbers
come back to the bit. Torch is imported only where tensors are made.
"""

from __future__ import annotations

import base64
import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError

Array: TypeAlias = NDArray[np.generic]
Classes: TypeAlias = Mapping[str, type]

PLAIN: Final = frozenset(
    {"bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
     "float16", "float32", "float64"}
)  # fmt: skip
"""Types of numbers that are kept as they are; others as the integers or floats they are made of."""
RENAMED: Final = {
    "Cache": "KeyValueCache",
    "Context": "DepthformerContext",
    "Entry": "CacheEntry",
    "Note": "SoundingNote",
    "PlayerState": "DecodingState",
    "Watch": "SilenceWatch",
}
"""Classes by the name under which states saved by Segue 0.1 know them."""
OTHER_VERSION: Final = (
    "the place in the music was kept by another version of Segue: it cannot be taken up here."
)


@dataclass(frozen=True, eq=False)
class PackedState:
    """A moment for a file. tree: JSON; arrays: those numbered in it, never written to.

    engine, weights: name and checksum of what it belongs to (`EngineInfo.name`, `Engine.weights`).
    """

    engine: str
    weights: str
    tree: str
    arrays: tuple[Array, ...]

    @property
    def nbytes(self) -> int:
        return len(self.tree) + sum(array.nbytes for array in self.arrays)


def pack(value: object) -> tuple[str, tuple[Array, ...]]:
    """The value's tree as JSON, and its arrays. Arrays in memory are shared, not copied, where they
    can be. TypeError for a value that is no such tree."""
    arrays: list[Array] = []
    known: dict[int, int] = {}
    tree = _pack(value, arrays, known)
    return json.dumps(tree, separators=(",", ":")), tuple(arrays)


def _pack(value: Any, arrays: list[Array], known: dict[int, int]) -> Any:
    def number(key: int, make: Callable[[], Array]) -> int:
        if key not in known:
            known[key] = len(arrays)
            arrays.append(make())
        return known[key]

    def inner(part: Any) -> Any:
        return _pack(part, arrays, known)

    # Scalars of numpy before plain numbers: np.float64 is a float, and would come back as one.
    if isinstance(value, np.generic):
        return {"scalar": number(id(value), lambda: np.array(value)), "dtype": value.dtype.name}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, np.ndarray):
        return {"array": number(id(value), lambda: _plain(value)), "dtype": value.dtype.name}
    if hasattr(value, "untyped_storage"):  # a torch tensor; torch is not imported here
        name = str(value.dtype).removeprefix("torch.")
        return {"tensor": number(id(value), lambda: _of_tensor(value, name)), "dtype": name}
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


def _plain(array: NDArray[Any]) -> Array:
    """In one piece, and of a type in PLAIN: complex numbers as pairs of floats."""
    array = np.ascontiguousarray(array).reshape(array.shape)  # a scalar stays one
    if array.dtype.name in PLAIN:
        return array
    if array.dtype.kind == "c":
        return array.view(array.real.dtype).reshape(*array.shape, 2)
    raise TypeError(f"arrays of {array.dtype} cannot be packed")


def _of_tensor(tensor: Any, name: str) -> Array:
    tensor = tensor.detach().cpu().contiguous()
    if name not in PLAIN:  # numpy has no bfloat16, nor eight-bit floats: their bits are kept
        import torch

        bits = {1: torch.uint8, 2: torch.int16}[tensor.element_size()]
        tensor = tensor.view(bits)
    return _plain(tensor.numpy())


def _field_names(kind: type) -> tuple[str, ...] | None:
    """Fields of a dataclass or named tuple; None for other types."""
    if is_dataclass(kind):
        return tuple(field.name for field in fields(kind) if field.init)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return tuple(kind._fields)
    return None


T = TypeVar("T")


def unpack_state(
    packed: PackedState, kind: type[T], engine: str, weights: str, devices: Mapping[str, str]
) -> T:
    """What an engine packed of this kind. engine, weights: who unpacks, which must be who packed;
    devices: as `unpack` takes them. SegueError tells why it cannot be taken up."""
    if (packed.engine, packed.weights) != (engine, weights):
        raise SegueError(
            f"that place in the music was made with other weights than {engine} has now, or in "
            "another precision: it cannot be taken up here."
        )
    state = unpack(packed.tree, packed.arrays, classes_of(kind), devices)
    if not isinstance(state, kind):
        raise SegueError(OTHER_VERSION)
    return state


def unpack(
    tree: str, arrays: tuple[Array, ...], classes: Classes, devices: Mapping[str, str] | None = None
) -> Any:
    """The value of a tree and its arrays, made of these classes only.

    devices: where the tensors under a field of the root go; those of others stay on the CPU.
    SegueError where they are not what `pack` gave, or a class is not among those.
    """
    try:
        value = json.loads(tree)
        if devices:
            for name, device in devices.items():
                value["fields"][name] = {"device": device, "of": value["fields"][name]}
        return _unpack(value, arrays, classes, "cpu")
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise SegueError(OTHER_VERSION) from error


def _unpack(tree: Any, arrays: tuple[Array, ...], classes: Classes, device: str) -> Any:
    def inner(part: Any) -> Any:
        return _unpack(part, arrays, classes, device)

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
    if "dict" in tree:
        return {name: inner(part) for name, part in tree["dict"].items()}
    if "bytes" in tree:
        return base64.b64decode(tree["bytes"], validate=True)
    if "device" in tree:
        return _unpack(tree["of"], arrays, classes, tree["device"])
    if "tensor" in tree:
        return _to_tensor(arrays[tree["tensor"]], tree["dtype"]).to(device)
    array = _of_kind(arrays[tree["array"] if "array" in tree else tree["scalar"]], tree["dtype"])
    return array if "array" in tree else array[()]


def _of_kind(array: NDArray[Any], name: str) -> NDArray[Any]:
    if array.dtype.name == name:
        return array
    if np.dtype(name).kind != "c":
        raise ValueError(f"{array.dtype} is not {name}")
    return array.view(name).reshape(array.shape[:-1])


def _to_tensor(array: NDArray[Any], name: str) -> Any:
    import torch

    kind = getattr(torch, name)
    if not isinstance(kind, torch.dtype):
        raise ValueError(f"{name} is no type of tensors")
    tensor = torch.from_numpy(np.array(array))  # a copy: tensors must be able to be written to
    return tensor if tensor.dtype == kind else tensor.view(kind)


def classes_of(root: type) -> dict[str, type]:
    """The dataclasses and named tuples that a class's fields are declared to hold, by name, itself
    among them. ValueError where two have one name."""
    found: dict[str, type] = {}
    waiting: list[Any] = [root]
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

"""The places in the music that a session's scenes go back to, in a file beside it. GUI lane; pure.

`NAME.segue.json` has `NAME.moments.safetensors` beside it where any scene was saved with its
moment. In it every array lies under the checksum of its bytes: arrays that moments share are there
once, and damage is noticed. The metadata tells what each moment is made of, by its key; keys are
never given twice, so that a file beside another session is no danger. Version 1 of the format:

    {"format": "segue-moments", "version": "1", "moment-1f0c…": "{engine, weights, skip, tree,
     arrays: [checksums]}", ...}
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import struct
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open

from app.plan_moments import Moment
from models.errors import SegueError
from models.packing import Array, Packed

SUFFIX: Final = ".moments.safetensors"
FORMAT: Final = "segue-moments"
VERSION: Final = 1
MAX_BYTES: Final = 1_000_000_000
MAX_AUTOSAVED_BYTES: Final = 200_000_000
"""What the moments of a session may weigh in all to be kept in a file, and in an autosave. One of
the embedded engine weighs 1 MB, of the small Magenta RealTime 2 48 or 97, of the large 246."""
DTYPES: Final = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32",
    "int32": "I32", "uint64": "U64", "int64": "I64", "float16": "F16", "float32": "F32",
    "float64": "F64",
}  # fmt: skip
"""`models.packing.PLAIN` in the words of safetensors."""
SPARE: Final = 32
ELSEWHERE: Final = -1
"""Position of a moment of another performance than the one that plays."""


def new_key() -> str:
    """A key that no other moment has, in whatever session."""
    return f"moment-{secrets.token_hex(6)}"


def beside(session: Path) -> Path:
    """The moments file of a session's file."""
    return session.with_name(session.name.removesuffix(".json").removesuffix(".segue") + SUFFIX)


def storable(
    kept: Mapping[str, Any], keys: Iterable[str], most: int = MAX_BYTES
) -> dict[str, Moment]:
    """The moments of these keys that can be kept in a file of so many bytes; the oldest first."""
    wanted, found, total = frozenset(keys), {}, 0
    for key, moment in kept.items():
        packed = getattr(moment, "packed", None)
        if key not in wanted or not isinstance(packed, Packed) or total + packed.nbytes > most:
            continue
        found[key] = moment
        total += packed.nbytes
    return found


def forget_oldest(kept: dict[str, Any], needed: Collection[str], most: int = SPARE) -> None:
    """Of the moments that no scene has any more, keep the newest: an undo may bring them back."""
    spare = [key for key in kept if key not in needed]
    for key in spare[: max(0, len(spare) - most)]:
        del kept[key]


def write(path: Path, moments: Mapping[str, Moment]) -> None:
    """Write moments that are `storable` to this very path and flush them to the disk.

    Not atomic: the caller renames the file. Raises OSError. The format is written by hand: the
    library holds Python's lock until all is on the disk, and the window would stand still.
    """
    arrays: dict[str, Array] = {}
    metadata = {"format": FORMAT, "version": str(VERSION)}
    for key, moment in moments.items():
        packed = moment.packed
        assert packed is not None
        names = [_checksum(array) for array in packed.arrays]
        arrays.update(zip(names, packed.arrays, strict=True))
        metadata[key] = json.dumps(
            {
                "engine": packed.engine,
                "weights": packed.weights,
                "skip": moment.skip,
                "arrays": names,
                "tree": packed.tree,
            }
        )
    header: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    told = json.dumps(header).encode()
    told += b" " * (-len(told) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(told)) + told)
        for array in arrays.values():
            file.write(_bytes(array))
        file.flush()
        os.fsync(file.fileno())


def _bytes(array: Array) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _checksum(array: Array) -> str:
    digest = hashlib.blake2b(f"{array.dtype.name} {array.shape} ".encode(), digest_size=16)
    digest.update(_bytes(array))
    return digest.hexdigest()


def remove(path: Path) -> None:
    """Take a moments file away whose session has none any more."""
    with contextlib.suppress(OSError, SafetensorError):
        with safe_open(str(path), framework="numpy") as file:
            ours = (file.metadata() or {}).get("format") == FORMAT
        if ours:
            path.unlink()


def read(path: Path, keys: Iterable[str]) -> dict[str, Moment]:
    """Those of the moments with these keys that are in the file and whole.

    Raises SegueError where the file is missing or cannot be read at all.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SegueError(f"'{path.name}' is too large for the places of a session's scenes.")
        with safe_open(str(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise SegueError(f"'{path.name}' holds no places in the music.")
            if metadata.get("version") != str(VERSION):
                raise SegueError(f"'{path.name}' was saved by a newer Segue; update Segue.")
            found = {}
            for key in keys:
                with contextlib.suppress(KeyError, TypeError, ValueError, SafetensorError):
                    found[key] = _read(file, json.loads(metadata[key]))
            return found
    except FileNotFoundError:
        raise SegueError(f"'{path.name}' is missing; put it beside the session.") from None
    except (OSError, SafetensorError) as error:
        raise SegueError(f"'{path.name}' is damaged; put another copy beside the session.") from (
            error
        )


def _read(file: Any, told: Mapping[str, Any]) -> Moment:
    """ValueError where an array is not what its checksum says."""
    arrays = []
    for name in told["arrays"]:
        array = file.get_tensor(name)
        if _checksum(array) != name:
            raise ValueError(f"{name} is damaged")
        arrays.append(array)
    engine, skip = str(told["engine"]), max(0, int(told["skip"]))
    packed = Packed(engine, str(told["weights"]), str(told["tree"]), tuple(arrays))
    return Moment(ELSEWHERE, None, skip, engine, packed)

"""Moments of a session's scenes, in a safetensors file beside the session.

`NAME.segue.json` has `NAME.moments.safetensors` beside it where a scene has a moment. Each array
is stored under the checksum of its bytes, so that shared arrays are stored once and damage is
detected. The metadata describes each moment by its key; keys are unique across sessions. Version 1
of the format:

    {"format": "segue-moments", "version": "1", "moment-1f0c…": "{engine, weights, skip, tree,
     arrays: [checksums]}", ...}
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import struct
from collections.abc import Callable, Collection, Iterable, Mapping
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Final

import numpy as np

from app.performance.moment import Moment
from models.errors import SegueError
from models.storage.json_types import JsonObject
from models.storage.serialisation import Array, PackedState

SUFFIX: Final = ".moments.safetensors"
FORMAT: Final = "segue-moments"
VERSION: Final = 1
MAX_BYTES: Final = 1_000_000_000
MAX_AUTOSAVED_BYTES: Final = 200_000_000
"""Bytes of all moments in a file, and in an autosave."""
DTYPES: Final = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32",
    "int32": "I32", "uint64": "U64", "int64": "I64", "float16": "F16", "float32": "F32",
    "float64": "F64",
}  # fmt: skip
"""safetensors names of the dtypes of `models.storage.serialisation.NUMPY_DTYPES`."""
PLAIN_OF: Final = {word: plain for plain, word in DTYPES.items()}
MAX_SPARE: Final = 32
MAX_SPARE_BYTES: Final = 100_000_000
MAX_HEADER: Final = 100_000_000
CHUNK_BYTES: Final = 1 << 23
ELSEWHERE: Final = -1
"""Position of a moment of another performance."""


def new_moment_key() -> str:
    """Key that is unique across sessions."""
    return f"moment-{secrets.token_hex(6)}"


def path_for(session: Path) -> Path:
    """Moments file of a session's file."""
    return session.with_name(session.name.removesuffix(".json").removesuffix(".segue") + SUFFIX)


def storable(
    moments: Mapping[str, Moment], keys: Iterable[str], max_bytes: int = MAX_BYTES
) -> dict[str, Moment]:
    """Moments of these keys that fit into a file of `max_bytes`, the oldest first."""
    wanted, found, total = frozenset(keys), {}, 0
    for key, moment in moments.items():
        packed = moment.packed
        if key not in wanted or packed is None or total + packed.nbytes > max_bytes:
            continue
        found[key] = moment
        total += packed.nbytes
    return found


def drop_oldest(
    moments: dict[str, Moment],
    needed: Collection[str],
    max_count: int = MAX_SPARE,
    max_bytes: int = MAX_SPARE_BYTES,
) -> None:
    """Drop the oldest moments that no scene has; an undo may bring the newest back.

    needed: keys of the scenes. max_count, max_bytes: of those that no scene has.
    """
    total = 0
    for count, key in enumerate([key for key in reversed(moments) if key not in needed]):
        total += _nbytes(moments[key])
        if count and (count >= max_count or total > max_bytes):
            del moments[key]


def _nbytes(moment: Moment) -> int:
    return 0 if moment.packed is None else moment.packed.nbytes


def write(path: Path, moments: Mapping[str, Moment]) -> None:
    """Write moments that are `storable` and flush them to the disk. Raises OSError.

    Not atomic: the caller renames the file. Written here, as the library holds the GIL until all
    is on the disk.
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
    header: dict[str, object] = {"__metadata__": metadata}
    at = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for array in arrays.values():
            file.write(_bytes(array))
        file.flush()
        os.fsync(file.fileno())


def _bytes(array: Array) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _checksum(array: Array) -> str:
    digest = hashlib.blake2b(f"{array.dtype.name} {array.shape} ".encode(), digest_size=16)
    digest.update(_bytes(array))  # releases the GIL for large arrays
    return digest.hexdigest()


def remove(path: Path) -> None:
    """Delete the moments file of a session that has no moments."""
    with contextlib.suppress(OSError, ValueError):
        with path.open("rb") as file:
            ours = _Index(file).metadata.get("format") == FORMAT
        if ours:
            path.unlink()


def read(
    path: Path, keys: Iterable[str], stop: Callable[[], bool] = lambda: False
) -> dict[str, Moment]:
    """Moments of these keys that are in the file and undamaged. May be called from any thread.

    SegueError where the file is missing or cannot be read. Read in chunks, as the library holds
    the GIL for a whole array. stop: checked before each chunk; ends reading with what there is.
    """
    try:
        with path.open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise SegueError(
                    f"'{path.name}' is too large for the places of a session's scenes."
                )
            index = _Index(file)
            if index.metadata.get("format") != FORMAT:
                raise SegueError(f"'{path.name}' holds no places in the music.")
            if index.metadata.get("version") != str(VERSION):
                raise SegueError(f"'{path.name}' was saved by a newer Segue; update Segue.")
            found, arrays = {}, dict[str, Array]()
            wanted = frozenset(keys)
            for key in (key for key in index.metadata if key in wanted):  # the oldest first
                with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
                    found[key] = _read(index, json.loads(index.metadata[key]), arrays, stop)
            return found
    except FileNotFoundError:
        raise SegueError(f"'{path.name}' is missing; put it beside the session.") from None
    except (OSError, ValueError) as error:
        raise SegueError(f"'{path.name}' is damaged; put another copy beside the session.") from (
            error
        )


class _Index:
    """Header of a safetensors file, and access to its arrays. ValueError where it is damaged.

    Layout: README of the library safetensors, "Format".
    """

    def __init__(self, file: BufferedReader | FileIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        (length,) = struct.unpack("<Q", _exactly(file, 8))
        self._begin = 8 + length
        if not 2 <= length <= MAX_HEADER or self._begin > self._size:
            raise ValueError("a header of no sensible length")
        try:
            self._entries = json.loads(_exactly(file, length))
            self.metadata: dict[str, str] = self._entries.pop("__metadata__", {})
            self.metadata.get("")
            ends = [int(each["data_offsets"][1]) for each in self._entries.values()]
        except (LookupError, AttributeError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError("a header that is no table") from error
        if self._begin + max(ends, default=0) != self._size:
            raise ValueError("the file is cut off")

    def array(self, name: str, stop: Callable[[], bool]) -> Array:
        """Array of a name. KeyError where there is none."""
        entry = self._entries[name]
        kind = PLAIN_OF[entry["dtype"]]
        shape = tuple(int(side) for side in entry["shape"])
        begin, end = (int(offset) for offset in entry["data_offsets"])
        count = np.dtype(kind).itemsize * math.prod(shape)
        if min(shape, default=0) < 0 or not 0 <= begin <= end or end - begin != count:
            raise ValueError(f"{name} has another size than it says")
        if self._begin + end > self._size:
            raise ValueError(f"{name} lies outside the file")
        content = np.empty(count, np.uint8)
        self._file.seek(self._begin + begin)
        for at in range(0, count, CHUNK_BYTES):
            if stop():
                raise ValueError("nobody waits for it any more")
            _fill(self._file, content[at : at + CHUNK_BYTES].data)
        return content.view(kind).reshape(shape)


def _exactly(file: BufferedReader | FileIO, count: int) -> bytes:
    content = file.read(count)
    if content is None or len(content) != count:
        raise ValueError("the file ends too soon")
    return content


def _fill(file: BufferedReader | FileIO, piece: memoryview) -> None:
    while piece:
        got = file.readinto(piece)
        if not got:
            raise ValueError("the file ends too soon")
        piece = piece[got:]


def _read(
    index: _Index, entry: JsonObject, arrays: dict[str, Array], stop: Callable[[], bool]
) -> Moment:
    """Moment of an entry. ValueError for a wrong checksum. arrays: those read so far, by name."""
    for name in entry["arrays"]:
        if name not in arrays:
            array = index.array(name, stop)
            if _checksum(array) != name:
                raise ValueError(f"{name} is damaged")
            arrays[name] = array
    engine, skip = str(entry["engine"]), max(0, int(entry["skip"]))
    own = tuple(arrays[name] for name in entry["arrays"])
    return Moment(
        ELSEWHERE,
        None,
        skip,
        engine,
        PackedState(engine, str(entry["weights"]), str(entry["tree"]), own),
    )

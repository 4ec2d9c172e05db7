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
import math
import os
import secrets
import struct
from collections.abc import Callable, Collection, Iterable, Mapping
from io import FileIO
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from app.performance.moment import Moment
from models.errors import SegueError
from models.storage.serialisation import Array, PackedState

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
"""`models.storage.serialisation.NUMPY_DTYPES` in the words of safetensors."""
PLAIN_OF: Final = {word: plain for plain, word in DTYPES.items()}
SPARE: Final = 32
SPARE_BYTES: Final = 100_000_000
MAX_HEADER: Final = 100_000_000
PIECE: Final = 1 << 23
ELSEWHERE: Final = -1
"""Position of a moment of another performance than the one that plays."""


def new_moment_key() -> str:
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
        if key not in wanted or not isinstance(packed, PackedState) or total + packed.nbytes > most:
            continue
        found[key] = moment
        total += packed.nbytes
    return found


def drop_oldest(
    kept: dict[str, Any],
    needed: Collection[str],
    most: int = SPARE,
    most_bytes: int = SPARE_BYTES,
) -> None:
    """Of the moments that no scene has any more, keep the newest: an undo may bring them back.

    No more of them than so many, nor of so many bytes but for the very newest.
    """
    total = 0
    for count, key in enumerate([key for key in reversed(kept) if key not in needed]):
        total += _weight(kept[key])
        if count and (count >= most or total > most_bytes):
            del kept[key]


def _weight(moment: object) -> int:
    packed = getattr(moment, "packed", None)
    return packed.nbytes if isinstance(packed, PackedState) else 0


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
    digest.update(_bytes(array))  # without Python's lock, where there is much of it
    return digest.hexdigest()


def remove(path: Path) -> None:
    """Take a moments file away whose session has none any more."""
    with contextlib.suppress(OSError, ValueError):
        with path.open("rb") as file:
            ours = _Index(file).metadata.get("format") == FORMAT
        if ours:
            path.unlink()


def read(
    path: Path, keys: Iterable[str], stop: Callable[[], bool] = lambda: False
) -> dict[str, Moment]:
    """Those of the moments with these keys that are in the file and whole. Lane: any.

    Raises SegueError where the file is missing or cannot be read at all. Read by hand and piece by
    piece, as it was written: the library holds Python's lock for a whole array. `stop`, asked
    before each piece, ends it with what there is.
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
    """What a safetensors file says it holds, and its arrays. ValueError where that makes no sense.

    Layout: README of the library safetensors, "Format".
    """

    def __init__(self, file: IO[bytes] | FileIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        (length,) = struct.unpack("<Q", _exactly(file, 8))
        self._begin = 8 + length
        if not 2 <= length <= MAX_HEADER or self._begin > self._size:
            raise ValueError("a header of no sensible length")
        try:
            self._told = json.loads(_exactly(file, length))
            self.metadata: dict[str, str] = self._told.pop("__metadata__", {})
            self.metadata.get("")
            ends = [int(each["data_offsets"][1]) for each in self._told.values()]
        except (LookupError, AttributeError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError("a header that is no table") from error
        if self._begin + max(ends, default=0) != self._size:
            raise ValueError("the file is cut off")

    def array(self, name: str, stop: Callable[[], bool]) -> Array:
        """The array of that name. KeyError where there is none."""
        told = self._told[name]
        kind = PLAIN_OF[told["dtype"]]
        shape = tuple(int(side) for side in told["shape"])
        begin, end = (int(offset) for offset in told["data_offsets"])
        count = np.dtype(kind).itemsize * math.prod(shape)
        if min(shape, default=0) < 0 or not 0 <= begin <= end or end - begin != count:
            raise ValueError(f"{name} has another size than it says")
        if self._begin + end > self._size:
            raise ValueError(f"{name} lies outside the file")
        content = np.empty(count, np.uint8)
        self._file.seek(self._begin + begin)
        for at in range(0, count, PIECE):
            if stop():
                raise ValueError("nobody waits for it any more")
            _fill(self._file, content[at : at + PIECE].data)
        return content.view(kind).reshape(shape)


def _exactly(file: IO[bytes] | FileIO, count: int) -> bytes:
    content = file.read(count)
    if content is None or len(content) != count:
        raise ValueError("the file ends too soon")
    return content


def _fill(file: Any, piece: memoryview) -> None:
    while piece:
        got = file.readinto(piece)
        if not got:
            raise ValueError("the file ends too soon")
        piece = piece[got:]


def _read(
    index: _Index, told: Mapping[str, Any], arrays: dict[str, Array], stop: Callable[[], bool]
) -> Moment:
    """ValueError where an array is not what its checksum says. `arrays`: those read so far, by
    name, as moments share some."""
    for name in told["arrays"]:
        if name not in arrays:
            array = index.array(name, stop)
            if _checksum(array) != name:
                raise ValueError(f"{name} is damaged")
            arrays[name] = array
    engine, skip = str(told["engine"]), max(0, int(told["skip"]))
    own = tuple(arrays[name] for name in told["arrays"])
    return Moment(
        ELSEWHERE,
        None,
        skip,
        engine,
        PackedState(engine, str(told["weights"]), str(told["tree"]), own),
    )

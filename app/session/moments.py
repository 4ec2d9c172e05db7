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
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from app.plan_moments import Moment
from models.errors import SegueError
from models.packing import Array, Packed

SUFFIX: Final = ".moments.safetensors"
FORMAT: Final = "segue-moments"
VERSION: Final = 1
MAX_BYTES: Final = 1_000_000_000
MAX_MOMENT_BYTES: Final = 64_000_000
"""What a moment may weigh to be kept in a file; one of the embedded engine weighs 1 MB."""
SPARE: Final = 32
ELSEWHERE: Final = -1
"""Position of a moment of another performance than the one that plays."""


def new_key() -> str:
    """A key that no other moment has, in whatever session."""
    return f"moment-{secrets.token_hex(6)}"


def beside(session: Path) -> Path:
    """The moments file of a session's file."""
    return session.with_name(session.name.removesuffix(".json").removesuffix(".segue") + SUFFIX)


def storable(moment: Any) -> bool:
    """Whether a moment can be kept in a file."""
    packed = getattr(moment, "packed", None)
    return isinstance(packed, Packed) and packed.nbytes <= MAX_MOMENT_BYTES


def forget_oldest(kept: dict[str, Any], needed: Collection[str], most: int = SPARE) -> None:
    """Of the moments that no scene has any more, keep the newest: an undo may bring them back."""
    spare = [key for key in kept if key not in needed]
    for key in spare[: max(0, len(spare) - most)]:
        del kept[key]


def write(path: Path, moments: Mapping[str, Moment]) -> None:
    """Write the moments that are `storable` to this very path and flush them to the disk.

    Not atomic: the caller renames the file. Raises OSError.
    """
    arrays: dict[str, Array] = {}
    metadata = {"format": FORMAT, "version": str(VERSION)}
    for key, moment in moments.items():
        packed = moment.packed
        if packed is None or not storable(moment):
            continue
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
    try:
        save_file(dict(arrays), str(path), metadata=metadata)
    except SafetensorError as error:  # how it tells of a full disk
        raise OSError(str(error)) from error
    path.chmod(0o644)  # safetensors makes a private file
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _checksum(array: Array) -> str:
    digest = hashlib.blake2b(f"{array.dtype.name} {array.shape} ".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
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

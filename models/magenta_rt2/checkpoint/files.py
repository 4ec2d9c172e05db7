"""The files of Magenta RealTime 2: which, where they lie, and whether they are whole. Any lane.

An installed engine is a folder with the released files at their released paths and a list of their
sizes and SHA-256, so that `verify` needs no network. Imports neither torch nor the hub's client.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.command import PROGRAM_NAME
from models.errors import SegueError

REPOSITORY: Final = "google/magenta-realtime-2"
LIST: Final = "segue-files.json"
END_BYTES: Final = 1 << 20
PLACE: Final = "SEGUE_MODELS"  # the environment variable that moves the folder of all models

CHECKPOINTS: Final = {
    "magenta-rt2-small": "checkpoints/mrt2_small.safetensors",
    "magenta-rt2-base": "checkpoints/mrt2_base.safetensors",
}
NAMES: Final = tuple(CHECKPOINTS)
CODEC_ENCODER: Final = "resources/spectrostream/encoder.safetensors"
MUSICCOCA: Final = "resources/musiccoca"
SHARED: Final = (
    CODEC_ENCODER,
    f"{MUSICCOCA}/spm.model",
    f"{MUSICCOCA}/text_encoder.tflite",
    f"{MUSICCOCA}/audio_preprocessor.tflite",
    f"{MUSICCOCA}/music_encoder.tflite",
    f"{MUSICCOCA}/pretrained_vector_quantizer.tflite",
)
OPTIONAL: Final = (f"{MUSICCOCA}/mapper.tflite",)  # text to audio; newer than the first release


@dataclass(frozen=True)
class Installed:
    """One file of an installed engine, as the list has it."""

    path: str
    size: int
    sha256: str


def models_folder() -> Path:
    """Where fetched engines live: SEGUE_MODELS, else the user's data folder. It need not exist.

    Where only the folder of a time before the one spelling is there, it goes on being used: no
    download of gigabytes is lost, and none that was under way starts again.
    """
    place, *before = _places()
    if place.is_dir():
        return place
    return next((old for old in before if old.is_dir()), place)


def _places() -> tuple[Path, ...]:
    """The folder of all models, then where it lay before, the latest first."""
    moved = os.environ.get(PLACE)
    if moved:
        return (Path(moved).expanduser(),)
    from platformdirs import user_data_path

    return tuple(user_data_path(name, appauthor=False) / "models" for name in ("Segue", "segue"))


def folder_of(name: str) -> Path:
    """The folder of an installed engine, whether or not it is there. KeyError for another name."""
    if name not in CHECKPOINTS:
        raise KeyError(name)
    usual = models_folder() / name
    return next((place / name for place in _places() if (place / name).is_dir()), usual)


def required(name: str) -> tuple[str, ...]:
    """The released paths that an engine cannot do without, its checkpoint first."""
    return (CHECKPOINTS[name], *SHARED)


def need_file(name: str, path: str) -> Path:
    """The file of an installed engine; SegueError that names it and the command where it is not."""
    file = folder_of(name) / path
    if not file.is_file():
        raise SegueError(
            f"{file.name} of {name} is not on this machine: run {PROGRAM_NAME} models fetch {name}."
        )
    return file


def read_list(folder: Path) -> dict[str, Any]:
    """The list of an installed folder as it was written.

    FileNotFoundError where there is none, SegueError where it is damaged.
    """
    path = folder / LIST
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        for path_, entry in table["files"].items():
            Installed(str(path_), int(entry["size"]), str(entry["sha256"]))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise SegueError(
            f"{path} is damaged: run {PROGRAM_NAME} models fetch {folder.name}."
        ) from None
    result: dict[str, Any] = table
    return result


def installed(name: str) -> tuple[Installed, ...]:
    """The files of an installed engine; SegueError where it is not installed."""
    try:
        table = read_list(folder_of(name))
    except FileNotFoundError:
        raise SegueError(
            f"{name} is not on this machine: run {PROGRAM_NAME} models fetch {name}."
        ) from None
    return tuple(
        Installed(path, int(entry["size"]), str(entry["sha256"]))
        for path, entry in sorted(table["files"].items())
    )


def is_installed(name: str) -> bool:
    """Whether every file is there with its size. Reads no file's content."""
    try:
        files = installed(name)
    except SegueError:
        return False
    folder = folder_of(name)
    return all((folder / f.path).is_file() for f in files) and all(
        (folder / f.path).stat().st_size == f.size for f in files
    )


def sha256_of(path: Path, step: Callable[[int], object] | None = None) -> str:
    """The SHA-256 of a file in hex; `step` hears how many bytes were read. OSError as it comes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
            if step is not None:
                step(len(chunk))
    return digest.hexdigest()


def fingerprint(folder: Path, path: str) -> str:
    """What tells a file of an engine's folder from another version of it, in hex.

    Its SHA-256 by the folder's list; where there is none, that of its size and both its ends, as to
    read all of it takes seconds. SegueError where it cannot be read.
    """
    try:
        return str(read_list(folder)["files"][path]["sha256"])
    except (FileNotFoundError, KeyError):
        pass
    try:
        with (folder / path).open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - END_BYTES))
            end = stream.read(END_BYTES)
            stream.seek(0)
            return hashlib.sha256(b"%d " % size + stream.read(END_BYTES) + end).hexdigest()
    except OSError as error:
        raise SegueError(f"{folder / path} cannot be read ({error.strerror}).") from None


def fault_of(folder: Path, file: Installed, step: Callable[[int], object] | None = None) -> str:
    """'missing', 'damaged', 'unreadable', or '' for a whole file."""
    path = folder / file.path
    try:
        if path.stat().st_size != file.size:
            return "damaged"
        return "" if sha256_of(path, step) == file.sha256 else "damaged"
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"

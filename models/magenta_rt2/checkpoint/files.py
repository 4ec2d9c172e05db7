"""Released files of Magenta RealTime 2: their paths, and the folder of an installed engine.

An installed engine is a folder with the released files at their released paths and a list of their
sizes and SHA-256, so that `models verify` needs no network. Imports neither torch nor the hub's
client.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Final

from models.command import PROGRAM_NAME
from models.errors import SegueError
from models.storage.json_types import JsonObject
from models.storage.weights import WeightsFile

REPOSITORY: Final = "google/magenta-realtime-2"
FILE_LIST: Final = "segue-files.json"
FINGERPRINT_BYTES: Final = 1 << 20
FOLDER_VARIABLE: Final = "SEGUE_MODELS"
"""Environment variable that names the folder of downloaded engines."""

CHECKPOINTS: Final = {
    "magenta-rt2-small": "checkpoints/mrt2_small.safetensors",
    "magenta-rt2-base": "checkpoints/mrt2_base.safetensors",
}
ENGINES: Final = tuple(CHECKPOINTS)
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
MAPPER_MISSING: Final = (
    "mapper.tflite of {name} is not here, so text prompts steer less than they could: "
    f"run {PROGRAM_NAME} models fetch {{name}}."
)
"""Sentence for the performer."""


def models_folder() -> Path:
    """Folder of downloaded engines: SEGUE_MODELS, else the user's data folder. It may not exist.

    An older version's folder is used where it is the only one, so that no download is lost.
    """
    folder, *older = _models_folders()
    if folder.is_dir():
        return folder
    return next((old for old in older if old.is_dir()), folder)


def _models_folders() -> tuple[Path, ...]:
    """The folder of all models, then those of older versions, the latest first."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return (Path(chosen).expanduser(),)
    from platformdirs import user_data_path

    return tuple(user_data_path(name, appauthor=False) / "models" for name in ("Segue", "segue"))


def folder_of(name: str) -> Path:
    """The folder of an installed engine, which may not exist. KeyError for an unknown name."""
    if name not in CHECKPOINTS:
        raise KeyError(name)
    candidates = [folder / name for folder in _models_folders()]
    return next((path for path in candidates if path.is_dir()), models_folder() / name)


def required(name: str) -> tuple[str, ...]:
    """The released paths that an engine needs, its checkpoint first."""
    return (CHECKPOINTS[name], *SHARED)


def read_list(folder: Path) -> JsonObject:
    """The file list of an installed folder, as JSON.

    Raises FileNotFoundError where there is none, SegueError where it is damaged.
    """
    path = folder / FILE_LIST
    try:
        table: JsonObject = json.loads(path.read_text(encoding="utf-8"))
        for entry in table["files"].values():
            int(entry["size"]), str(entry["sha256"])
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise SegueError(
            f"{path} is damaged: run {PROGRAM_NAME} models fetch {folder.name}."
        ) from None
    return table


def installed(name: str) -> tuple[WeightsFile, ...]:
    """The files of an installed engine; SegueError where it is not installed."""
    try:
        table = read_list(folder_of(name))
    except FileNotFoundError:
        raise SegueError(
            f"{name} is not on this machine: run {PROGRAM_NAME} models fetch {name}."
        ) from None
    return tuple(
        WeightsFile(name, path, int(entry["size"]), str(entry["sha256"]))
        for path, entry in sorted(table["files"].items())
    )


def origin(name: str) -> str:
    """Where an installed engine's files are from; empty where it is not installed."""
    try:
        return str(read_list(folder_of(name)).get("origin", ""))
    except (FileNotFoundError, SegueError):
        return ""


def is_installed(name: str) -> bool:
    """Whether every file of an engine is there with its size; does not read the files."""
    try:
        files = installed(name)
    except SegueError:
        return False
    paths = [(folder_of(name) / file.name, file.size) for file in files]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def fingerprint(folder: Path, path: str) -> str:
    """Checksum in hex that identifies the version of a file in an engine's folder.

    Its SHA-256 from the folder's list; where there is none, a hash of its size, beginning and end,
    since hashing the whole file takes seconds. SegueError where it cannot be read.
    """
    try:
        return str(read_list(folder)["files"][path]["sha256"])
    except (FileNotFoundError, KeyError):
        pass
    try:
        with (folder / path).open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - FINGERPRINT_BYTES))
            end = stream.read(FINGERPRINT_BYTES)
            stream.seek(0)
            return hashlib.sha256(b"%d " % size + stream.read(FINGERPRINT_BYTES) + end).hexdigest()
    except OSError as error:
        raise SegueError(f"{folder / path} cannot be read ({error.strerror}).") from None

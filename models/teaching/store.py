"""Store of a lesson's material: each audio file encoded once, in a file beside the checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.teaching.lesson import Study
from models.teaching.transcription import HeardScore


@dataclass(frozen=True, eq=False)
class EncodedFile:
    """What of an audio file is learned from: its studies, styles (n, 128) of its minutes, measures
    (k, 16) of its mix, as of `learned_mix.measures`, and contrasts (k, 3), as of `segue.room`.
    """

    name: str
    studies: tuple[Study, ...]
    styles: NDArray[np.float32]
    seconds: float
    mix: NDArray[np.float32]
    contrasts: NDArray[np.float32]


def write_encoded(encoded: EncodedFile, path: Path, source: str) -> None:
    """Write an encoded file, whole or not at all.

    Args:
        encoded: What is written.
        path: The file.
        source: What tells this version of the audio file from others.

    Raises:
        OSError: There is no room.

    """
    tensors: dict[str, NDArray[np.generic]] = {
        "styles": np.ascontiguousarray(encoded.styles),
        "mix": np.ascontiguousarray(encoded.mix),
        "contrasts": np.ascontiguousarray(encoded.contrasts),
    }
    for number, study in enumerate(encoded.studies):
        tensors[f"{number}.latents"] = study.latents.astype(np.float16)
        for name, values in study.heard._asdict().items():
            tensors[f"{number}.{name}"] = np.ascontiguousarray(values)
    header = {
        "name": encoded.name, "source": source, "seconds": repr(encoded.seconds),
        "studies": str(len(encoded.studies)),
    }  # fmt: skip
    partial = path.with_suffix(".partial")
    try:
        save_file(tensors, partial, metadata=header)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    partial.replace(path)


def read_encoded(path: Path, source: str) -> EncodedFile | None:
    """The encoded file of a source; None where it is missing, damaged or of another source."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = file.metadata() or {}
            if header["source"] != source:
                return None
            studies = [
                Study(
                    np.asarray(file.get_tensor(f"{number}.latents"), np.float32),
                    HeardScore(*(file.get_tensor(f"{number}.{n}") for n in HeardScore._fields)),
                )
                for number in range(int(header["studies"]))
            ]
            styles = np.asarray(file.get_tensor("styles"), np.float32)
            # Files of before, without it, hold latents that have the tilt of the mixes twice.
            mix = np.asarray(file.get_tensor("mix"), np.float32)
            contrasts = np.asarray(file.get_tensor("contrasts"), np.float32)
        seconds = float(header["seconds"])
        return EncodedFile(header["name"], tuple(studies), styles, seconds, mix, contrasts)
    except (SafetensorError, OSError, KeyError, ValueError):
        return None

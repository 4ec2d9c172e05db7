"""File of a learned sound: one safetensors with all that it is. No torch.

It holds the style, the low-rank changes of the renderer's weights, what is usual in the music (the
arranger's idiom), a small picture, and in its header the name, what it was learned from, how much
and how long, what it may be used for, and the checksum of the weights that it changes. Where the
files are unlike, each piece of them has a style and an idiom of its own; a file without is played
with those of the whole.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.engine.sounds import check_name
from models.errors import SegueError

Array = NDArray[np.generic]

SUFFIX: Final = ".sound.safetensors"
MAX_BYTES: Final = 5_000_000
FORMAT: Final = "segue-sound"
VERSION: Final = 1
STYLE_SIZE: Final = 128
UP: Final = ".up"
DOWN: Final = ".down"
CHANGE: Final = ".change"
"""Ends of the names of changes: of `NAME.weight` the product of up (outputs, rank) and down (rank,
inputs) is added; of the tensor NAME a change is added as it is."""
PIECE: Final = "piece."
"""How the names of a piece's tensors begin: then its number, and the name as of the whole sound."""
TEXTS: Final = ("name", "base", "licence", "terms", "created")
NUMBERS: Final = ("seconds", "minutes", "steps", "loss", "rank")


@dataclass(frozen=True, eq=False)
class SoundPiece:
    """A part of what a sound was learned from: one file, or some that are alike.

    Attributes:
        files: their names.
        seconds: of music in them.
        style: float32 (128,).
        changes: float16 tensors of its own idiom and mix, by the names that those of the whole
            have.

    """

    files: tuple[str, ...]
    seconds: float
    style: NDArray[np.float32]
    changes: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class LearnedSound:
    """A learned sound.

    Attributes:
        name: as `check_name` gives it.
        base: SHA-256 of the renderer's weights that the changes belong to.
        style: float32 (128,), where the files lie among the prompts.
        changes: float16 tensors by name, as UP, DOWN and CHANGE say, and those of the idiom.
        picture: uint8 (height, width, 3), what it was learned from as a spectrogram.
        files: names of the files that it was learned from.
        licence: what its maker says that it may be used for.
        terms: the style terms that are nearest.
        created: date, ISO 8601.
        seconds: of music that it was learned from.
        minutes: of computing, by all cores that took part.
        steps: of training.
        loss: of the last steps.
        rank: of the changes.
        pieces: that are played one after the other, MAX_PIECES at most; none in files of before.

    """

    name: str
    base: str
    style: NDArray[np.float32]
    changes: Mapping[str, Array] = field(default_factory=dict)
    picture: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((48, 96, 3), np.uint8))
    files: tuple[str, ...] = ()
    licence: str = ""
    terms: str = ""
    created: str = ""
    seconds: float = 0.0
    minutes: float = 0.0
    steps: int = 0
    loss: float = 0.0
    rank: int = 0
    pieces: tuple[SoundPiece, ...] = ()


def write_sound(sound: LearnedSound, path: Path) -> None:
    """Write a sound, whole or not at all.

    Raises:
        SegueError: the file cannot be written, or would be larger than MAX_BYTES.

    """
    tensors: dict[str, Array] = {"style": np.asarray(sound.style, np.float32)}
    tensors["picture"] = np.ascontiguousarray(sound.picture)
    tensors |= {name: np.ascontiguousarray(each) for name, each in sound.changes.items()}
    for number, piece in enumerate(sound.pieces):
        own = {"style": np.asarray(piece.style, np.float32), **piece.changes}
        tensors |= {f"{PIECE}{number}.{n}": np.ascontiguousarray(x) for n, x in own.items()}
    if sum(each.nbytes for each in tensors.values()) > MAX_BYTES - 100_000:
        raise SegueError(f"the sound '{sound.name}' would be too large: teach it with less rank.")
    header = {name: str(getattr(sound, name)) for name in (*TEXTS, *NUMBERS)}
    header |= {"format": FORMAT, "version": str(VERSION), "files": json.dumps(sound.files[:200])}
    header["pieces"] = json.dumps([[piece.files[:50], piece.seconds] for piece in sound.pieces])
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, metadata=header)
        partial.chmod(0o644)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise SegueError(
            f"the sound '{sound.name}' cannot be written to {path.parent} ({reason}): "
            "make room there, or choose another folder."
        ) from error


def read_sound(path: Path) -> LearnedSound:
    """The sound of a file.

    Raises:
        SegueError: no such file, no learned sound, damaged, or of a newer version.

    """
    if not path.is_file():
        raise SegueError(f"there is no file {path}: check the name of the learned sound.")
    damaged = f"{path.name} is damaged or no learned sound: get it again."
    if path.stat().st_size > MAX_BYTES:
        raise SegueError(damaged)
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header.get("format") != FORMAT:
            raise SegueError(f"{path.name} is no learned sound: give a file that Segue exported.")
        if int(header["version"]) > VERSION:
            raise SegueError(f"{path.name} was made by a newer Segue: update Segue to use it.")
        style, picture = tensors.pop("style"), tensors.pop("picture")
        pieces = _pieces(json.loads(header.get("pieces", "[]")), tensors)
        sound = LearnedSound(
            style=np.asarray(style, np.float32),
            picture=np.asarray(picture, np.uint8),
            changes={n: each for n, each in tensors.items() if not n.startswith(PIECE)},
            pieces=pieces,
            files=tuple(str(name) for name in json.loads(header["files"])),
            steps=int(header["steps"]),
            rank=int(header["rank"]),
            seconds=float(header["seconds"]),
            minutes=float(header["minutes"]),
            loss=float(header["loss"]),
            **{name: header[name] for name in TEXTS},
        )
        check_name(sound.name)
    except SegueError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise SegueError(damaged) from error
    styles = (sound.style, *(piece.style for piece in pieces))
    shaped = all(each.shape == (STYLE_SIZE,) for each in styles)
    if not shaped or sound.picture.shape[2:] != (3,):
        raise SegueError(damaged)
    if not all(np.isfinite(each).all() for each in (style, *tensors.values())):
        raise SegueError(f"{path.name} holds numbers that are not finite: get it again.")
    return sound


def _pieces(listed: list[tuple[list[str], float]], tensors: Mapping[str, Array]) -> tuple[
    SoundPiece, ...
]:  # fmt: skip
    """The pieces of a file's header and tensors. KeyError, TypeError or ValueError where they do
    not belong together.
    """
    found = []
    for number, (files, seconds) in enumerate(listed):
        start = f"{PIECE}{number}."
        own = {n.removeprefix(start): x for n, x in tensors.items() if n.startswith(start)}
        style = np.asarray(own.pop("style"), np.float32)
        if not 0.0 < float(seconds) < np.inf:
            raise ValueError(seconds)
        found.append(SoundPiece(tuple(map(str, files)), float(seconds), style, own))
    return tuple(found)

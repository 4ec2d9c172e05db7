"""Library of learned sounds: a folder of the user's, in which a sound is found by its name."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from models.command import PROGRAM_NAME
from models.engine.controls import Style, as_style
from models.engine.prompt_checks import check_prompt_text
from models.engine.sounds import check_name, sound_name
from models.errors import SegueError
from models.sounds.file import SUFFIX, LearnedSound, read_sound, write_sound
from models.storage.weights import WEIGHTS, read_manifest, sha256_of

FOLDER_VARIABLE: Final = "SEGUE_SOUNDS"
"""Environment variable with another folder."""
RENDERER: Final = "renderer.safetensors"


def sounds_folder() -> Path:
    """Where learned sounds are kept."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given).expanduser()
    from platformdirs import user_data_path

    return user_data_path("Segue", appauthor=False) / "sounds"


def base_checksum(weights: Path = WEIGHTS) -> str:
    """SHA-256 of the renderer's weights that are here. SegueError where there are none."""
    listed = {file.name: file.sha256 for file in read_manifest(weights)}
    return listed.get(RENDERER) or sha256_of(weights / RENDERER)


class SoundLibrary:
    """Learned sounds of a folder by name; those that were read are kept. Thread-safe.

    Args:
        folder: Where the files lie; `sounds_folder()` if None.
        weights: Folder of the weights that the sounds must belong to.

    """

    def __init__(self, folder: Path | None = None, weights: Path = WEIGHTS) -> None:
        self.folder = sounds_folder() if folder is None else folder
        self._weights = weights
        self._lock = threading.Lock()
        self._read: dict[str, tuple[int, LearnedSound]] = {}

    def path(self, name: str) -> Path:
        """Where the file of a sound is, whether there is one or not."""
        return self.folder / f"{check_name(name).replace(' ', '_')}{SUFFIX}"

    def names(self) -> tuple[str, ...]:
        """Names of the sounds that are here, by the alphabet; whether they can be read is open."""
        if not self.folder.is_dir():
            return ()
        found = (path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}"))
        return tuple(sorted(name.replace("_", " ") for name in found))

    def get(self, name: str) -> LearnedSound:
        """A sound by name, for the weights that are here.

        Raises:
            SegueError: there is none of that name, or its file is damaged or of other weights.

        """
        path = self.path(name)
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            raise SegueError(
                f"there is no learned sound '{check_name(name)}' here: teach it, or import its "
                f"file ({PROGRAM_NAME} models import FILE)."
            ) from None
        with self._lock:
            kept = self._read.get(path.name)
            if kept is None or kept[0] != stamp:
                kept = stamp, self._checked(read_sound(path), path)
                self._read[path.name] = kept
        return kept[1]

    def kept(self, name: str) -> LearnedSound:
        """As `get`, but without looking at the disk where the sound was read before."""
        with self._lock:
            found = self._read.get(self.path(name).name)
        return self.get(name) if found is None else found[1]

    def embed(self, text: str, embed_words: Callable[[str], Style]) -> Style:
        """Style of a text prompt: of the learned sound that it means, else of its words.

        Raises:
            SegueError: as `get`, as `check_prompt_text`, and as `embed_words`.

        """
        words = check_prompt_text(text)
        name = sound_name(words)
        return embed_words(words) if name is None else as_style(self.get(name).style)

    def _checked(self, sound: LearnedSound, path: Path) -> LearnedSound:
        if sound.base != base_checksum(self._weights):
            raise SegueError(
                f"{path.name} was learned with other weights of the renderer than are here: "
                "teach it again with this version."
            )
        return sound

    def add(self, sound: LearnedSound) -> Path:
        """Write a sound into the library, in place of one of its name. SegueError as `write`."""
        path = self.path(sound.name)
        write_sound(sound, path)
        return path

    def take_in(self, path: Path, name: str = "") -> LearnedSound:
        """Import a file, under another name if one is given.

        Raises:
            SegueError: it is damaged, of other weights, or there is a sound of that name already.

        """
        sound = self._checked(read_sound(path), path)
        if name:
            sound = replace(sound, name=check_name(name))
        if self.path(sound.name).exists():
            raise SegueError(
                f"there is a sound '{sound.name}' already: delete it first, or give another name."
            )
        self.add(sound)
        return sound

    def export(self, name: str, path: Path) -> Path:
        """Write a sound to a file of the user's, with the suffix of sounds.

        Raises:
            SegueError: there is no such sound, the file is there already, or cannot be written.

        """
        if path.is_dir():
            path = path / self.path(name).name
        if not path.name.endswith(".safetensors"):
            path = path.with_name(path.name + SUFFIX)
        if path.exists():
            raise SegueError(f"{path} is there already: choose another name.")
        write_sound(self.get(name), path)
        return path

    def delete(self, name: str) -> None:
        """Delete a sound. SegueError where there is none, or it cannot be deleted."""
        path = self.path(name)
        try:
            path.unlink()
        except FileNotFoundError:
            raise SegueError(f"there is no learned sound '{check_name(name)}' here.") from None
        except OSError as error:
            raise SegueError(f"{path} cannot be deleted ({error.strerror}).") from error

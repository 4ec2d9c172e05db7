"""Listening of a course: each audio file encoded once and kept, so that a course that goes on hears
no file again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.teaching.listener import Listener
from models.teaching.material import LEAST, Finding, Passage, audio_files, read_material
from models.teaching.plan import CourseProgress
from models.teaching.store import EncodedFile, read_encoded, write_encoded

PICTURE: Final = "picture.npy"


class Listening:
    """Turns audio files into what is learned from.

    Args:
        folder: Of the course, where it is kept.
        listener: That hears the files.
        report: Called with the progress.
        no_room: Called with the stage, its share and the error where nothing can be kept.
        going: Asked after each file whether to go on.

    """

    def __init__(
        self,
        folder: Path,
        listener: Listener,
        report: Callable[[CourseProgress], object],
        no_room: Callable[[str, float, OSError], None],
        going: Callable[[], bool],
    ) -> None:
        self._folder, self._listener = folder, listener
        self._report, self._no_room, self._going = report, no_room, going

    def files(self, places: Sequence[str]) -> list[EncodedFile] | None:
        """The files of some places, encoded; None where it was not to go on.

        Raises:
            SegueError: A place that does not exist, or too little to learn from.

        """
        paths = audio_files([Path(place) for place in places])
        found: list[EncodedFile] = []
        for number, encoded in enumerate(self._encoded(paths), 1):
            if encoded is not None:
                found.append(encoded)
            self._report(CourseProgress("listening", number / len(paths)))
            if not self._going():
                return None
        total = sum(encoded.seconds for encoded in found)
        if total < LEAST:
            raise SegueError(
                f"there are {total:.0f} s to learn from: give {LEAST:.0f} s or more, better ten "
                "minutes."
            )
        return found

    def picture(self) -> NDArray[np.uint8]:
        """Picture (height, width, 3) of the first file that was heard; black where it is lost."""
        try:
            return np.asarray(np.load(self._folder / PICTURE), np.uint8)
        except (OSError, ValueError, EOFError):
            return np.zeros((48, 96, 3), np.uint8)

    def _encoded(self, paths: Sequence[Path]) -> Iterator[EncodedFile | None]:
        """Each file encoded, from the store where it is there; None where it is of no use."""
        missing = []
        for path in paths:
            stored = read_encoded(self._store(path), _source(path))
            if stored is None:
                missing.append(path)
            else:
                yield stored
        for path, pieces, findings in read_material(missing):
            self._say(findings)
            yield self._encode(path, pieces) if pieces else None

    def _say(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            known = finding.file in finding.sentence
            words = finding.sentence if known else f"{finding.file} {finding.sentence}"
            end = "" if finding.used else " (left out)"
            self._report(CourseProgress("listening", 0.0, note=f"{words}{end}"))

    def _store(self, path: Path) -> Path:
        digest = hashlib.sha256(str(path).encode()).hexdigest()
        return self._folder / f"file-{digest[:16]}.safetensors"

    def _encode(self, path: Path, pieces: Sequence[Passage]) -> EncodedFile:
        encoded = self._listener.encode(path.name, pieces)
        try:
            write_encoded(encoded, self._store(path), _source(path))
            if not self.picture().any():
                np.save(self._folder / PICTURE, self._listener.picture(pieces[0]))
        except OSError as error:
            self._no_room("listening", 0.0, error)
        return encoded


def _source(path: Path) -> str:
    """What tells a version of a file from others."""
    known = path.stat()
    return f"{path} {known.st_size} {known.st_mtime_ns}"

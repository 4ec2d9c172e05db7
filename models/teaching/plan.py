"""Plan, progress and folder of a course. Pure: the window and the command line know them too."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from models.engine.sounds import check_name
from models.errors import SegueError
from models.sounds.library import sounds_folder

PLAN: Final = "plan.json"
PREVIEW: Final = "preview.wav"
LOCK: Final = "lock"
RANKS: Final = (4, 16)
MINUTES: Final = (0.05, 600.0)
DEVICES: Final = ("auto", "cpu", "cuda")
STAGES: Final = ("listening", "rehearsing", "comparing", "learning", "mixing", "done")


@dataclass(frozen=True)
class CoursePlan:
    """What is taught.

    Attributes:
        name: Of the sound.
        places: Audio files and folders.
        minutes: Of computing, on all threads.
        rank: Of the changes, 4 to 16.
        licence: What the sound may be used for, in its maker's words.
        threads: That compute.
        device: Of DEVICES that trains; "auto" takes a CUDA card where there is one.

    Raises:
        SegueError: A value out of range.

    """

    name: str
    places: tuple[str, ...]
    minutes: float = 10.0
    rank: int = 8
    licence: str = ""
    threads: int = 2
    device: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", check_name(self.name))
        low, high = MINUTES
        if not low <= self.minutes <= high:
            raise SegueError(f"--minutes is {self.minutes:g}: give {low:g} to {high:g}.")
        low_rank, high_rank = RANKS
        if not low_rank <= self.rank <= high_rank:
            raise SegueError(f"--rank is {self.rank}: give {low_rank} to {high_rank}.")
        if self.device not in DEVICES:
            known = ", ".join(DEVICES)
            raise SegueError(f"--device is {self.device!r}: choose from {known}.")
        if self.threads < 1:
            raise SegueError(f"--threads is {self.threads}: give 1 or more.")


@dataclass(frozen=True)
class CourseProgress:
    """How far a course is.

    Attributes:
        stage: Of STAGES.
        share: Of the stage, 0 to 1.
        left: Seconds until it is done, as it goes now; None while that is not known.
        loss: Of the last steps; None before the first.
        step: Of learning.
        note: A sentence for the player, '' for none.
        preview: Whether there is a new preview.

    """

    stage: str
    share: float
    left: float | None = None
    loss: float | None = None
    step: int = 0
    note: str = ""
    preview: bool = False


def courses_folder() -> Path:
    """Where courses keep what they go on from."""
    return sounds_folder().with_name("teaching")


def course_folder(name: str, folder: Path | None = None) -> Path:
    """Where the course of a sound keeps it, in the folder of all courses. SegueError for a name
    that no sound may have.
    """
    return (folder or courses_folder()) / check_name(name).replace(" ", "_")


def begun_places(name: str, folder: Path | None = None) -> tuple[str, ...]:
    """The files and folders of the course of a sound; none where there is no course to go on with,
    or no such name.

    Args:
        name: Of the sound.
        folder: Where courses are kept; `courses_folder()` if None.

    """
    try:
        data = json.loads((course_folder(name, folder) / PLAN).read_text(encoding="utf-8"))
        return tuple(map(str, data["places"]))
    except (OSError, ValueError, KeyError, TypeError):  # SegueError of a name among them
        return ()


@contextmanager
def one_at_a_time(folder: Path, name: str) -> Iterator[None]:
    """Hold the lock of a course, which a process that is killed lets go too.

    Args:
        folder: Of the course; made where it is not there.
        name: Of the sound.

    Raises:
        SegueError: Another process teaches it.
        OSError: The folder cannot be written.

    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("ab") as file:
        if not _locked(file):
            raise SegueError(f"'{name}' is being taught already: let that end, or stop it there.")
        yield


def _locked(file: BinaryIO) -> bool:
    """Whether this process has the lock of an open file now."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True


def is_begun(name: str, folder: Path | None = None) -> bool:
    """Whether a course of a sound was begun; folder: where courses are kept."""
    return (course_folder(name, folder) / PLAN).is_file()


def delete_course(name: str, folder: Path | None = None) -> int:
    """Delete what the course of a sound keeps; how many bytes it was, 0 where there is none.

    Args:
        name: Of the sound.
        folder: Where courses are kept.

    Raises:
        SegueError: It is being taught, or cannot be deleted.

    """
    place = course_folder(name, folder)
    if not place.is_dir():
        return 0
    try:
        with one_at_a_time(place, name):
            size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        shutil.rmtree(place)
    except OSError as error:
        raise SegueError(f"{place} cannot be deleted ({error.strerror}).") from error
    return size

"""Atomic file writes: a file is written whole or not at all. Standard library only."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import SegueError


def check_target(target: Path) -> None:
    """SegueError where a file could not be written there; leaves nothing behind.

    To be called before work that takes long.
    """
    _, part = _open_part(target)
    part.unlink()


def _open_part(target: Path) -> tuple[Path, Path]:
    """The file to write in the end, and an empty temporary file beside it."""
    target = target.expanduser()
    if target.is_symlink():
        target = target.resolve()  # write through the link, do not replace it
    folder = target.parent
    if not folder.is_dir():
        raise SegueError(f"there is no folder {folder}: make it first, or choose another.")
    if target.exists() and not target.is_file():
        raise SegueError(f"{target} is not a file: name a file to write.")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=".part", dir=folder)
    except OSError as error:
        raise SegueError(
            f"{target} cannot be written ({error.strerror}): choose another folder."
        ) from None
    os.close(handle)
    return target, Path(name)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A temporary file beside `target` that takes its place when the block ends without an error.

    After any error, Ctrl-C included, the temporary file is gone and `target` is as it was.
    SegueError where the file cannot be made or written; it says what to do.
    """
    target, part = _open_part(target)
    try:
        yield part
        # mkstemp makes private files; give it the rights that any new file would have.
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise SegueError(
            f"{target} could not be written ({error.strerror or error}): free some space or "
            "choose another folder; nothing was left behind."
        ) from None
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all. Raises SegueError in one sentence."""
    temporary = temporary_path(path)
    try:
        write_flushed(temporary, text)
        temporary.replace(path)
    except OSError as error:
        raise not_written(path, error, temporary) from error


def temporary_path(path: Path) -> Path:
    """Name of the file beside `path` that this process writes before it takes its place."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def write_flushed(path: Path, text: str) -> None:
    """Write a text file and wait until it is on the disk. Raises OSError."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def not_written(path: Path, error: OSError, *temporary: Path) -> SegueError:
    """The error for a file that could not be written; deletes the temporary files."""
    for left in temporary:
        with contextlib.suppress(OSError):
            left.unlink(missing_ok=True)
    reason = error.strerror or str(error)
    return SegueError(f"'{path.name}' could not be written ({reason}); save to another place.")

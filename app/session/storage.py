"""Session files: saving and loading, autosave, recovery after a crash, recent files.

A file is written under a temporary name, flushed to the disk, then renamed over the old one, which
stays as it was after a crash or on a full disk.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.files import not_written, temporary_path, write_flushed, write_text
from app.parameters.registry import Registry
from app.performance.moment import Moment
from app.session import moments_file as moments
from app.session.document import Document, from_json, to_json
from models.errors import SegueError

SUFFIX: Final = ".segue.json"
MAX_BYTES: Final = 8_000_000
MAX_RECENT: Final = 10


def _read_json(path: Path) -> object:
    """Content of a JSON file. SegueError in a sentence where it cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SegueError(f"'{path.name}' is too large for a session; open another file.")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise SegueError(f"'{path.name}' could not be read ({reason}).") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise SegueError(
            f"'{path.name}' is no session: it is not text that makes sense."
        ) from error
    except json.JSONDecodeError as error:
        raise SegueError(
            f"'{path.name}' is damaged in line {error.lineno}: {error.msg.lower()}; "
            "open another copy of it."
        ) from error


def save(path: Path, document: Document, stored: Mapping[str, Moment] | None = None) -> str:
    """Write a session, and beside it the moments of its scenes.

    Both files are on the disk before either replaces an older one.

    Returns:
        A sentence where moments were not written, else ''.

    Raises:
        SegueError: where the session was not written.

    """
    stored = stored or {}
    data = to_json(document)
    storable = moments.storable(stored, document.moments)
    unsaved_keys = [key for key in document.moments if key in stored and key not in storable]
    side, message = moments.path_for(path), ""
    unfinished, new_side = temporary_path(path), temporary_path(side)
    if unsaved_keys:
        message = "Saved, but not every place in the music: what this engine remembers does not go "
        message += "into a file, and will be gone when Segue ends."
        for scene in data["scenes"]:
            if scene is not None and scene.get("moment") in unsaved_keys:
                del scene["moment"]
    if any(scene is not None and "moment" in scene for scene in data["scenes"]):
        data["moments"] = side.name
    if storable:
        try:
            moments.write(new_side, storable)
        except OSError as error:
            message = (
                f"Saved, but not the places in the music: {not_written(side, error, new_side)}"
            )
            storable = {}
    try:
        write_flushed(unfinished, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        if storable:
            new_side.replace(side)
        unfinished.replace(path)
    except OSError as error:
        raise not_written(path, error, unfinished, new_side) from error
    if "moments" not in data:
        moments.remove(side)
    return message


def load(path: Path, registry: Registry) -> Document:
    """Read a session. SegueError names what is wrong and where."""
    return from_json(_read_json(path), registry)


def load_moments(
    path: Path, document: Document, stop: Callable[[], bool] = lambda: False
) -> tuple[dict[str, Moment], str]:
    """Moments of a session that was read from a file, and a sentence about lost ones, else ''.

    May be called from any thread; stop: as in `moments_file.read`.
    """
    keys = document.moments
    if not keys:
        return {}, ""
    side = moments.path_for(path)
    with contextlib.suppress(SegueError):
        data = _read_json(path)
        # The session alone may have been renamed.
        name = data.get("moments") if isinstance(data, dict) else None
        if isinstance(name, str) and not side.exists():
            side = path.with_name(Path(name).name)
    try:
        found = moments.read(side, keys, stop)
    except SegueError as error:
        return {}, f"The scenes have lost their places in the music: {error}"
    lost = len(keys) - len(found)
    if not lost:
        return found, ""
    return found, f"{lost} of the scenes' places in the music are lost: '{side.name}' is damaged."


@dataclass(frozen=True)
class RecoveredSession:
    """Autosave that a crash left. original: file that the session was opened from, if any."""

    path: Path
    document: Document
    original: Path | None
    saved_at: float


class Autosave:
    """Autosave of one running program, removed at a clean end; one left over is a crash's.

    A failed autosave raises SegueError and leaves the file as it was.
    """

    def __init__(self, folder: Path, pid: int | None = None) -> None:
        self.folder = folder
        self.path = folder / f"autosave-{os.getpid() if pid is None else pid}{SUFFIX}"
        self._saved_keys: frozenset[str] = frozenset()  # keys of its moments

    def write(
        self, document: Document, original: Path | None, stored: Mapping[str, Moment] | None = None
    ) -> None:
        self.writer(document, original, stored)()

    def writer(
        self, document: Document, original: Path | None, stored: Mapping[str, Moment] | None = None
    ) -> Callable[[], None]:
        """Function that writes the current state, to be called in another thread."""
        data = to_json(document) | {"original": None if original is None else str(original)}
        text = json.dumps(data) + "\n"
        storable = moments.storable(stored or {}, document.moments, moments.MAX_AUTOSAVED_BYTES)
        return lambda: self._write(text, storable)

    def _write(self, text: str, storable: Mapping[str, Moment]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SegueError(
                f"The folder for autosaves could not be made ({error.strerror}); save by hand."
            ) from error
        side = moments.path_for(self.path)
        try:
            if storable.keys() - self._saved_keys:  # superfluous ones do no harm
                moments.write(temporary_path(side), storable)
                temporary_path(side).replace(side)
                self._saved_keys = frozenset(storable)
        except OSError as error:
            # The session without its moments.
            write_text(self.path, text)
            raise not_written(side, error, temporary_path(side)) from error
        write_text(self.path, text)

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        moments.remove(moments.path_for(self.path))

    def left_over(self, registry: Registry) -> list[RecoveredSession]:
        """Autosaves of programs that no longer run, newest first.

        Unreadable ones are renamed, so that they are not offered again and not lost.
        """
        found = []
        for path in self.folder.glob(f"autosave-*{SUFFIX}"):
            if path == self.path or _alive(path):
                continue
            try:
                data = _read_json(path)
                document = from_json(data, registry)
            except SegueError:
                with contextlib.suppress(OSError):
                    path.replace(path.with_suffix(".damaged"))
                continue
            original = data.get("original") if isinstance(data, dict) else None
            found.append(
                RecoveredSession(
                    path,
                    document,
                    Path(original) if isinstance(original, str) else None,
                    path.stat().st_mtime,
                )
            )
        return sorted(found, key=lambda item: item.saved_at, reverse=True)

    @staticmethod
    def discard(recovered: RecoveredSession) -> None:
        """Delete an autosave."""
        with contextlib.suppress(OSError):
            recovered.path.unlink(missing_ok=True)
        moments.remove(moments.path_for(recovered.path))


def _alive(path: Path) -> bool:
    digits = path.name.removeprefix("autosave-").removesuffix(SUFFIX)
    if not digits.isdigit() or int(digits) == os.getpid():
        return False
    if os.name == "nt":
        # os.kill would end the process there; an autosave younger than a minute is in use.
        import time

        return time.time() - path.stat().st_mtime < 60.0
    try:
        os.kill(int(digits), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


class RecentFiles:
    """Recent sessions, newest first, in a file of their own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def paths(self) -> list[Path]:
        """Recent sessions that still exist."""
        try:
            items = _read_json(self._path)
        except SegueError:
            return []
        if not isinstance(items, list):
            return []
        return [Path(item) for item in items if isinstance(item, str) and Path(item).is_file()]

    def add(self, path: Path) -> None:
        """Add a session. SegueError where the list cannot be written."""
        path = path.absolute()
        others = [item for item in self.paths() if item != path]
        items = [str(item) for item in [path, *others][:MAX_RECENT]]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SegueError(f"Recent files cannot be stored ({error.strerror}).") from error
        write_text(self._path, json.dumps(items, indent=1) + "\n")

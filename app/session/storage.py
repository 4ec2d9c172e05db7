"""Sessions on disk: whole or not at all, autosave, recovery after a crash, recent files.

GUI lane; pure. A file is written beside its place first, flushed to the disk, then renamed over
it, so that a crash or a full disk leaves the old file as it was.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.files import not_written, temporary_path, write_flushed, write_text
from app.parameters.registry import Registry
from app.performance.moment import Moment
from app.session import moments_file as moments
from app.session.document import Document, from_json, to_json
from models.errors import SegueError

SUFFIX: Final = ".segue.json"
MAX_BYTES: Final = 8_000_000
RECENT: Final = 10


def _read_json(path: Path) -> Any:
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


def save(path: Path, document: Document, kept: Mapping[str, Moment] | None = None) -> str:
    """Write a session, and beside it the places in the music of its scenes (`moments`).

    Raises SegueError where the session was not written; returns a sentence where its places in the
    music were not, '' otherwise. Both files are on the disk before either takes the place of an
    older one.
    """
    kept = kept or {}
    data = to_json(document)
    fit = moments.storable(kept, document.moments)
    forgotten = [key for key in document.moments if key in kept and key not in fit]
    side, said = moments.beside(path), ""
    unfinished, new_side = temporary_path(path), temporary_path(side)
    if forgotten:
        said = "Saved, but not every place in the music: what this engine remembers does not go "
        said += "into a file, and will be gone when Segue ends."
        for scene in data["scenes"]:
            if scene is not None and scene.get("moment") in forgotten:
                del scene["moment"]
    if any(scene is not None and "moment" in scene for scene in data["scenes"]):
        data["moments"] = side.name
    if fit:
        try:
            moments.write(new_side, fit)
        except OSError as error:
            said = f"Saved, but not the places in the music: {not_written(side, error, new_side)}"
            fit = {}
    try:
        write_flushed(unfinished, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        if fit:
            os.replace(new_side, side)
        os.replace(unfinished, path)
    except OSError as error:
        raise not_written(path, error, unfinished, new_side) from error
    if "moments" not in data:
        moments.remove(side)
    return said


def load(path: Path, registry: Registry) -> Document:
    """Read a session. Raises SegueError that names what is wrong and where."""
    return from_json(_read_json(path), registry)


def load_moments(
    path: Path, document: Document, stop: Callable[[], bool] = lambda: False
) -> tuple[dict[str, Moment], str]:
    """The places in the music of the scenes of a session that was read from a file, and a sentence
    about those that are lost, '' where none is. Lane: any; `stop` as in `moments.read`."""
    wanted = document.moments
    if not wanted:
        return {}, ""
    side = moments.beside(path)
    with contextlib.suppress(SegueError, AttributeError):
        told = _read_json(path).get("moments")  # the session alone may have been given a new name
        if isinstance(told, str) and not side.exists():
            side = path.with_name(Path(told).name)
    try:
        found = moments.read(side, wanted, stop)
    except SegueError as error:
        return {}, f"The scenes have lost their places in the music: {error}"
    lost = len(wanted) - len(found)
    if not lost:
        return found, ""
    return found, f"{lost} of the scenes' places in the music are lost: '{side.name}' is damaged."


@dataclass(frozen=True)
class Recovered:
    """An autosave that a crash left. `original` is the file it was opened from, if any."""

    path: Path
    document: Document
    original: Path | None
    saved_at: float


class Autosave:
    """One file per running program, removed at a clean end; what is left over is a crash's.

    `folder` is made when first needed. A failed autosave raises SegueError and harms nothing.
    """

    def __init__(self, folder: Path, pid: int | None = None) -> None:
        self.folder = folder
        self.path = folder / f"autosave-{os.getpid() if pid is None else pid}{SUFFIX}"
        self._beside: frozenset[str] = frozenset()  # keys of the moments that lie there

    def write(
        self, document: Document, original: Path | None, kept: Mapping[str, Moment] | None = None
    ) -> None:
        self.writing(document, original, kept)()

    def writing(
        self, document: Document, original: Path | None, kept: Mapping[str, Moment] | None = None
    ) -> Callable[[], None]:
        """What does the writing: two steps, as the disk may take its time in another thread."""
        data = to_json(document) | {"original": None if original is None else str(original)}
        text = json.dumps(data) + "\n"
        fit = moments.storable(kept or {}, document.moments, moments.MAX_AUTOSAVED_BYTES)
        return lambda: self._write(text, fit)

    def _write(self, text: str, fit: Mapping[str, Moment]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SegueError(
                f"The folder for autosaves could not be made ({error.strerror}); save by hand."
            ) from error
        side = moments.beside(self.path)
        try:
            if fit.keys() - self._beside:  # one that is no longer wanted does no harm
                moments.write(temporary_path(side), fit)
                os.replace(temporary_path(side), side)
                self._beside = frozenset(fit)
        except OSError as error:
            # Without them rather than not at all.
            write_text(self.path, text)
            raise not_written(side, error, temporary_path(side)) from error
        write_text(self.path, text)

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        moments.remove(moments.beside(self.path))

    def left_over(self, registry: Registry) -> list[Recovered]:
        """Sessions of programs that are no longer running, newest first; unreadable ones are
        put aside under another name, so that they are not offered again and not lost."""
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
            original = data.get("original")
            found.append(
                Recovered(
                    path,
                    document,
                    Path(original) if isinstance(original, str) else None,
                    path.stat().st_mtime,
                )
            )
        return sorted(found, key=lambda item: item.saved_at, reverse=True)

    @staticmethod
    def discard(recovered: Recovered) -> None:
        """The performer has it back, or does not want it."""
        with contextlib.suppress(OSError):
            recovered.path.unlink(missing_ok=True)
        moments.remove(moments.beside(recovered.path))


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
    """The last sessions opened or saved, newest first, kept in a small file of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def paths(self) -> list[Path]:
        """Those that still exist."""
        try:
            items = _read_json(self._path)
        except SegueError:
            return []
        if not isinstance(items, list):
            return []
        return [Path(item) for item in items if isinstance(item, str) and Path(item).is_file()]

    def add(self, path: Path) -> None:
        """Raises SegueError where the list cannot be kept."""
        path = path.absolute()
        others = [item for item in self.paths() if item != path]
        items = [str(item) for item in [path, *others][:RECENT]]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SegueError(f"Recent files cannot be kept ({error.strerror}).") from error
        write_text(self._path, json.dumps(items, indent=1) + "\n")

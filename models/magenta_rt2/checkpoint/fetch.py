"""Download of Magenta RealTime 2's released weights, or installation from a folder.

An error is one sentence. An engine's folder appears only when it is complete: files are downloaded
into a staging folder beside it and compared with their checksums, then the folder is renamed.
Downloaded files stay there and are not downloaded again.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from models.errors import SegueError
from models.magenta_rt2.checkpoint import files, published
from models.magenta_rt2.checkpoint.files import (
    ENGINES,
    FILE_LIST,
    OPTIONAL,
    REPOSITORY,
    required,
)
from models.magenta_rt2.checkpoint.hub import (
    RemoteFile,
    download,
    endpoint,
    list_remote_files,
    partial_path,
    verify_checksum,
)
from models.magenta_rt2.checkpoint.published import REVISION
from models.storage.json_types import JsonObject
from models.storage.weights import WeightsFile, fault_of, sha256_of

MIN_FREE_BYTES: Final = 64 << 20  # left free on the disk
Report = Callable[[str], object]


def fetch(
    name: str,
    report: Report = print,
    progress_bar: type[object] | None = None,
    revision: str = REVISION,
) -> Path:
    """Download an engine from the hub; files that are here and intact are not downloaded again.

    Args:
        name: of the engine.
        report: called with one line for each file.
        progress_bar: tqdm class for the transfer; None for the hub client's own.
        revision: commit, branch or tag on the hub. Files of the default one must be those of
            `published.py`.

    Returns:
        The engine's folder. HF_ENDPOINT in the environment names another hub.

    Raises:
        SegueError: the download failed; it continues on the next call.

    """
    with _exclusive_staging(name) as staging, _errors_explained(name):
        commit, remotes = list_remote_files(name, revision)
        if revision == REVISION:
            _compare_with_published(remotes)
        total = sum(remote.size for remote in remotes)
        _link_installed_files(staging, remotes)
        need = sum(remote.size - _bytes_present(staging, remote) for remote in remotes)
        _check_disk(staging, need)
        sizes = f"{_format_size(total)}, {_format_size(need)} of it to fetch"
        report(f"{name}: {len(remotes)} files, {sizes}")
        table = {}
        for remote in remotes:
            if not (staging / remote.path).is_file():
                download(staging, remote, commit, progress_bar)
            digest = verify_checksum(staging, remote)
            if revision == REVISION:  # the hub may have given git's digest alone
                _refuse(remote.path, published.fault_of_file(remote.path, remote.size, digest))
            table[remote.path] = {"size": remote.size, "sha256": digest}
            report(f"whole  {remote.path}")
        return _install(name, staging, table, origin=_origin(commit))


def install_from_folder(
    name: str, folder: Path, report: Report = print, revision: str = REVISION
) -> Path:
    """Install an engine by copying the released files from a folder; returns the engine's folder.

    The folder has the files at their released paths, or all side by side. If it has Segue's own
    list, as another machine's installed folder does, the files are compared with it, and with
    `published.py` unless they are of another revision. SegueError where it fails.
    """
    if not folder.is_dir():
        raise SegueError(f"{folder} is not a folder: give the one with the downloaded files.")
    try:
        listed = files.read_list(folder)
    except FileNotFoundError:
        listed = {"files": {}, "origin": _origin(revision)}
    known, origin = listed["files"], str(listed.get("origin", ""))
    pinned = revision == REVISION and origin == _origin(REVISION)
    with _exclusive_staging(name, "taken") as staging, _errors_explained(name):
        found = {path: _find_file(folder, path) for path in (*required(name), *OPTIONAL)}
        for path in required(name):
            if found[path] is None:
                raise SegueError(f"{folder} lacks {path}: put it there and run this again.")
        sources = {path: source for path, source in found.items() if source is not None}
        if pinned:
            for path, source in sources.items():  # before anything is copied
                _refuse(source, published.fault_of_size(path, source.stat().st_size))
        need = sum(source.stat().st_size for source in sources.values())
        _check_disk(staging, need)
        table = {}
        for path, source in sources.items():
            target = staging / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            digest = sha256_of(target)
            if path in known and digest != known[path]["sha256"]:
                raise SegueError(
                    f"{source} is damaged: its checksum is not the one in {FILE_LIST}."
                )
            if target.suffix == ".safetensors":
                _check_safetensors(target, source)
            size = target.stat().st_size
            if pinned:
                _refuse(source, published.fault_of_file(path, size, digest))
            table[path] = {"size": size, "sha256": digest}
            report(f"{'whole' if path in known or pinned else 'taken'}  {path}")
        return _install(name, staging, table, origin=origin)


def _origin(revision: str) -> str:
    return f"{REPOSITORY}@{revision}"


def _refuse(source: Path | str, fault: str | None) -> None:
    if fault is not None:
        raise SegueError(
            f"{source} {fault}: get it again, or name its revision where you mean another one "
            "(--revision)."
        )


def _compare_with_published(remotes: list[RemoteFile]) -> None:
    for remote in remotes:
        fault = published.fault_of_size(remote.path, remote.size)
        if fault is None and remote.sha256 is not None:
            fault = published.fault_of_file(remote.path, remote.size, remote.sha256)
        _refuse(f"{remote.path} on the hub", fault)


# Files on this machine


@contextmanager
def _exclusive_staging(name: str, kind: str = "arriving") -> Iterator[Path]:
    """The staging folder of an engine, locked against other processes.

    'arriving' files stay for the next run; files 'taken' from a folder are removed afterwards.
    """
    if name not in ENGINES:
        raise SegueError(f"there is nothing to fetch for '{name}': choose {' or '.join(ENGINES)}.")
    from filelock import FileLock, Timeout

    place = files.models_folder()
    staging = place / f".{name}.{kind}"
    try:
        staging.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / f".{name}.lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise SegueError(f"{name} is being fetched already: wait for that to end.") from None
    except OSError as error:
        raise SegueError(f"{place} cannot be written ({error.strerror or error}).") from None
    try:
        yield staging
    finally:
        if kind != "arriving":
            shutil.rmtree(staging, ignore_errors=True)
        lock.release()


@contextmanager
def _errors_explained(name: str) -> Iterator[None]:
    """Turn any error of the network or the disk into a SegueError of one sentence."""
    try:
        yield
    except (SegueError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise SegueError(_explain(name, error)) from error


def _explain(name: str, error: Exception) -> str:
    again = "run the same command again, it goes on where it stopped"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk filled up while {name} arrived: free some space, then {again}."
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return f"the hub sent less of {name} than it announced: {again}."
    if type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "requests"):
        server = urlsplit(endpoint() or "https://huggingface.co").netloc
        response = getattr(error, "response", None)
        if response is not None:
            return f"{server} answered {response.status_code} for {name}: try again later."
        return (
            f"{server} cannot be reached or broke off: connect this machine and {again}, or give "
            f"a folder with the files (models fetch {name} --from FOLDER)."
        )
    if type(error).__module__.startswith("huggingface_hub"):
        response = getattr(error, "response", None)
        if response is not None:
            return (
                f"the hub answered {response.status_code} for {REPOSITORY}: try again later, or "
                f"give a folder with the files (models fetch {name} --from FOLDER)."
            )
        return f"the hub could not give {name} ({type(error).__name__}): try again later."
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{name} could not be stored ({where}{error.strerror or error}): {again}."
    raise error


def _bytes_present(staging: Path, remote: RemoteFile) -> int:
    """Bytes of a file that were downloaded already."""
    if (staging / remote.path).is_file():
        return remote.size
    partial = partial_path(staging, remote)
    if not partial.is_file():
        return 0
    size = partial.stat().st_size
    if size > remote.size:
        partial.unlink()
        return 0
    return size


def _link_installed_files(staging: Path, remotes: list[RemoteFile]) -> None:
    """Hard-link files that an installed engine has already; remove files of another size."""
    for remote in remotes:
        target = staging / remote.path
        if target.is_file() and target.stat().st_size != remote.size:
            target.unlink()
        if target.is_file() or remote.sha256 is None:
            continue
        for name in ENGINES:
            try:
                listed = files.installed(name)
            except SegueError:
                continue
            for file in listed:
                if file.sha256 == remote.sha256 and not target.is_file():
                    _link(files.folder_of(name), file, target)


def _link(folder: Path, file: WeightsFile, target: Path) -> None:
    """Hard-link an intact file; where that fails it is downloaded instead."""
    if fault_of(file, folder):
        return
    with suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(folder / file.name, target)


def _check_disk(staging: Path, need: int) -> None:
    free = shutil.disk_usage(staging).free
    if need and need + MIN_FREE_BYTES > free:
        raise SegueError(
            f"{staging.parent} has {_format_size(free)} free and "
            f"{_format_size(need + MIN_FREE_BYTES)} are needed: "
            f"free some space, or set {files.FOLDER_VARIABLE} to a folder on another disk."
        )


def _find_file(folder: Path, path: str) -> Path | None:
    for candidate in (folder / path, folder / Path(path).name):
        if candidate.is_file():
            return candidate
    return None


def _check_safetensors(target: Path, source: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(target, framework="numpy"):
            pass  # opening reads the header and compares its sizes with the file's
    except SafetensorError:
        raise SegueError(f"{source} is cut short or damaged: get it again.") from None


def _install(name: str, staging: Path, table: JsonObject, origin: str) -> Path:
    """Write the file list, remove leftovers, and move the staging folder into place."""
    expected = {*table, FILE_LIST}
    for path in sorted(staging.rglob("*"), reverse=True):
        if path.is_file() and str(path.relative_to(staging).as_posix()) not in expected:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    content = {"engine": name, "origin": origin, "licence": "CC-BY-4.0", "files": table}
    with (staging / FILE_LIST).open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(content, indent=2) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    final = files.folder_of(name)
    old = final.with_name(f".{name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    staging.rename(final)
    shutil.rmtree(old, ignore_errors=True)
    return final


def _format_size(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"

"""Fetch the released weights of Magenta RealTime 2 once, or take them from a folder. Offline lane.

What goes wrong is one sentence, and an engine's folder appears only when it is whole: files arrive
in a folder beside it, are compared with the checksums, and the folder is then renamed. What has
arrived stays there and is not fetched again.

The hub's own client does not go on with a file across two runs (its partial files are private to
the process and removed), so its metadata and its transfer are used, and the partial files are ours.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from models.command import FROZEN, install_hint
from models.errors import SegueError
from models.magenta_rt2.checkpoint import files
from models.magenta_rt2.checkpoint.files import (
    LIST,
    NAMES,
    OPTIONAL,
    REPOSITORY,
    required,
    sha256_of,
)

MARGIN: Final = 64 << 20  # bytes of the disk that are left alone
Report = Callable[[str], object]


@dataclass(frozen=True)
class RemoteFile:
    """A file on the hub: its released path, bytes, and digest (SHA-256, or git's SHA-1)."""

    path: str
    size: int
    sha256: str | None
    git_sha1: str | None


def fetch(name: str, report: Report = print, bar: Any = None) -> Path:
    """Fetch an engine from the hub; its folder. Nothing is fetched that is there and whole.

    report hears one line for each file; bar is a tqdm class for the transfer (the hub client's
    own if None). HF_ENDPOINT names another hub. SegueError for whatever stops it.
    """
    with _alone(name) as part, _explained(name):
        commit, remotes = _listing(name)
        total = sum(remote.size for remote in remotes)
        _reuse(part, remotes)
        need = sum(remote.size - _have(part, remote) for remote in remotes)
        _check_disk(part, need)
        report(f"{name}: {len(remotes)} files, {_size(total)}, {_size(need)} of it to fetch")
        table = {}
        for remote in remotes:
            if not (part / remote.path).is_file():
                _transfer(part, remote, commit, bar)
            table[remote.path] = {"size": remote.size, "sha256": _checked(part, remote)}
            report(f"whole  {remote.path}")
        return _install(name, part, table, origin=f"{REPOSITORY}@{commit}")


def take(name: str, folder: Path, report: Report = print) -> Path:
    """Install an engine from a folder given by hand, which is left as it is; the engine's folder.

    The folder holds the released files, at their released paths or all side by side. Where it has
    Segue's own list, as another machine's installed folder does, the files are compared with it;
    without it, safetensors files are read to their end and the checksums of the rest are only
    remembered. SegueError for whatever stops it.
    """
    if not folder.is_dir():
        raise SegueError(f"{folder} is not a folder: give the one with the downloaded files.")
    try:
        known = files.read_list(folder)["files"]
    except FileNotFoundError:
        known = {}
    with _alone(name, "taken") as part, _explained(name):
        found = {path: _find(folder, path) for path in (*required(name), *OPTIONAL)}
        for path in required(name):
            if found[path] is None:
                raise SegueError(f"{folder} lacks {path}: put it there and run this again.")
        sources = {path: source for path, source in found.items() if source is not None}
        need = sum(source.stat().st_size for source in sources.values())
        _check_disk(part, need)
        table = {}
        for path, source in sources.items():
            target = part / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            digest = sha256_of(target)
            if path in known and digest != known[path]["sha256"]:
                raise SegueError(f"{source} is damaged: its checksum is not the one in {LIST}.")
            if target.suffix == ".safetensors":
                _check_safetensors(target, source)
            table[path] = {"size": target.stat().st_size, "sha256": digest}
            report(f"{'whole' if path in known else 'taken'}  {path}")
        return _install(name, part, table, origin="a folder given by hand")


# The hub


def _listing(name: str) -> tuple[str, list[RemoteFile]]:
    """The commit that the hub has now, and the files of an engine in it."""
    hub = _hub()
    info = hub.HfApi(endpoint=_endpoint(), token=False).model_info(REPOSITORY, files_metadata=True)
    there = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    wanted = list(required(name)) + [path for path in OPTIONAL if path in there]
    remotes = []
    for path in wanted:
        if path not in there:
            raise SegueError(
                f"{REPOSITORY} on the hub has no {path}: it has changed, look for a newer Segue."
            )
        entry = there[path]
        sha256 = entry.lfs.sha256 if entry.lfs is not None else None
        if entry.size is None or (sha256 is None and entry.blob_id is None):
            raise SegueError(f"the hub gives no size and checksum for {path}: try again later.")
        remotes.append(RemoteFile(path, int(entry.size), sha256, entry.blob_id))
    return str(info.sha), remotes


def _transfer(part: Path, remote: RemoteFile, commit: str, bar: Any) -> None:
    """Fetch a file, going on where an earlier run stopped."""
    hub = _hub()
    from huggingface_hub.file_download import http_get

    partial = _partial(part, remote)
    partial.parent.mkdir(parents=True, exist_ok=True)
    url = hub.hf_hub_url(REPOSITORY, remote.path, revision=commit, endpoint=_endpoint())
    with partial.open("ab") as stream:
        http_get(
            url,
            stream,
            resume_size=stream.tell(),
            headers=hub.utils.build_hf_headers(token=False),
            expected_size=remote.size,
            displayed_filename=Path(remote.path).name,
            tqdm_class=bar,
        )
        stream.flush()
        os.fsync(stream.fileno())
    partial.rename(part / remote.path)


def _checked(part: Path, remote: RemoteFile) -> str:
    """The SHA-256 of a file that arrived; SegueError, and it is removed, where it is wrong."""
    path = part / remote.path
    digest = sha256_of(path)
    if remote.sha256 is not None:
        good = digest == remote.sha256
    else:
        good = _git_sha1(path) == remote.git_sha1
    if not good:
        path.unlink()
        raise SegueError(
            f"{path.name} has not arrived as it was sent (its checksum is wrong) and was removed: "
            "run the same command again."
        )
    return digest


def _hub() -> Any:
    """The hub's client, quiet. Its other transfer (xet) cannot go on where a run stopped."""
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import huggingface_hub
    except ImportError:
        raise SegueError(
            "fetching needs the package huggingface_hub: "
            f"{install_hint('huggingface_hub', FROZEN, sys.executable)}."
        ) from None
    huggingface_hub.logging.set_verbosity_error()
    return huggingface_hub


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


# Files on this machine


@contextmanager
def _alone(name: str, kind: str = "arriving") -> Iterator[Path]:
    """The folder where the files of an engine arrive, for one run at a time.

    What is 'arriving' stays for the next run; what is 'taken' from a folder is gone afterwards.
    """
    if name not in NAMES:
        raise SegueError(f"there is nothing to fetch for '{name}': choose {' or '.join(NAMES)}.")
    from filelock import FileLock, Timeout

    place = files.models_folder()
    part = place / f".{name}.{kind}"
    try:
        part.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / f".{name}.lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise SegueError(f"{name} is being fetched already: wait for that to end.") from None
    except OSError as error:
        raise SegueError(f"{place} cannot be written ({error.strerror or error}).") from None
    try:
        yield part
    finally:
        if kind != "arriving":
            shutil.rmtree(part, ignore_errors=True)
        lock.release()


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Whatever the network and the disk throw, as one sentence."""
    try:
        yield
    except (SegueError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise SegueError(_sentence(name, error)) from error


def _sentence(name: str, error: Exception) -> str:
    again = "run the same command again, it goes on where it stopped"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk filled up while {name} arrived: free some space, then {again}."
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return f"the hub sent less of {name} than it announced: {again}."
    if type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "requests"):
        server = urlsplit(_endpoint() or "https://huggingface.co").netloc
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


def _partial(part: Path, remote: RemoteFile) -> Path:
    """Where a file arrives; it bears the digest, so that another version is not mixed into it."""
    digest = (remote.sha256 or remote.git_sha1 or "")[:16]
    return part / f"{remote.path}.{digest}.part"


def _have(part: Path, remote: RemoteFile) -> int:
    """Bytes of a file that are here already."""
    if (part / remote.path).is_file():
        return remote.size
    partial = _partial(part, remote)
    if not partial.is_file():
        return 0
    size = partial.stat().st_size
    if size > remote.size:
        partial.unlink()
        return 0
    return size


def _reuse(part: Path, remotes: list[RemoteFile]) -> None:
    """Link what this or another installed engine has already; drop what is out of date."""
    for remote in remotes:
        target = part / remote.path
        if target.is_file() and target.stat().st_size != remote.size:
            target.unlink()
        if target.is_file() or remote.sha256 is None:
            continue
        for name in NAMES:
            try:
                listed = files.installed(name)
            except SegueError:
                continue
            for file in listed:
                if file.sha256 == remote.sha256 and not target.is_file():
                    _link(files.folder_of(name), file, target)


def _link(folder: Path, file: files.Installed, target: Path) -> None:
    """Give a whole file a second name; where that cannot be it is fetched instead."""
    if files.fault_of(folder, file):
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(folder / file.path, target)
    except OSError:
        pass


def _check_disk(part: Path, need: int) -> None:
    free = shutil.disk_usage(part).free
    if need and need + MARGIN > free:
        raise SegueError(
            f"{part.parent} has {_size(free)} free and {_size(need + MARGIN)} are needed: "
            f"free some space, or set {files.PLACE} to a folder on another disk."
        )


def _find(folder: Path, path: str) -> Path | None:
    for candidate in (folder / path, folder / Path(path).name):
        if candidate.is_file():
            return candidate
    return None


def _check_safetensors(target: Path, source: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(target, framework="numpy"):
            pass  # the header is read, and its sizes compared with the file's
    except SafetensorError:
        raise SegueError(f"{source} is cut short or damaged: get it again.") from None


def _install(name: str, part: Path, table: dict[str, Any], origin: str) -> Path:
    """Write the list, clear what is left over, and put the folder in its place in one move."""
    kept = {*table, LIST}
    for path in sorted(part.rglob("*"), reverse=True):
        if path.is_file() and str(path.relative_to(part).as_posix()) not in kept:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    content = {"engine": name, "origin": origin, "licence": "CC-BY-4.0", "files": table}
    with (part / LIST).open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(content, indent=2) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    final = files.folder_of(name)
    old = final.with_name(f".{name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    part.rename(final)
    shutil.rmtree(old, ignore_errors=True)
    return final


def _git_sha1(path: Path) -> str:
    """git's name of a file's content, which the hub gives for small files."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    digest.update(path.read_bytes())
    return digest.hexdigest()


def _size(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"

"""Magenta RealTime 2's files on the hub: their list, and a transfer that is resumed.

The hub's own client does not resume a file across two runs (its partial files are private to the
process and removed), so its metadata and transfer are used with partial files of our own.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from models.command import FROZEN, install_hint
from models.errors import SegueError
from models.magenta_rt2.checkpoint.files import (
    OPTIONAL,
    REPOSITORY,
    required,
)
from models.storage.weights import sha256_of


@dataclass(frozen=True)
class RemoteFile:
    """A file on the hub: released path, size in bytes, and digest (SHA-256, or git's SHA-1)."""

    path: str
    size: int
    sha256: str | None
    git_sha1: str | None


def list_remote_files(name: str, revision: str) -> tuple[str, list[RemoteFile]]:
    """The commit of a revision, and the files of an engine in it."""
    client = _hub().HfApi(endpoint=endpoint(), token=False)
    info = client.model_info(REPOSITORY, revision=revision, files_metadata=True)
    there = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    remotes = []
    for path in (*required(name), *(path for path in OPTIONAL if path in there)):
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


def download(
    staging: Path, remote: RemoteFile, commit: str, progress_bar: type[object] | None
) -> None:
    """Download a file, resuming where an earlier run stopped."""
    hub = _hub()
    from huggingface_hub.file_download import http_get

    partial = partial_path(staging, remote)
    partial.parent.mkdir(parents=True, exist_ok=True)
    url = hub.hf_hub_url(REPOSITORY, remote.path, revision=commit, endpoint=endpoint())
    with partial.open("ab") as stream:
        http_get(
            url,
            stream,
            resume_size=stream.tell(),
            headers=hub.utils.build_hf_headers(token=False),
            expected_size=remote.size,
            displayed_filename=Path(remote.path).name,
            tqdm_class=progress_bar,
        )
        stream.flush()
        os.fsync(stream.fileno())
    partial.rename(staging / remote.path)


def verify_checksum(staging: Path, remote: RemoteFile) -> str:
    """SHA-256 of a downloaded file; if it is wrong, removes the file and raises SegueError."""
    path = staging / remote.path
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


def _hub() -> ModuleType:
    """The hub's client module, quiet, without its xet transfer, which cannot resume."""
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


def endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def partial_path(staging: Path, remote: RemoteFile) -> Path:
    """Path of a file's partial download; has the digest, so that versions are never mixed."""
    digest = (remote.sha256 or remote.git_sha1 or "")[:16]
    return staging / f"{remote.path}.{digest}.part"


def _git_sha1(path: Path) -> str:
    """Object id that git gives a file's content, the hub's digest of small files."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    digest.update(path.read_bytes())
    return digest.hexdigest()

"""Manifest of the embedded weights files, and checks of their integrity.

`resources/weights/manifest.json` lists for each engine its files with size and SHA-256. Weights are
safetensors only, never pickle: a weights file must not be able to run code.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.errors import SegueError

WEIGHTS: Final = Path(__file__).resolve().parents[2] / "resources" / "weights"
MANIFEST: Final = "manifest.json"
DREAMING: Final = frozenset({"guide.safetensors"})
"""Files that `segue` needs to dream, and `segue-diffusion` never."""
TEACHING: Final = frozenset({"notes.safetensors"})
"""Files that are needed to teach a sound, and never to play one."""
HEARING: Final = frozenset({"ears.safetensors", "beatnet.safetensors"})
"""Files that hear what is played in; what a performance holds of it is written in it."""
OWNERS: Final = {"segue-diffusion": "segue"}
"""Engines that read the files of another."""


@dataclass(frozen=True)
class WeightsFile:
    """A weights file of an engine: its path in a folder, size in bytes and SHA-256 in hex."""

    engine: str
    name: str
    size: int
    sha256: str


def read_manifest(folder: Path = WEIGHTS) -> tuple[WeightsFile, ...]:
    """All files in the manifest. SegueError where it is missing or damaged."""
    path = folder / MANIFEST
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            WeightsFile(engine, name, int(entry["size"]), str(entry["sha256"]))
            for engine, files in table.items()
            for name, entry in files.items()
        )
    except FileNotFoundError:
        raise SegueError(f"{path} is missing: get Segue's folder again.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise SegueError(f"{path} is damaged: get Segue's folder again.") from None


def files_of(engine: str, folder: Path = WEIGHTS) -> tuple[WeightsFile, ...]:
    """The files of one engine in the manifest; empty for an engine that needs none."""
    owner = OWNERS.get(engine, engine)
    return tuple(file for file in read_manifest(folder) if file.engine == owner)


def sha256_of(path: Path, step: Callable[[int], object] | None = None) -> str:
    """SHA-256 of a file in hex; `step` is called with the number of bytes of each read."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
            if step is not None:
                step(len(chunk))
    return digest.hexdigest()


def fault_of(
    file: WeightsFile, folder: Path = WEIGHTS, step: Callable[[int], object] | None = None
) -> str | None:
    """Fault of a weights file: 'missing', 'damaged' or 'unreadable'; None where it is intact.

    step: called with the number of bytes of each read, for a progress bar.
    """
    path = folder / file.name
    try:
        if path.stat().st_size == file.size and sha256_of(path, step) == file.sha256:
            return None
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"
    return "damaged"


def check_files(engine: str, folder: Path = WEIGHTS) -> None:
    """Raise SegueError for the first file of an engine that differs from the manifest.

    Reads every byte: safetensors does not detect a flipped bit in a tensor, which may sound as
    noise.
    """
    for file in files_of(engine, folder):
        fault = fault_of(file, folder)
        if fault is not None:
            raise SegueError(
                f"{folder / file.name} is {fault}: put it back from Segue's download "
                "(after training, enter the new one with: python -m models.storage.weights)."
            )


def identity(names: Iterable[str], folder: Path = WEIGHTS) -> str:
    """One checksum in hex of several files of a folder, to recognize snapshots of other weights.

    Uses the manifest's checksums where there is one, as they are verified on loading. SegueError
    where a file cannot be read.
    """
    has_manifest = (folder / MANIFEST).is_file()
    listed = {file.name: file.sha256 for file in read_manifest(folder)} if has_manifest else {}
    total = hashlib.sha256()
    for name in sorted(names):
        try:
            digest = listed.get(name) or sha256_of(folder / name)
        except OSError as error:
            raise SegueError(f"{folder / name} cannot be read ({error.strerror}).") from error
        total.update(f"{name} {digest}\n".encode())
    return total.hexdigest()


def write_manifest(engine: str, names: Iterable[str], folder: Path = WEIGHTS) -> None:
    """Write an engine's files (paths in `folder`) with their current checksums to the manifest."""
    path = folder / MANIFEST
    table = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    table[engine] = {
        name: {"size": (folder / name).stat().st_size, "sha256": sha256_of(folder / name)}
        for name in sorted(names)
    }
    path.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def embedded_files(folder: Path = WEIGHTS) -> list[str]:
    """Every file in the folder that the embedded engine loads."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and path.name != MANIFEST and path.suffix in (".safetensors", ".json")
    )


def playing_files(folder: Path = WEIGHTS) -> list[str]:
    """Those of them on which it depends how the embedded engine sounds."""
    return [name for name in embedded_files(folder) if name not in DREAMING | TEACHING | HEARING]


if __name__ == "__main__":
    # After training or exporting: record the embedded engine's files.
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else WEIGHTS
    write_manifest("segue", embedded_files(chosen), chosen)
    for entry in files_of("segue", chosen):
        print(f"{entry.sha256[:16]}  {entry.size:>10}  {entry.name}")

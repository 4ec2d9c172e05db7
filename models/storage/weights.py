"""Weights files: where they lie, and whether they are whole. Inference lane and offline.

`resources/weights/manifest.json` lists for each engine its files with size and SHA-256. Weights are
safetensors only, never pickle: a weights file must not be able to run code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.errors import SegueError

WEIGHTS: Final = Path(__file__).resolve().parents[2] / "resources" / "weights"
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class WeightsFile:
    """One line of the manifest: a file of an engine, its bytes and its SHA-256 in hex."""

    engine: str
    name: str
    size: int
    sha256: str


def read_manifest(folder: Path = WEIGHTS) -> tuple[WeightsFile, ...]:
    """All files of the manifest. SegueError where it is missing or damaged."""
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
    """The files of one engine; empty for an engine that needs none."""
    return tuple(file for file in read_manifest(folder) if file.engine == engine)


def fault_of(
    file: WeightsFile, folder: Path = WEIGHTS, step: Callable[[int], object] | None = None
) -> str | None:
    """'missing', 'damaged', 'unreadable' or None for a whole file.

    `step` is called with the number of bytes read, for a progress bar.
    """
    path = folder / file.name
    digest = hashlib.sha256()
    try:
        if path.stat().st_size != file.size:
            return "damaged"
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
                if step is not None:
                    step(len(chunk))
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "unreadable"
    return None if digest.hexdigest() == file.sha256 else "damaged"


def check_files(engine: str, folder: Path = WEIGHTS) -> None:
    """SegueError naming the first file of an engine that is not as the manifest has it.

    Reads every byte, about a tenth of a second for 80 MB: a flipped bit in a tensor is no error to
    safetensors, and would be heard as noise.
    """
    for file in files_of(engine, folder):
        fault = fault_of(file, folder)
        if fault is not None:
            raise SegueError(
                f"{folder / file.name} is {fault}: put it back from Segue's download "
                "(after training, enter the new one with: python -m models.storage.weights)."
            )


def identity(names: Iterable[str], folder: Path = WEIGHTS) -> str:
    """One checksum in hex for these files of a folder: whatever they gave meaning to, such as a
    kept moment, is told from that of other weights. SegueError where a file cannot be read.

    Taken from the manifest where there is one: what it says was compared when they were loaded.
    """
    listed = {file.name: file.sha256 for file in read_manifest(folder)} if _has(folder) else {}
    total = hashlib.sha256()
    for name in sorted(names):
        try:
            digest = listed.get(name) or hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise SegueError(f"{folder / name} cannot be read ({error.strerror}).") from error
        total.update(f"{name} {digest}\n".encode())
    return total.hexdigest()


def _has(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def write_manifest(engine: str, names: Iterable[str], folder: Path = WEIGHTS) -> None:
    """Enter an engine's files (relative to `folder`) as they are now. Training's last step."""
    path = folder / MANIFEST
    table = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    table[engine] = {
        name: {
            "size": (folder / name).stat().st_size,
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
        }
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


if __name__ == "__main__":
    # After training or exporting: enter the embedded engine's files as they are now.
    write_manifest("segue", embedded_files())
    for entry in files_of("segue"):
        print(f"{entry.sha256[:16]}  {entry.size:>10}  {entry.name}")

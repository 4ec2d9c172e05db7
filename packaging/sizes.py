"""Reports a bundle's size by part and fails where it is too large.

python packaging/sizes.py FOLDER [--archive FILE] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

MAX_UNPACKED_MB: Final = 720.0
MAX_PACKED_MB: Final = 300.0
"""Limits of the CPU bundle. The CUDA bundle includes CUDA and has none."""

PARTS: Final = (
    ("torch", ("torch", "torch.libs", "functorch")),
    ("CUDA", ("nvidia", "triton")),
    ("Qt", ("PySide6", "shiboken6")),
    ("numpy", ("numpy", "numpy.libs")),
    ("weights", ("resources/weights",)),
    ("instruments", ("resources/instruments",)),
    ("resources", ("resources",)),
    ("tokenizers", ("tokenizers",)),
    ("sound", ("portaudio", "_soundfile_data", "_sounddevice_data", "soxr", "rtmidi")),
)
"""Parts and their folders in the bundle, the more specific ones first."""


def part_of(place: str) -> str:
    """The part that a file belongs to, by its path in _internal."""
    for name, folders in PARTS:
        if any(place == folder or place.startswith(folder + "/") for folder in folders):
            return name
    if place == "segue" or place.endswith((".exe", "segue-cli")):
        return "program and Python modules"
    return "Python and the rest"


def measure(folder: Path) -> dict[str, int]:
    """Bytes by part, without symbolic links."""
    table: dict[str, int] = {}
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        place = path.relative_to(folder).as_posix().removeprefix("_internal/")
        part = part_of(place)
        table[part] = table.get(part, 0) + path.stat().st_size
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description="Size of a bundle by part.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--archive", type=Path, help="the packed bundle")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--any-size", action="store_true", help="report only (the CUDA bundle)")
    chosen = parser.parse_args()
    table = measure(chosen.folder)
    total = sum(table.values()) / 1e6
    packed = chosen.archive.stat().st_size / 1e6 if chosen.archive else None
    if chosen.json:
        print(json.dumps({"parts": table, "unpacked_mb": total, "packed_mb": packed}, indent=1))
    else:
        for name, size in sorted(table.items(), key=lambda row: -row[1]):
            print(f"{size / 1e6:8.1f} MB  {name}")
        print(f"{total:8.1f} MB  unpacked, of {MAX_UNPACKED_MB:.0f}")
        if packed is not None:
            print(f"{packed:8.1f} MB  packed, of {MAX_PACKED_MB:.0f}")
    too_large = total > MAX_UNPACKED_MB or (packed or 0.0) > MAX_PACKED_MB
    if too_large and not chosen.any_size:
        print("segue: the bundle is too large", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

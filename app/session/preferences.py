"""What the program remembers between sessions: device, file formats, folders. GUI lane; pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from app.files import write_text
from models.errors import SegueError

BUFFERS: Final = (64, 128, 256, 512, 1024, 2048)
RATES: Final = (None, 44_100, 48_000, 88_200, 96_000)
FORMATS: Final = ("wav", "flac")


@dataclass(frozen=True)
class Preferences:
    """`device` None is the system's default; `sample_rate` None is the device's own."""

    device: str | None = None
    sample_rate: int | None = None
    buffer_frames: int = 256
    record_format: str = "wav"
    record_folder: str = ""
    welcomed: bool = False  # the three things to try were tried, or put away


def load(path: Path) -> Preferences:
    """What was saved; anything missing or strange is at its default."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Preferences()
    if not isinstance(data, dict):
        return Preferences()
    kept = {f.name: data[f.name] for f in fields(Preferences) if f.name in data}
    checks = {
        "device": lambda v: isinstance(v, str | None),
        "sample_rate": lambda v: v in RATES,
        "buffer_frames": lambda v: v in BUFFERS,
        "record_format": lambda v: v in FORMATS,
        "record_folder": lambda v: isinstance(v, str),
        "welcomed": lambda v: isinstance(v, bool),
    }
    return Preferences(**{name: v for name, v in kept.items() if checks[name](v)})


def save(path: Path, preferences: Preferences) -> None:
    """Raises SegueError where they cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegueError(f"Settings cannot be kept ({error.strerror}).") from error
    write_text(path, json.dumps(asdict(preferences), indent=1) + "\n")

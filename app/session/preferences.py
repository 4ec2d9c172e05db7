"""Preferences that outlast sessions: device, file formats, folders."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from app.files import write_text
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

BUFFERS: Final = (64, 128, 256, 512, 1024, 2048)
RATES: Final = (None, 44_100, SAMPLE_RATE, 88_200, 96_000)
FORMATS: Final = ("wav", "flac")


@dataclass(frozen=True)
class Preferences:
    """Preferences. device, sample_rate: None for the system's default."""

    device: str | None = None
    sample_rate: int | None = None
    buffer_frames: int = 256
    record_format: str = "wav"
    record_folder: str = ""
    record_stems: bool = True  # a file of each part as well
    welcomed: bool = False  # the welcome was completed or dismissed


def load(path: Path) -> Preferences:
    """Saved preferences; missing or invalid ones are at their defaults."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Preferences()
    if not isinstance(data, dict):
        return Preferences()
    found = {f.name: data[f.name] for f in fields(Preferences) if f.name in data}
    checks = {
        "device": lambda v: isinstance(v, str | None),
        "sample_rate": lambda v: v in RATES,
        "buffer_frames": lambda v: v in BUFFERS,
        "record_format": lambda v: v in FORMATS,
        "record_folder": lambda v: isinstance(v, str),
        "record_stems": lambda v: isinstance(v, bool),
        "welcomed": lambda v: isinstance(v, bool),
    }
    return Preferences(**{name: v for name, v in found.items() if checks[name](v)})


def save(path: Path, preferences: Preferences) -> None:
    """Write the preferences. SegueError where they cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegueError(f"Settings cannot be saved ({error.strerror}).") from error
    write_text(path, json.dumps(asdict(preferences), indent=1) + "\n")

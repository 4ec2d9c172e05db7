"""Preferences that outlast sessions: device, file formats, folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Final

from app.audio.input.settings import LOW_CUTS, MAX_CHANNEL
from app.audio.outputs.routes import routes_of
from app.files import write_text
from models.errors import SegueError
from models.music.score import SAMPLE_RATE

BUFFERS: Final = (64, 128, 256, 512, 1024, 2048)
RATES: Final = (None, 44_100, SAMPLE_RATE, 88_200, 96_000)
DEFAULT_INPUT: Final = "default"
FORMATS: Final = ("wav", "flac")


@dataclass(frozen=True)
class Preferences:
    """Preferences. device, sample_rate: None for the system's default."""

    engine: str = ""  # "" for the default
    takeover: str = ""  # plays on where the line to one elsewhere is dead; "" for none
    device: str | None = None
    sample_rate: int | None = None
    buffer_frames: int = 256
    record_format: str = "wav"
    record_folder: str = ""
    record_stems: bool = True  # a file of each part as well
    record_input: bool = False  # what comes in as well, so that a performance renders again
    input_device: str = ""  # "" for none, DEFAULT_INPUT, or a label
    input_channel: int = 1
    input_stereo: bool = False
    input_low_cut: int = 0
    round_trips: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Measured milliseconds from output to input, by `round_trip_key`."""
    part_outputs: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Left channel, from 1, of the parts that have channels of their own."""
    welcomed: bool = False  # the welcome was completed or dismissed


def round_trip_key(preferences: Preferences) -> str:
    """Key of the round trip's measurement: both devices and the buffer decide it."""
    output = preferences.device or DEFAULT_INPUT
    return f"{output} > {preferences.input_device}, {preferences.buffer_frames}"


def _is_table_of_outputs(value: object) -> bool:
    if not isinstance(value, dict) or any(type(channel) is not int for channel in value.values()):
        return False
    try:
        routes_of(value)
    except SegueError:
        return False
    return True


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
        "engine": lambda v: isinstance(v, str),
        "takeover": lambda v: isinstance(v, str),
        "device": lambda v: isinstance(v, str | None),
        "sample_rate": lambda v: v in RATES,
        "buffer_frames": lambda v: v in BUFFERS,
        "record_format": lambda v: v in FORMATS,
        "record_folder": lambda v: isinstance(v, str),
        "record_stems": lambda v: isinstance(v, bool),
        "record_input": lambda v: isinstance(v, bool),
        "input_device": lambda v: isinstance(v, str),
        "input_channel": lambda v: type(v) is int and 1 <= v <= MAX_CHANNEL,
        "input_stereo": lambda v: isinstance(v, bool),
        "input_low_cut": lambda v: v in LOW_CUTS,
        "round_trips": lambda v: (
            isinstance(v, dict)
            and all(isinstance(ms, int | float) and 0.0 <= ms <= 2000.0 for ms in v.values())
        ),
        "part_outputs": _is_table_of_outputs,
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

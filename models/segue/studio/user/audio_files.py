"""Samples as files: their sound, and the note and loop that a WAV's sampler chunk tells."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import numpy as np

from models.engine.audio_file import read_audio
from models.errors import SegueError
from models.segue.studio.user.regions import WaveSource

ENDINGS: Final = frozenset({".wav", ".flac", ".aif", ".aiff", ".aifc", ".ogg", ".opus", ".mp3"})
LOWEST_RATE, HIGHEST_RATE = 4000, 384_000
MAX_CHUNKS: Final = 200
MAX_BYTES: Final = 1_000_000_000
MAX_CHANNELS: Final = 8


def read_sample(path: Path, seconds: float) -> WaveSource:
    """A sample.

    Args:
        path: of an audio file.
        seconds: how much of it at the most.

    Raises:
        SegueError: it cannot be read, or holds numbers that are no sound.

    """
    _check_size(path)
    sound, rate = read_audio(path, seconds)
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise SegueError(f"{path.name} has {rate} samples a second: convert it to 48000.")
    if sound.ndim != 2 or not len(sound):
        raise SegueError(f"{path.name} is empty: give a file that sounds.")
    if not np.isfinite(sound).all() or float(np.abs(sound).max()) > 1000.0:
        raise SegueError(f"{path.name} is damaged, its numbers are no sound: export it again.")
    if sound.shape[1] > 2:
        sound = sound[:, :2]
    loop, root = sampler_chunk(path)
    if loop is not None and loop[1] > len(sound):
        loop = None
    return WaveSource(np.ascontiguousarray(sound), rate, loop, root)


def _check_size(path: Path) -> None:
    """SegueError for a file that would take more memory than a sample may."""
    import soundfile

    try:
        size = path.stat().st_size
        channels = soundfile.info(str(path)).channels
    except (OSError, soundfile.SoundFileError):
        return  # whoever reads it says what is wrong
    if size > MAX_BYTES or channels > MAX_CHANNELS:
        raise SegueError(f"{path.name} is too large for a sample: give a short mono or stereo one.")


def sampler_chunk(path: Path) -> tuple[tuple[int, int] | None, int | None]:
    """Loop and note of a WAV's `smpl` chunk (RIFF MPDR, 1994); None where it does not say them.

    A note of 0, and of 60 without a loop, is what programs write that know of none.
    """
    if path.suffix.lower() != ".wav":
        return None, None
    try:
        with path.open("rb") as file:
            head = file.read(12)
            if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
                return None, None
            for _ in range(MAX_CHUNKS):
                name = file.read(8)
                if len(name) < 8:
                    return None, None
                size = struct.unpack("<I", name[4:])[0]
                if name[:4] == b"smpl":
                    return _sampler(file.read(min(size, 36 + 24)))
                file.seek(size + (size & 1), 1)
    except OSError:
        pass
    return None, None


def _sampler(data: bytes) -> tuple[tuple[int, int] | None, int | None]:
    if len(data) < 36:
        return None, None
    note, loops = struct.unpack_from("<I", data, 12)[0], struct.unpack_from("<I", data, 28)[0]
    loop = None
    if loops and len(data) >= 60:
        kind, start, end = struct.unpack_from("<III", data, 40)
        if kind == 0 and end > start + 16:
            loop = (start, end + 1)
    known = 0 < note < 128 and (loop is not None or note != 60)
    return loop, int(note) if known else None

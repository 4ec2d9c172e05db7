"""Clips of a rung on disk: made where they are missing, read back. Offline."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.evaluation.ladder.fullband import SILENCE
from models.music.score import SAMPLE_RATE
from models.storage.json_types import JsonObject

Audio = NDArray[np.float32]
SUFFIXES: Final = (".wav", ".flac", ".ogg", ".mp3")
NOTE: Final = "rung.json"


def clip_path(folder: Path, number: int) -> Path:
    """Where clip `number` of a rung lies."""
    return folder / f"{number:03d}.wav"


def read_clip(path: Path) -> Audio:
    """Samples (n, 2) of a clip."""
    import soundfile

    audio: Audio = soundfile.read(path, dtype="float32", always_2d=True)[0]
    return audio


def write_clips(
    folder: Path,
    count: int,
    note: JsonObject,
    make: Callable[[int], Audio],
    said: Callable[[str], object] = print,
) -> None:
    """Make the clips of a rung that are not there yet.

    Args:
        folder: The rung's folder.
        count: How many clips there shall be.
        note: What the clips are made of and how (seconds, weights); kept beside them.
        make: Gives the samples (n, 2) at 48 kHz of a clip by its number.
        said: Called with a line of progress for each clip.

    Raises:
        SegueError: The folder holds clips that were made otherwise, by what their note says.

    """
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NOTE
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before != dict(note):
            raise SegueError(
                f"{folder} holds clips that were made otherwise ({before}): delete it, or choose "
                "another folder with --out."
            )
    path.write_text(json.dumps(dict(note)), encoding="utf-8")
    for number in range(count):
        target = clip_path(folder, number)
        if target.exists():
            continue
        part = target.with_suffix(".part")
        soundfile.write(part, make(number), SAMPLE_RATE, subtype="FLOAT", format="WAV")
        part.replace(target)  # last: marks it finished
        said(f"{folder.name} {number + 1}/{count}")


def audio_files(folder: Path) -> list[Path]:
    """Audio files anywhere in a folder, by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


class RealMusic:
    """Excerpts of a folder of real music, in two sets of which no two share a recording.

    Recordings shorter than three excerpts are left out: jingles and sound effects.

    Raises:
        SegueError: The folder does not hold two recordings that are long enough.

    """

    def __init__(self, folder: Path, seconds: float) -> None:
        import soundfile

        self.seconds = seconds
        lengths = {path: soundfile.info(path).duration for path in audio_files(folder)}
        self._lengths = {path: size for path, size in lengths.items() if size >= 3 * seconds}
        if len(self._lengths) < 2:
            raise SegueError(
                f"{folder} does not hold two pieces of {3 * seconds:g} s or more: name a folder "
                f"of music ({', '.join(SUFFIXES)})."
            )

    def excerpt(self, number: int, other: bool) -> Audio:
        """Excerpt `number` of the first set or of the other, (n, 2) at 48 kHz."""
        import soundfile
        import soxr

        paths = list(self._lengths)[int(other) :: 2]
        path = paths[number % len(paths)]
        turn = number // len(paths)
        for attempt in range(8):
            # The golden ratio spreads any number of places evenly over a recording.
            place = (0.5 + 0.618034 * (turn + 97 * attempt)) % 1.0
            start = place * (self._lengths[path] - self.seconds)
            rate = soundfile.info(path).samplerate
            audio, _ = soundfile.read(
                path,
                frames=round(self.seconds * rate),
                start=round(start * rate),
                dtype="float32",
                always_2d=True,
            )
            if np.sqrt(np.square(audio).mean()) > 10 * SILENCE:
                break
        stereo = np.repeat(audio, 2, axis=1) if audio.shape[1] == 1 else audio[:, :2]
        resampled: Audio = soxr.resample(stereo, rate, SAMPLE_RATE).astype(np.float32)
        return resampled[: round(self.seconds * SAMPLE_RATE)]

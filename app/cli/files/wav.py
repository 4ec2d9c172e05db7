"""Writer of stereo WAV files, block by block."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final

import soundfile

from models.engine.interface import Audio
from models.errors import SegueError

SUBTYPES: Final = {"24": "PCM_24", "float": "FLOAT"}
BYTES: Final = {"24": 3, "float": 4}
RIFF_LIMIT: Final = 2**32 - 2**16
"""Bytes of a plain WAV; longer ones are RF64."""


class WavWriter:
    """48 kHz WAV, 24-bit or 32-bit float ('24' or 'float'). samples: the expected length."""

    def __init__(
        self, path: Path, sample_rate: int, channels: int, sample_format: str, samples: int
    ) -> None:
        large = samples * channels * BYTES[sample_format] > RIFF_LIMIT
        self._path = path
        try:
            self._file = soundfile.SoundFile(
                path,
                "w",
                samplerate=sample_rate,
                channels=channels,
                subtype=SUBTYPES[sample_format],
                format="RF64" if large else "WAV",
            )
        except soundfile.LibsndfileError as error:
            raise SegueError(f"{path} cannot be written: {error.error_string}") from None

    def write(self, block: Audio) -> None:
        """Append float32 (n, channels). SegueError where the disk does not take it all."""
        try:
            self._file.write(block)
        except (soundfile.LibsndfileError, AssertionError):
            # soundfile asserts that all frames were written; on a full disk they were not.
            raise SegueError(
                f"the disk takes no more in {self._path.parent}: free some space or choose "
                "another folder; nothing was left behind."
            ) from None

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

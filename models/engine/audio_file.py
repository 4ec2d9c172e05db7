"""Audio files as people have them: what players read is read, and the rest is one sentence.

libsndfile decodes. Around it: WAV files with odd chunks or without a length (`wav_repair`), MP3
files that are none or begin with a large picture, files that end in the middle.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from models.engine.interface import Audio
from models.engine.wav_repair import repaired
from models.errors import SegueError

if TYPE_CHECKING:
    import soundfile

MP3_SECONDS: Final = 1800.0
"""Longest MP3 whose end is read, since all of it must be decoded."""
MP3_SEARCH_BYTES: Final = 65536
"""Bytes after the tags in which the first frame of an MP3 must begin."""
PIECE: Final = 4096
"""Frames that are read at once: where a file is cut, so much before the cut may be lost."""
_FRAME_HEADER: Final = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]", re.DOTALL)
"""Header of an MPEG audio frame: 11 set bits, a layer, a bit rate (ISO/IEC 11172-3, 2.4.1.3)."""


def read_audio(
    path: Path, seconds: float | None = None, *, ending: bool = False
) -> tuple[Audio, int]:
    """Samples of an audio file.

    Args:
        path: WAV, FLAC, Ogg, Opus, AIFF or MP3.
        seconds: How much of it; None for all.
        ending: The last `seconds`, not the first.

    Returns:
        float32 (n, channels), possibly (0, channels), and the sample rate in Hz.

    Raises:
        SegueError: There is no such file, or it cannot be read as audio.

    """
    import soundfile

    if not path.is_file():
        raise SegueError(f"there is no file {path}: check the name of the audio file.")
    try:
        with _source(path) as source, soundfile.SoundFile(source) as file:
            rate = int(file.samplerate)
            count = None if seconds is None else int(seconds * rate)
            if ending and count is not None:
                return _ending(path, file, count), rate
            return _read(file, count), rate
    except (soundfile.SoundFileError, OSError) as error:
        reason = str(error).rstrip(".").rpartition(": ")[2]
        raise SegueError(
            f"{path} cannot be read as audio ({reason}): give a WAV, FLAC, Ogg or MP3 file."
        ) from None


def _ending(path: Path, file: soundfile.SoundFile, count: int) -> Audio:
    if file.format == "MP3":
        # libsndfile seeks in MP3 inexactly.
        if file.frames > MP3_SECONDS * file.samplerate:
            raise SegueError(
                f"{path} is an MP3 of over half an hour: give a WAV or FLAC file of it."
            )
    elif count < file.frames < 2**62:  # a stream's length is not known
        file.seek(file.frames - count)
    samples: Audio = _read(file, None)[-count:]
    return samples


def _read(file: soundfile.SoundFile, count: int | None) -> Audio:
    """Up to `count` frames, whatever length the header names; up to the first error."""
    import soundfile

    if file.format == "MP3":
        # In parts libsndfile returns zeros.
        whole: Audio = file.read(-1 if count is None else count, dtype="float32", always_2d=True)
        return whole
    pieces, got = [np.empty((0, file.channels), np.float32)], 0
    while count is None or got < count:
        size = PIECE if count is None else min(PIECE, count - got)
        piece = np.empty((size, file.channels), np.float32)
        try:
            frames = file.buffer_read_into(piece, dtype="float32")
        except soundfile.SoundFileError:
            if not got:
                raise
            break
        pieces.append(piece[:frames])
        got += frames
        if frames < size:
            break
    return np.concatenate(pieces)


def _source(path: Path) -> io.BufferedIOBase:
    """What soundfile is to open. SegueError where an .mp3 file is none."""
    if path.suffix.lower() == ".mp3":
        return _mp3(path)
    spliced = repaired(path)
    return path.open("rb") if spliced is None else io.BufferedReader(spliced)


def _mp3(path: Path) -> io.BufferedIOBase:
    """An MP3 from its first frame on.

    Of a file that is no MP3, and of a large tag (a cover picture), the decoder itself would write
    lines to the terminal.
    """
    data = path.read_bytes()
    if data.startswith((b"RIFF", b"fLaC", b"OggS", b"FORM")):
        return io.BytesIO(data)  # another format under a wrong name
    at = 0
    # ID3v2 (id3.org, 2.4.0, section 3.1): 7 bits a byte of the size, and a footer where flagged.
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = 0
        for byte in data[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if data[at + 5] & 0x10 else 0)
    if not _FRAME_HEADER.search(data, at, at + MP3_SEARCH_BYTES):
        raise SegueError(
            f"{path} is no MP3, whatever its name says: give a WAV, FLAC, Ogg or MP3 file."
        )
    return io.BytesIO(data[at:])

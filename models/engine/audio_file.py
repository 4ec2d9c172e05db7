"""Audio files as people have them: what players read is read, and the rest is one sentence.

libsndfile decodes. Around it: WAV files with odd chunks or without a length (`wav_repair`), MP3
files of which the decoder would complain (`mp3_frames`), files that end in the middle (Ogg:
`ogg_repair`). What a file is is read from its bytes, not from its name.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from models.engine.interface import Audio
from models.engine.mp3_frames import after_tags, begins_as_mp3, whole_frames
from models.engine.ogg_repair import with_whole_end
from models.engine.wav_repair import repaired
from models.errors import SegueError
from models.runtime.quiet import quiet_stderr

if TYPE_CHECKING:
    import soundfile

MP3_SECONDS: Final = 1800.0
"""Longest MP3 whose end is read, since all of it must be decoded."""
HEAD: Final = 65536
"""Bytes of a file by which its format is told."""
_OTHERS: Final = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b"caff", b".snd")
"""First bytes of files that are no MP3."""
PIECE: Final = 4096
"""Frames that are read at once: where a file is cut, so much before the cut may be lost."""


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
        source = _source(path, None if ending else seconds)
        # Of damaged frames the decoder of MP3 complains on the terminal.
        with quiet_stderr(), source, soundfile.SoundFile(source) as file:
            rate = int(file.samplerate)
            count = None if seconds is None else int(seconds * rate)
            if ending and count is not None:
                return _ending(path, file, count), rate
            return _read(file, count), rate
    except (soundfile.SoundFileError, OSError) as error:
        reason = str(error).rstrip(".").rpartition(": ")[2]
        if isinstance(error, soundfile.SoundFileError) and "does not exist" in reason:
            reason = "it is damaged, or no audio file"
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


def _source(path: Path, seconds: float | None) -> io.BufferedIOBase:
    """What soundfile is to open. seconds: about how much of it is needed.

    Raises SegueError where the file is called an MP3 and is nothing that is known.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
        if head[:3] == b"ID3":
            file.seek(after_tags(head))
            head = file.read(HEAD)
    if head[:4] in _OTHERS:
        if head[:4] == b"OggS":
            return io.BytesIO(with_whole_end(path.read_bytes()))
        spliced = repaired(path)
        return path.open("rb") if spliced is None else io.BufferedReader(spliced)
    if path.suffix.lower() != ".mp3" and not begins_as_mp3(head):
        return path.open("rb")
    frames = whole_frames(path.read_bytes(), seconds)
    if not frames:
        raise SegueError(
            f"{path} is no MP3, whatever its name says, or too short: give a WAV, FLAC, Ogg or "
            "MP3 file."
        )
    return io.BytesIO(frames)

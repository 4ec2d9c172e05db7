"""Audio files that are valid at any time, even after a crash or on a full disk.

`flush` updates the header of a WAV file, which never ends with half a frame. A FLAC file is written
by libsndfile, whose header has the length only when it is closed, so `flush` writes it too
(RFC 9639, section 8.2: the total samples of STREAMINFO).

48 kHz, two channels. `write` takes float32 (n, 2) and clips at full scale where the format does.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.score import SAMPLE_RATE

Samples = NDArray[np.float32]

CHANNELS: Final = 2
FORMATS: Final = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}
"""Bytes of a sample."""
REASONS: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your quota on this disk is used up",
    errno.EFBIG: "the file has reached the largest size that the disk or the system allows",
}
PROBE_BYTES: Final = 65536
"""What must fit behind the end of a file on which a write has failed: more than libFLAC's block."""


class AudioFile(Protocol):
    """Open audio file. frames: written so far. Methods raise OSError where the disk is full."""

    path: Path
    frames: int

    def write(self, frames: Samples) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


def create(path: Path, subtype: str | None = None) -> AudioFile:
    """Create a .wav or .flac file. subtype: PCM_16, PCM_24 (default) or, for WAV only, FLOAT.

    SegueError where it cannot be made; an existing file is not overwritten.
    """
    subtype = subtype or "PCM_24"
    suffix = path.suffix.lower()
    if suffix not in (".wav", ".flac"):
        raise SegueError(f"{path.name} is neither .wav nor .flac: give it one of these endings.")
    if subtype not in FORMATS or (suffix == ".flac" and subtype == "FLOAT"):
        raise SegueError(f"{suffix} cannot hold {subtype}: choose PCM_24.")
    try:
        if suffix == ".wav":
            return WavFile(path, subtype)
        return FlacFile(path, subtype)
    except FileExistsError:
        raise SegueError(f"{path} is there already: choose another name.") from None
    except OSError as error:
        # The reason first: a line of the window is short, and a path is long.
        raise SegueError(
            f"{reason(error)}: {path.name} cannot be written; choose another folder than "
            f"{path.parent}."
        ) from None


def reason(error: OSError) -> str:
    """Reason of an error, as a clause."""
    return REASONS.get(error.errno or 0) or (error.strerror or str(error)).lower()


def pack(frames: Samples, subtype: str) -> bytes:
    """Float samples as little-endian PCM; clipped but for FLOAT."""
    if subtype == "FLOAT":
        return frames.astype("<f4").tobytes()
    scale = 32768.0 if subtype == "PCM_16" else 8388608.0
    whole = np.clip(np.rint(frames.astype(np.float64) * scale), -scale, scale - 1.0)
    if subtype == "PCM_16":
        return whole.astype("<i2").tobytes()
    wide = whole.astype("<i4")[..., None].view(np.uint8)
    return wide[..., :3].tobytes()


class WavFile:
    """WAV file; from 4 GiB on it becomes RF64 (EBU Tech 3306), for which there is room."""

    def __init__(self, path: Path, subtype: str) -> None:
        self.path = path
        self.frames = 0
        self._subtype = subtype
        self._frame_bytes = FORMATS[subtype] * CHANNELS
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._file = os.open(path, flags, 0o644)
        self._header_size = len(self._header())
        try:
            self.flush()
        except OSError:
            with contextlib.suppress(OSError):  # it writes the header once more
                self.close()
            path.unlink(missing_ok=True)
            raise

    def _header(self) -> bytes:
        data = self.frames * self._frame_bytes
        width = FORMATS[self._subtype]
        kind = 3 if self._subtype == "FLOAT" else 1
        form = struct.pack(
            "<HHIIHH",
            kind,
            CHANNELS,
            SAMPLE_RATE,
            SAMPLE_RATE * self._frame_bytes,
            self._frame_bytes,
            8 * width,
        )
        body = _chunk(b"fmt ", form)
        if kind == 3:
            body += _chunk(b"fact", struct.pack("<I", min(self.frames, 0xFFFFFFFF)))
        size = 4 + 8 + 28 + len(body) + 8 + data + (data & 1)
        if size > 0xFFFFFFFF:
            sizes = struct.pack("<QQQI", size, data, self.frames, 0)
            room, name, riff, shown = _chunk(b"ds64", sizes), b"RF64", 0xFFFFFFFF, 0xFFFFFFFF
        else:
            room, name, riff, shown = _chunk(b"JUNK", bytes(28)), b"RIFF", size, data
        head = name + struct.pack("<I", riff) + b"WAVE" + room + body
        return head + b"data" + struct.pack("<I", shown)

    def write(self, frames: Samples) -> None:
        """Append frames; on OSError, what was written stays, in whole frames."""
        data = memoryview(pack(frames, self._subtype))
        done = 0
        try:
            while done < len(data):
                os.lseek(self._file, self._header_size + self._bytes + done, os.SEEK_SET)
                done += os.write(self._file, data[done:])
        finally:
            self.frames += done // self._frame_bytes
            if done < len(data):
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, self._header_size + self._bytes)

    @property
    def _bytes(self) -> int:
        return self.frames * self._frame_bytes

    def flush(self) -> None:
        """Write the length into the header."""
        header = memoryview(self._header())
        os.lseek(self._file, 0, os.SEEK_SET)
        while header:
            header = header[os.write(self._file, header) :]

    def close(self) -> None:
        if self._file >= 0:
            try:
                self.flush()
            finally:
                os.close(self._file)
                self._file = -1


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


class FlacFile:
    """FLAC file through libsndfile, with an up-to-date length in its header."""

    BLOCK: Final = 4096
    """libFLAC's block at the default compression: frames are written when it is full."""
    TOTAL_AT: Final = 18  # of the file: 'fLaC', block header, then 10 bytes of STREAMINFO

    def __init__(self, path: Path, subtype: str) -> None:
        import soundfile

        self.path = path
        self.frames = 0
        self._flushed = 0
        self._failed = False
        self._errors = (soundfile.SoundFileError, AssertionError)
        # Created first, to refuse an existing file and to write the length.
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._patch = os.open(path, flags, 0o644)
        try:
            self._probe()
            self._file = soundfile.SoundFile(
                path, "w", SAMPLE_RATE, CHANNELS, subtype=subtype, format="FLAC"
            )
        except (soundfile.SoundFileError, OSError) as error:
            os.close(self._patch)
            path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise
            raise OSError(errno.EIO, str(error)) from None

    def _probe(self) -> None:
        """Write behind the end, and take it back: OSError says what libsndfile does not tell."""
        end = os.fstat(self._patch).st_size
        try:
            os.lseek(self._patch, end, os.SEEK_SET)
            os.write(self._patch, bytes(PROBE_BYTES))
        finally:
            os.ftruncate(self._patch, end)

    def write(self, frames: Samples) -> None:
        """Append frames; on OSError, what was written before stays valid."""
        before = os.fstat(self._patch).st_size
        try:
            self._file.write(np.clip(frames, -1.0, 1.0))
        except self._errors as error:
            raise self._error(str(error)) from None
        self.frames += len(frames)
        if os.fstat(self._patch).st_size < before:
            raise self._error("the file shrank")

    def _error(self, reason: str) -> OSError:
        """The error of a failed write; libsndfile gives no reason, so ask the file system."""
        self._failed = True
        self.frames = self._flushed
        try:
            self._probe()
        except OSError as error:
            return error
        return OSError(errno.EIO, reason)

    def flush(self) -> None:
        """Write the length of what has reached the file into its header."""
        self._file.flush()
        self._flushed = max(0, self.frames // self.BLOCK - 1) * self.BLOCK
        self._write_length(self._flushed)

    def _write_length(self, frames: int) -> None:
        os.lseek(self._patch, self.TOTAL_AT, os.SEEK_SET)
        found = os.read(self._patch, 8)
        if len(found) < 8:  # nothing has reached the file
            return
        word = struct.unpack(">Q", found)[0]
        word = (word >> 36 << 36) | frames
        os.lseek(self._patch, self.TOTAL_AT, os.SEEK_SET)
        os.write(self._patch, struct.pack(">Q", word))

    def close(self) -> None:
        if self._patch < 0:
            return
        try:
            with contextlib.suppress(*self._errors):
                self._file.close()
            if self._failed:
                self._write_length(self._flushed)
        finally:
            os.close(self._patch)
            self._patch = -1

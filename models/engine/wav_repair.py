"""WAV files whose chunks are not as they should be, read as players read them.

Odd chunks without their padding byte, a length of 0 or of all ones that a killed recorder left, a
chunk that says it is longer than the file. Every WAV file is opened under a new header with nothing
but format and data; libsndfile does the rest.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

UNKNOWN: Final = 0xFFFFFFFF
"""Size of a chunk whose length is elsewhere, or was never written."""
SEARCH_BYTES: Final = 1 << 20
"""Where no chunk leads on, the data chunk is searched so far."""
FOLLOWERS: Final = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"fact", b"JUNK", b"cue ", b"smpl", b"PEAK")
"""Chunks that show that a data chunk of size 0 before them is really empty."""
MAX_FORM: Final = 4096
"""Bytes of a format chunk that are kept, at most."""
KNOWN: Final = (b"fmt ", b"data", *FOLLOWERS)


@dataclass(frozen=True)
class _Layout:
    """Format chunk's content, and where the data lie in bytes."""

    form: bytes
    start: int
    size: int


class Spliced(io.RawIOBase):
    """A header and a range of a file, as one file to read."""

    def __init__(self, file: BinaryIO, head: bytes, start: int, size: int) -> None:
        self._file, self._head, self._start = file, head, start
        self._end = len(head) + size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = max(0, min(len(buffer), self._end - self._at))
        if self._at < len(self._head):
            found = self._head[self._at : self._at + count]
        else:
            self._file.seek(self._start + self._at - len(self._head))
            found = self._file.read(count)
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def repaired(path: Path) -> Spliced | None:
    """The file under a header that fits.

    Args:
        path: A file that exists.

    Returns:
        What soundfile can open, for the caller to close; None where the file is no WAV file, and
        where no format or no data are found.

    Raises:
        OSError: The file cannot be read.

    """
    file = path.open("rb")
    layout = _layout(file, path.stat().st_size)
    if layout is None:
        file.close()
        return None
    return Spliced(file, _header(layout.form, layout.size), layout.start, layout.size)


def _layout(file: BinaryIO, length: int) -> _Layout | None:
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
        return None
    at, form, wide = 12, b"", 0
    while at + 8 <= length:
        name, size = _chunk_at(file, at)
        if name == b"data":
            return _data(file, form, at + 8, wide if size == UNKNOWN else size, length)
        if at + 8 + size > length:
            found = _search(file, at + 8)
            if found < 0:
                return None
            at = found
            continue
        if name == b"fmt ":
            file.seek(at + 8)
            form = file.read(min(size, MAX_FORM))
        elif name == b"ds64" and size >= 16:
            file.seek(at + 16)
            wide = int.from_bytes(file.read(8), "little")
        at += 8 + size
        at += size % 2 and _is_padded(file, at)
    return None


def _is_padded(file: BinaryIO, end: int) -> bool:
    """Whether a padding byte follows an odd chunk, rather than the next chunk at once."""
    with_padding, without = _chunk_at(file, end + 1)[0], _chunk_at(file, end)[0]
    if with_padding in KNOWN or without in KNOWN:
        return with_padding in KNOWN
    return _is_name(with_padding) or not _is_name(without)


def _data(file: BinaryIO, form: bytes, start: int, size: int, length: int) -> _Layout | None:
    """The layout, from the place and the size of the data chunk's content."""
    if len(form) < 16 or (size == 0 and _chunk_at(file, start)[0] in FOLLOWERS):
        return None  # without a format, or really empty
    room = length - start
    if size in (0, UNKNOWN) or size > room:
        size = room
    (block,) = struct.unpack_from("<H", form, 12)
    return _Layout(form, start, size - size % max(block, 1))


def _chunk_at(file: BinaryIO, at: int) -> tuple[bytes, int]:
    file.seek(at)
    head = file.read(8)
    return head[:4], int.from_bytes(head[4:8], "little")


def _is_name(name: bytes) -> bool:
    """Whether four bytes are a chunk's name: letters, digits, and spaces at the end."""
    return len(name) == 4 and name.rstrip(b" ").isalnum()


def _search(file: BinaryIO, start: int) -> int:
    """Place of the next data chunk, -1 for none."""
    file.seek(start)
    found = file.read(SEARCH_BYTES).find(b"data")
    return -1 if found < 0 else start + found


def _header(form: bytes, size: int) -> bytes:
    """Everything before the data: RIFF, or RF64 (EBU Tech 3306) where it is too long for that."""
    body = b"fmt " + struct.pack("<I", len(form)) + form + bytes(len(form) % 2)
    total = 4 + len(body) + 8 + size
    if total < UNKNOWN:
        head = b"RIFF" + struct.pack("<I", total) + b"WAVE" + body
        return head + b"data" + struct.pack("<I", size)
    sizes = struct.pack("<QQQI", total + 36, size, 0, 0)
    head = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<I", len(sizes)) + sizes + body
    return head + b"data" + struct.pack("<I", UNKNOWN)

"""MP3 files as a decoder takes them: whole frames of one kind, one after the other.

The decoder (libmpg123) writes lines of its own to the terminal where anything else is between
frames, a large picture, an index that is wrong, or a cut, and that cannot be switched off. Headers
after ISO/IEC 11172-3, section 2.4.1.3, and 13818-3; tags after id3.org, ID3v2.4, section 3.1.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

from models.music.score import SAMPLE_RATE

SEARCH_BYTES: Final = 65536
"""Bytes after the tags in which the first frame must begin."""
LEAST: Final = 3
"""Frames in a row that are no accident."""
_SYNC: Final = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\x10-\xef]", re.DOTALL)
"""11 set bits, a version, a layer, a bit rate."""
_RATES: Final = (44_100, SAMPLE_RATE, 32_000)
_KBITS: Final = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates in thousands by version and layer, from index 1 on."""
_BYTES_FLAG: Final = 2
_FRAMES_FLAG: Final = 1


@dataclass(frozen=True)
class _Frame:
    """Header of a frame: what all frames of a file share, and its length in bytes."""

    kind: tuple[int, int, int, bool]
    length: int
    samples: int


def after_tags(data: bytes) -> int:
    """Place of the first byte after the ID3v2 tags at the beginning."""
    at = 0
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = 0
        for byte in data[at + 6 : at + 10]:  # seven bits a byte
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if data[at + 5] & 0x10 else 0)
    return at


def begins_as_mp3(data: bytes) -> bool:
    """Whether bytes begin with frames, or with a tag and then frames."""
    at = after_tags(data)
    return _run(data, at, LEAST) if at < len(data) else False


def whole_frames(data: bytes, seconds: float | None = None) -> bytes:
    """The whole frames of a file, and nothing else.

    Args:
        data: The file's bytes.
        seconds: About how much of it is needed; None for all.

    Returns:
        Frames of the first one's kind, those that are cut or damaged left out; empty where there
        are fewer than `LEAST` of them.

    """
    at = _first(data)
    if at < 0:
        return b""
    first = _frame(data, at)
    assert first is not None
    pieces: list[bytes] = []
    wanted = None if seconds is None else seconds * first.kind[2] / first.samples + 2
    while at < len(data) and (wanted is None or len(pieces) < wanted):
        frame = _frame(data, at)
        if frame is None or frame.kind != first.kind:
            at = _next(data, at + 1, first.kind)
            if at < 0:
                break
            continue
        if at + frame.length > len(data):
            break
        pieces.append(data[at : at + frame.length])
        at += frame.length
    if len(pieces) < LEAST:
        return b""
    pieces[0] = _indexed(pieces[0], first, len(pieces) - 1, sum(map(len, pieces)))
    return b"".join(pieces)


def _first(data: bytes) -> int:
    start = after_tags(data)
    for found in _SYNC.finditer(data, start, start + SEARCH_BYTES):
        if _run(data, found.start(), LEAST):
            return found.start()
    return -1


def _next(data: bytes, start: int, kind: tuple[int, int, int, bool]) -> int:
    """Place of the next two frames in a row of a kind; -1 for none."""
    for found in _SYNC.finditer(data, start):
        frame = _frame(data, found.start())
        if frame is not None and frame.kind == kind and _run(data, found.start(), 2):
            return found.start()
    return -1


def _run(data: bytes, at: int, count: int) -> bool:
    """Whether so many frames of one kind begin one after the other; the last may be cut."""
    kind = None
    for _ in range(count):
        frame = _frame(data, at)
        if frame is None or (kind is not None and frame.kind != kind):
            return False
        kind = frame.kind
        at += frame.length
    return True


def _frame(data: bytes, at: int) -> _Frame | None:
    """The frame whose header begins there."""
    if not _SYNC.match(data, at) or at + 4 > len(data):
        return None
    second, third, fourth = data[at + 1 : at + 4]
    version = {3: 1, 2: 2, 0: 4}[second >> 3 & 3]  # 4 stands for 2.5
    layer = 4 - (second >> 1 & 3)
    if third >> 2 & 3 == 3:
        return None
    rate = _RATES[third >> 2 & 3] // version
    bits = 1000 * _KBITS[min(version, 2), layer][(third >> 4) - 1]
    padding = third >> 1 & 1
    if layer == 1:
        samples, length = 384, (12 * bits // rate + padding) * 4
    else:
        samples = 1152 if layer == 2 or version == 1 else 576
        length = samples // 8 * bits // rate + padding
    return _Frame((version, layer, rate, fourth >> 6 == 3), length, samples)


def _indexed(piece: bytes, frame: _Frame, frames: int, size: int) -> bytes:
    """The first frame; where it is an index ("Xing", "Info") with the true length in it."""
    side = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}
    at = 4 + side[frame.kind[0] == 1, frame.kind[3]]
    if piece[at : at + 4] not in (b"Xing", b"Info") or at + 16 > len(piece):
        return piece
    (flags,) = struct.unpack_from(">I", piece, at + 4)
    new, place = bytearray(piece), at + 8
    for flag, value in ((_FRAMES_FLAG, frames), (_BYTES_FLAG, size)):
        if flags & flag:
            struct.pack_into(">I", new, place, value)
            place += 4
    return bytes(new)

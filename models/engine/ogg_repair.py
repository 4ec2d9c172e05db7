"""Ogg files that end in the middle of a page, with what is whole of that page.

libogg drops a page that is cut, and a page may be a second long: a short file would be empty. The
packets that are there are put into a page of their own. After RFC 3533, section 6.
"""

from __future__ import annotations

import struct
from typing import Final

PAGE_HEADER: Final = 27
MAX_PAGE: Final = PAGE_HEADER + 255 + 255 * 255
_END_OF_STREAM: Final = 4
_POLYNOMIAL: Final = 0x04C11DB7


def with_whole_end(data: bytes) -> bytes:
    """The file; where its last page is cut, with the packets that are whole as the last page.

    Args:
        data: Bytes of an Ogg file.

    Returns:
        Bytes of an Ogg file; `data` itself where nothing is cut, or nothing of the page is whole.

    """
    at = data.rfind(b"OggS", max(0, len(data) - MAX_PAGE))
    if at < 0 or at + PAGE_HEADER > len(data):
        return data
    count = data[at + PAGE_HEADER - 1]
    table = data[at + PAGE_HEADER : at + PAGE_HEADER + count]
    begin = at + PAGE_HEADER + count
    if begin + sum(table) <= len(data):
        return data
    whole, size, passed = 0, 0, 0
    for number, length in enumerate(table, 1):
        passed += length
        if begin + passed > len(data):
            break
        if length < 255:  # the last piece of a packet
            whole, size = number, passed
    if not whole:
        return data
    head = bytearray(data[at : at + PAGE_HEADER])
    head[5] |= _END_OF_STREAM
    if b"OpusHead" in data[:64]:
        head[6:14] = struct.pack("<q", _granule(data, at, table, whole))
    head[22:26] = bytes(4)
    head[26] = whole
    page = head + table[:whole] + data[begin : begin + size]
    struct.pack_into("<I", page, 22, _checksum(page))
    return data[:at] + bytes(page)


def _granule(data: bytes, at: int, table: bytes, whole: int) -> int:
    """Samples up to the end of a page's first `whole` pieces, of packets of one duration.

    A decoder of Opus refuses a page that says more than it holds.
    """
    before = data.rfind(b"OggS", 0, at)
    begin = struct.unpack_from("<q", data, before + 6)[0] if before >= 0 else 0
    end: int = struct.unpack_from("<q", data, at + 6)[0]
    packets, left = (sum(length < 255 for length in part) for part in (table, table[:whole]))
    return begin + (end - begin) * left // packets


def _checksum(page: bytes | bytearray) -> int:
    total = 0
    for byte in page:
        total = (total << 8 & 0xFFFFFFFF) ^ _TABLE[total >> 24 ^ byte]
    return total


def _row(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1) ^ (_POLYNOMIAL if value & 0x80000000 else 0)
    return value & 0xFFFFFFFF


_TABLE: Final = tuple(_row(byte) for byte in range(256))

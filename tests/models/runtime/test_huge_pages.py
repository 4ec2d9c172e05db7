"""Which memory goes to huge pages, and that its contents stay."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from models.runtime.huge_pages import PAGE_BYTES, dense_blocks, use_huge_pages

MB = 1 << 20


def block(begin: int, size: int, rights: str, inode: int, name: str, rss: int) -> str:
    """Entry of smaps; sizes in MB."""
    header = f"{begin * MB:x}-{(begin + size) * MB:x} {rights} 00000000 00:00 {inode}"
    return (
        f"{header.ljust(73)} {name}".rstrip() + f"\nSize: {size * 1024} kB\nRss: {rss * 1024} kB\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (block(100, 50, "rw-p", 0, "", 50), [(100, 150)]),
        (block(101, 50, "rw-p", 0, "[heap]", 46), [(102, 150)]),  # whole huge pages only
        (block(100, 50, "rw-p", 0, "", 40), []),  # a stack: mostly not in use
        (block(100, 50, "r--p", 0, "", 50), []),
        (block(100, 50, "rw-s", 0, "", 50), []),  # shared with another process
        (block(100, 50, "rw-p", 71, "/lib/libtorch.so", 50), []),
        (block(100, 8, "rw-p", 0, "[stack]", 8), []),
        (block(101, 2, "rw-p", 0, "", 2), []),  # no whole huge page in it
        (
            block(100, 2, "rw-p", 0, "", 2) + block(200, 4, "rw-p", 0, "", 4),
            [(100, 102), (200, 204)],
        ),
        ("", []),
    ],
)
def test_dense_private_memory_is_chosen(text: str, expected: list[tuple[int, int]]) -> None:
    assert list(dense_blocks(text)) == [(begin * MB, end * MB) for begin, end in expected]


def test_contents_stay() -> None:
    weights = np.arange(4 * PAGE_BYTES, dtype=np.uint32)
    before, address = weights.copy(), weights.ctypes.data
    moved = use_huge_pages()
    assert np.array_equal(weights, before) and weights.ctypes.data == address
    assert moved >= 0 and moved % PAGE_BYTES == 0
    if sys.platform != "linux":
        assert moved == 0

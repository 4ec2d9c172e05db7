"""Audio blocks of unusual lengths, seen in the times at which MIDI clocks arrived.

Audio servers and drivers also run with blocks that are no power of two: 96, 192, 441, 480, 1536
frames. Times on their grid differ from even clocks and from bursts in two ways: nearly all gaps are
whole numbers of blocks, and how many blocks lie between two groups of clocks, or how many clocks in
a group, is not always the same.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt

from models.music.score import SAMPLE_RATE

Floats = npt.NDArray[np.float64]

SHORTEST: Final = 256 / SAMPLE_RATE
LONGEST: Final = 2048 / 44_100 + 1e-4
"""Blocks that are looked for, in seconds: shorter ones are short beside a clock."""
TOGETHER: Final = 0.001
"""Seconds within which clocks count as arrived together."""
CLUSTER_JUMP: Final = 0.0003
CLUSTER_SHARE: Final = 0.02
"""Gaps are of one kind if none differs more from the next in length, in seconds, and a kind counts
from this share of them on."""
PARTS: Final = 4
"""Blocks between two groups at most, where all are as many."""
LEAST_GROUPS: Final = 16
EVIDENCE: Final = ((0.0004, 0.9, 0.12), (0.0001, 0.97, 0.03))
"""Either is enough: share of gaps [second] that are whole numbers of blocks within so many seconds
[first], and share of groups [third] that are unlike most others."""


def unusual_block(gaps: Floats) -> float:
    """Length of the audio block of any size to which times are rounded.

    Args:
        gaps: Seconds between clocks, as they arrived.

    Returns:
        Seconds; 0.0 where there is too little evidence of one.

    """
    apart = np.flatnonzero(gaps > TOGETHER)
    if len(apart) < LEAST_GROUPS:
        return 0.0
    wide, sizes = gaps[apart], np.diff(apart)
    found = 0.0
    for length in _candidates(wide):
        block = length
        for _ in range(2):
            blocks = np.maximum(np.round(wide / block), 1.0)
            block = float(wide.sum() / blocks.sum())
        if found < block <= LONGEST and block >= SHORTEST and _is_evident(gaps, block, sizes):
            found = block
    return found


def _candidates(wide: Floats) -> list[float]:
    """Lengths in seconds that a block may have. wide: gaps between groups."""
    ordered = np.sort(wide)
    kinds = np.split(ordered, np.flatnonzero(np.diff(ordered) > CLUSTER_JUMP) + 1)
    usual = [float(np.median(kind)) for kind in kinds if len(kind) >= CLUSTER_SHARE * len(wide)]
    if not usual:
        return []
    parts = [usual[0] / part for part in range(1, PARTS + 1)]
    return [*parts, *(float(step) for step in np.diff(usual[:2]))]


def _is_evident(gaps: Floats, block: float, sizes: npt.NDArray[np.int64]) -> bool:
    """Whether gaps tell of a block. sizes: clocks in each group but the first and the last."""
    blocks = np.round(gaps / block)
    off = np.abs(gaps - blocks * block)
    between = blocks[gaps > TOGETHER][1:].astype(int)
    kinds = Counter(zip(between.tolist(), sizes.tolist(), strict=True))
    unlike = 1.0 - max(kinds.values()) / len(sizes)
    return any(
        float(np.mean(off < within)) >= share and unlike >= others
        for within, share, others in EVIDENCE
    )

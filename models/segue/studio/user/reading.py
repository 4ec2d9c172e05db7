"""Samples of an instrument, read within a bounded memory: a large one keeps fewer of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from models.errors import SegueError
from models.segue.studio.user.regions import RegionSpec, UserFile, WaveSource

MEMORY: Final = 192_000_000
"""Bytes of the samples of one instrument."""
PLANS: Final = ((8, 20.0), (4, 12.0), (3, 8.0), (2, 6.0), (1, 5.0), (1, 3.0), (1, 1.5))
"""Velocity layers and seconds that are kept; the first that fits."""


def read_within_memory(
    file: UserFile,
) -> tuple[list[RegionSpec], dict[str, WaveSource], list[str]]:
    """Regions that are kept, their samples, and what must be said of those that are not."""
    plan = 0
    kept = _thinned(file.regions, PLANS[0][0])
    read: dict[str, WaveSource] = {}
    failed: dict[str, str] = {}
    total, index = 0, 0
    while index < len(kept):
        source = kept[index].source
        index += 1
        if source in read or source in failed:
            continue
        try:
            found = file.read(source, PLANS[plan][1])
        except SegueError as error:
            failed[source] = str(error)
            continue
        read[source] = found
        total += found.sound.nbytes
        while total > MEMORY and plan + 1 < len(PLANS):
            plan += 1
            layers, seconds = PLANS[plan]
            done = set(read) | set(failed)
            kept = _thinned(file.regions, layers)
            index = 0
            needed = {spec.source for spec in kept}
            read = {s: _shorter(w, seconds) for s, w in read.items() if s in needed}
            failed = {s: text for s, text in failed.items() if s in needed and s in done}
            total = sum(w.sound.nbytes for w in read.values())
        if total > MEMORY:
            raise SegueError(
                f"{file.name} needs more than {MEMORY // 1_000_000} MB: give a smaller instrument."
            )
    kept = [
        s for s in kept if s.source in read and float(np.abs(read[s.source].sound).max()) > 1e-5
    ]
    if not kept:
        reason = next(iter(failed.values()), f"{file.name} is silent: give samples that sound.")
        raise SegueError(reason)
    remarks = []
    if failed:
        remarks.append(f"{len(failed)} of its samples cannot be read")
    if plan:
        remarks.append(
            f"it is large: {PLANS[plan][0]} velocity layers and {PLANS[plan][1]:g} s of each "
            "sample are kept"
        )
    return kept, read, remarks


def _shorter(source: WaveSource, seconds: float) -> WaveSource:
    count = int(seconds * source.rate)
    if len(source.sound) <= count:
        return source
    loop = source.loop if source.loop and source.loop[1] <= count else None
    return source._replace(sound=source.sound[:count].copy(), loop=loop)


def _thinned(specs: Iterable[RegionSpec], layers: int) -> list[RegionSpec]:
    """Regions with so many velocity layers and takes at the most on each key."""
    by_keys: dict[tuple[int, int], list[RegionSpec]] = {}
    for spec in specs:
        by_keys.setdefault(spec.keys, []).append(spec)
    kept: list[RegionSpec] = []
    for own in by_keys.values():
        spans = sorted({spec.velocities for spec in own})
        if len(spans) > layers:
            # Counted from the middle of each share, so that one layer is neither soft nor loudest.
            spans = [spans[int((i + 0.6) * len(spans) / layers)] for i in range(layers)]
        kept += [s for s in own if s.velocities in spans and s.sequence[1] <= max(layers, 1)]
    return kept

"""Routes: which part goes to which pair of channels, beside the mix on the first two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from models.errors import SegueError
from models.music.score import PARTS

Routes = tuple[tuple[str, int], ...]
"""(part, number of the left channel, from 1) in the order of the parts."""

FIRST: Final = 3
MAX_CHANNEL: Final = 64


def routes_of(table: Mapping[str, int]) -> Routes:
    """Routes of a table part -> left channel; 0 for none.

    Raises:
        SegueError: a part that does not exist, or a channel that is the mix's.

    """
    strange = sorted(set(table) - set(PARTS))
    if strange:
        raise SegueError(f"there is no part '{strange[0]}': choose from {', '.join(PARTS)}.")
    for part, channel in table.items():
        if channel and not FIRST <= channel < MAX_CHANNEL:
            raise SegueError(
                f"{part} cannot go to channel {channel}: the mix is on 1 and 2, choose {FIRST} or "
                "more."
            )
    return tuple((part, table[part]) for part in PARTS if table.get(part))


def channels_of(routes: Routes) -> int:
    """Channels that a device must have for all of them."""
    return max([2, *(first + 1 for _, first in routes)])


def fitting(routes: Routes, channels: int) -> Routes:
    """Those for which a device has the channels."""
    return tuple((part, first) for part, first in routes if first + 1 <= channels)


def lacking_sentence(routes: Routes, device: str, channels: int) -> str:
    """What is said of parts for which a device lacks channels; '' where it lacks none."""
    lost = [part for part, first in routes if first + 1 > channels]
    if not lost:
        return ""
    return (
        f"{device} has {channels} channels: {', '.join(lost)} can be heard in the mix only; choose "
        "other outputs for the parts in the settings."
    )


def port_names(routes: Routes, channels: int) -> list[str]:
    """Names of a device's channels: the parts on each; '' where nothing is."""
    names = [["mix"], ["mix"], *([] for _ in range(channels - 2))]
    for part, first in routes:
        for channel in (first - 1, first):
            names[channel].append(part)
    sides = [_side(channel, routes) for channel in range(channels)]
    return [
        f"{'+'.join(parts)} {side}" if parts else ""
        for parts, side in zip(names, sides, strict=True)
    ]


def _side(channel: int, routes: Iterable[tuple[str, int]]) -> str:
    """Whether a channel, from 0, is a pair's left or right; of both, its number."""
    if channel < 2:
        return "LR"[channel]
    sides = {channel + 1 - first for _, first in routes if 0 <= channel + 1 - first < 2}
    return str(channel + 1) if len(sides) > 1 else "LR"[min(sides, default=0)]

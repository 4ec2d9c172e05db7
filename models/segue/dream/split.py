"""Split of a mastered block into the parts that dream and those that do not. Pure.

The master is filters and gains that move slowly, so the share of some parts is their own sound
through the same filters, with the gain that the whole mix got. What a tape, a drive or a crusher
adds to the mix stays with the parts that do not dream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.segue.studio.block import BLOCK, Planes
from models.segue.studio.dynamics import AHEAD, line
from models.segue.studio.filters import FilterState, filter_of
from models.segue.studio.master import MasterState, tone_sections

HOP: Final = 96
"""Samples over which the master's gain is measured."""
FAINT: Final = 1e-9


@dataclass(frozen=True)
class SplitState:
    """State of a split; immutable. Field names are stored in files.

    Attributes:
        shares: of each part in what dreams, 0 or 1, at the block's end; all before the first.
        filters: states of the filters of the whole mix and of what dreams.
        tails: their ends, by which the master is late, (2, 2, AHEAD).
        gain: of the master at the block's end.
        used: whether the filters know the sound; where not, all of the mix dreams.

    """

    shares: tuple[float, ...] = ()
    filters: tuple[FilterState, FilterState] | None = None
    tails: Planes | None = None
    gain: float = 0.0
    used: bool = False


def dreaming_share(
    mix: Planes,
    stems: Sequence[Planes],
    dreaming: Sequence[bool],
    master: MasterState,
    state: SplitState,
) -> tuple[Planes, SplitState | None]:
    """The share of the parts that dream in a mastered block.

    Args:
        mix: the block behind the master, (2, BLOCK).
        stems: the parts before it, (2, BLOCK) each; they sum to what went in.
        dreaming: whether each part dreams.
        master: state of the master after the block.
        state: of the block before.

    Returns:
        (2, BLOCK), and the state after it; None once all parts dream again.

    """
    before, now = state.shares or (1.0,) * len(stems), tuple(map(float, dreaming))
    both = np.zeros((2, 2, BLOCK), np.float32)
    for stem, then, after in zip(stems, before, now, strict=True):
        both[0] += stem
        if then or after:
            both[1] += stem * line(then, after, BLOCK)
    tone = filter_of(tone_sections(master.production, master.brightness))
    filters = [tone.resumed(f) for f in state.filters or (None, None)]
    made, kept = zip(*(tone.run(x, f) for x, f in zip(both, filters, strict=True)), strict=True)
    tails = np.zeros((2, 2, AHEAD), np.float32) if state.tails is None else state.tails
    joined = np.concatenate([tails, np.stack(made)], axis=2)
    whole, some = (_widened(x, master.production.width) for x in joined[..., :BLOCK])
    gain, last = _gain(mix, whole, state.gain)
    share = some * gain
    awake = all(now)
    edges = (float(state.used), float(not awake))
    if edges != (1.0, 1.0):  # all of the mix dreams before the first block and after the last
        share = mix + (share - mix) * line(*edges, BLOCK)
    if awake:
        return share, None
    return share, SplitState(now, (kept[0], kept[1]), joined[..., BLOCK:].copy(), last, True)


def _gain(mix: Planes, whole: Planes, before: float) -> tuple[NDArray[np.float32], float]:
    """The master's gain (BLOCK,), and its last value, from what came out and what went in."""
    out, into = (np.square(x).sum(axis=0).reshape(-1, HOP).sum(axis=1) for x in (mix, whole))
    gains = np.sqrt(out / (into + FAINT))
    edges = np.concatenate([[before], gains])
    at = np.arange(BLOCK, dtype=np.float32) / HOP + np.float32(0.5)
    return np.interp(at, np.arange(len(edges)), edges).astype(np.float32), float(gains[-1])


def _widened(x: Planes, width: float) -> Planes:
    """A sound (2, n) with the master's width."""
    middle, aside = (x[0] + x[1]) * 0.5, (x[0] - x[1]) * (0.5 * width)
    return np.stack([middle + aside, middle - aside]).astype(np.float32)

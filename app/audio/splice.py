"""Splicing of rendered blocks into the plan without clicks.

`PlanWriter.write` distinguishes three cases at the start of a block:

* it continues the block written last: no fade;
* it replaces what was planned there: a crossfade at its first frame, or later within it where the
  reader has come too close;
* nothing is planned there, as the plan ran dry: a fade in.

Behind a block that replaces part of the plan, the rest of the old plan stays as a reserve in case
the engine stalls: the block's last frames are crossfaded into it. When the next block comes in
time, those frames are restored first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.audio import fades as fade
from app.audio.ring import PlanRing

Samples = NDArray[np.float32]

LATE: Final = "late"
WAIT: Final = "wait"
WRITTEN: Final = "written"

APPENDED: Final = "appended"  # behind the block written last
RESTORED: Final = "restored"  # the same, where that had been crossfaded into the reserve
CROSSFADED: Final = "crossfaded"  # with what was planned there
FADED_IN: Final = "faded in"  # behind a plan that had been played to its end
REPLACED: Final = "replaced"  # behind a plan that fades out before it


@dataclass(frozen=True)
class WriteResult:
    """Result of writing a block.

    outcome: WRITTEN; LATE where the reader has come too close to its end and nothing was written;
    WAIT where the plan is running dry: try again in a few milliseconds. join: first position at
    which the block sounds. faded: frames of the fade there. jump: whether it clicks (`edge`).
    seam: how it came in. reserve: its last frames, crossfaded into an older plan behind it.
    """

    outcome: str
    join: int = 0
    faded: int = 0
    jump: bool = False
    seam: str = ""
    reserve: int = 0


class PlanWriter:
    """Writer of blocks into a plan.

    margin: frames ahead of the reader that are not rewritten; 0 while it is silent. reading: frames
    that it takes at a time.
    """

    def __init__(self, ring: PlanRing, fade_frames: int = 720, margin: int = 1536) -> None:
        self.ring = ring
        self.fade = fade_frames
        self.margin = margin
        self.reading = 0
        self._last_stop = -1  # end of the block written last
        self._tail: Samples | None = None  # its last frames, where they were faded into the reserve

    def forget(self) -> None:
        """Forget the block written last, as the plan was cut."""
        self._last_stop = -1
        self._tail = None

    def write(
        self,
        start: int,
        block: Samples,
        follows: bool,
        fade: int | None = None,
        earliest: int = 0,
    ) -> WriteResult:
        """Write a block at a position. Raises ValueError where it would leave a gap.

        Args:
            start: plan position of its first frame.
            block: float32 (n, channels); a `StemRing` takes stems after the mix.
            follows: it continues the block written last, which ends at `start`.
            fade: frames of the crossfade, if there must be one.
            earliest: first position within the block at which it may take over.

        """
        ring = self.ring
        length = min(self.fade if fade is None else fade, max(1, len(block) // 2))
        follows = follows and start == self._last_stop
        if follows and self._tail is None and start == ring.end:
            jump = self._edge(start, block)
            ring.append(block)
            return self._set_last(start, block, WriteResult(WRITTEN, start, 0, jump, APPENDED))
        if follows and self._tail is not None:
            begin = start - len(self._tail)
            if begin >= ring.read + self.margin:
                whole = np.concatenate([self._tail, block])
                reserve = self._put(begin, whole, start + len(block))
                if reserve is not None:
                    jump = self._edge_at(start)
                    done = WriteResult(WRITTEN, start, 0, jump, RESTORED, reserve)
                    return self._set_last(begin, whole, done)
        return self._join(start, block, length, earliest)

    def _join(self, start: int, block: Samples, length: int, earliest: int) -> WriteResult:
        ring = self.ring
        end = ring.end
        floor = ring.read + self.margin
        join = max(start, floor, earliest)
        if join + length <= min(end, start + len(block)):  # there is enough of the old plan
            cut = join - start
            old = ring.copy(join, join + length)
            new = block[cut:].copy()
            new[:length] = fade.crossfade(old, block[cut : cut + length])
            reserve = self._put(join, new, start + len(block))
            if reserve is None:
                return WriteResult(LATE)
            done = WriteResult(WRITTEN, join, length, self._edge_at(join), CROSSFADED, reserve)
            return self._set_last(join, new, done)
        if start + len(block) - end < 2 * length:
            return WriteResult(LATE)
        # The plan ends before the block has taken over: the old fades out, the new fades in.
        fade_start = end - length
        seam = REPLACED
        if ring.depth == 0:
            ring.append(fade.fade_in(block[end - start :], length))
            seam = FADED_IN
        elif fade_start >= floor:
            old = fade.fade_out(ring.copy(fade_start, end), length)
            new = fade.fade_in(block[end - start :], length)
            if not ring.rewrite(fade_start, np.concatenate([old, new]), self._reading):
                return WriteResult(LATE)
        else:
            return WriteResult(WAIT)
        return self._set_last(start, block, WriteResult(WRITTEN, end, length, seam=seam))

    def _put(self, start: int, frames: Samples, stop: int) -> int | None:
        """Rewrite the plan, with a crossfade into the reserve behind; its length, None if late."""
        ring = self.ring
        reserve = min(self.fade, ring.end - stop, len(frames))
        if reserve > 0:
            behind = ring.copy(stop - reserve, stop)
            frames = frames.copy()
            frames[-reserve:] = fade.crossfade(frames[-reserve:], behind)
        return max(0, reserve) if ring.rewrite(start, frames, self._reading) else None

    @property
    def _reading(self) -> int:
        return min(self.reading, self.margin)

    def _set_last(self, start: int, block: Samples, result: WriteResult) -> WriteResult:
        """Remember a block that was written, as it is without a reserve behind it; its result."""
        stop = start + len(block)
        self._last_stop = stop
        reserve = min(self.fade, self.ring.end - stop, len(block))
        self._tail = block[-reserve:].copy() if reserve > 0 else None
        return result

    def _edge(self, start: int, block: Samples) -> bool:
        ring = self.ring
        if start - ring.read < 0 or start < SPAN:
            return False
        return edge(ring.copy(start - SPAN, start)[:, :2], block[:SPAN, :2])

    def _edge_at(self, position: int) -> bool:
        ring = self.ring
        stop = min(position + SPAN, ring.end)
        if position < SPAN or stop - position < 8:
            return False
        around = ring.copy(position - SPAN, stop)[:, :2]
        return edge(around[:SPAN], around[SPAN:])


SPAN: Final = 480


def edge(before: Samples, after: Samples, ratio: float = 4.0, floor: float = 0.01) -> bool:
    """Whether there is a click between two pieces of sound (n, channels).

    The second difference at the seam is compared with the largest around it. floor: smaller jumps,
    as a part of full scale, are inaudible and not counted.
    """
    if len(before) < 4 or len(after) < 4:
        return False
    bend = np.abs(np.diff(np.concatenate([before, after]).astype(np.float64), n=2, axis=0))
    seam = len(before) - 2  # the second differences seam and seam + 1 span the seam
    here = float(bend[seam : seam + 2].max())
    around = float(np.concatenate([bend[: seam - 1], bend[seam + 3 :]]).max(initial=0.0))
    return here > floor and here > ratio * around

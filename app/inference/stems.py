"""Stems of the plan: switched on while somebody records them.

What is planned already has none then: `StemFill` renders those blocks again from their snapshots,
which gives the same sound, and stores their stems, the next to be heard first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import numpy as np

from app.audio.stem_delay import StemDelay
from app.audio.stem_ring import StemRing
from app.inference.plan import BlockPlan, PlannedBlock
from models.engine.interface import Audio, EngineInfo, Snapshot, Stream
from models.errors import BlockPendingError

TAILS: Final = 256
"""Places in the stream whose delay lines are known: more than a plan has blocks."""


class StemRenderer:
    """Stems beside the blocks of a stream, (n, 2 + 2 * parts), while `on`."""

    def __init__(self, info: EngineInfo) -> None:
        self.on = False
        self.users: set[str] = set()
        """Who wants them."""
        self.parts, self.block_frames = info.parts, info.block_frames
        self._delay = StemDelay(info.parts, info.stems_lead)
        self._tails: OrderedDict[int, tuple[Snapshot, Audio | None]] = OrderedDict()

    @property
    def channels(self) -> int:
        """Channels of the stems."""
        return self._delay.channels

    def beside(self, block: Audio, stream: Stream, before: Snapshot) -> Audio:
        """A block that a stream has rendered from `before`, with its stems beside it."""
        if not self.on or not self.parts:
            return block
        known = self._tails.get(id(before))
        self._delay.tail = known[1] if known is not None and known[0] is before else None
        stems = self._delay.push(stream.stems)
        self.know(stream.snapshot())
        return np.concatenate([block, stems], axis=1)

    def know(self, snapshot: Snapshot) -> None:
        """Note that a snapshot is of the place that the last stems lead to."""
        self._tails[id(snapshot)] = (snapshot, self._delay.tail)
        while len(self._tails) > TAILS:
            self._tails.popitem(last=False)

    def forget(self) -> None:
        """Forget the places in the stream, as stems are off."""
        self._tails.clear()


class StemFill:
    """Stems of blocks that were planned without; one block a step."""

    def __init__(self, renderer: StemRenderer, plan: BlockPlan, ring: StemRing) -> None:
        self._renderer, self._plan, self._ring = renderer, plan, ring
        self._block_frames = renderer.block_frames
        self._blocks = [*plan.recent, *plan.blocks]

    def step(self, stream: Stream) -> bool:
        """Render one block again and leave the stream as it was. False where none is left."""
        while self._blocks:
            block = self._still_planned(self._blocks.pop(0))
            if block is None or block.controls is None:
                continue
            here = stream.snapshot()
            try:
                stream.restore(block.snapshot)
                wide: list[Audio] = []
                hearing = block.hearing
                while sum(map(len, wide)) < block.skip + block.frames:
                    before = stream.snapshot()
                    stream.hear(hearing)
                    hearing = hearing and hearing.later(self._block_frames)
                    wide.append(
                        self._renderer.beside(stream.render(block.controls), stream, before)
                    )
                whole = np.concatenate(wide)[block.skip :, 2:]
                self._ring.fill(block.position, whole[: block.frames])
                if len(whole) == block.frames:
                    self._lead_on(block.stop, here)
            except BlockPendingError:
                self._blocks.insert(0, block)
            finally:
                stream.restore(here)
            return True
        return False

    def _lead_on(self, position: int, here: Snapshot) -> None:
        """Note that the block which begins at a position, or the next one, follows."""
        following = self._plan.at(position)
        if following is not None and following.position == position and not following.skip:
            self._renderer.know(following.snapshot)
        elif position == self._plan.head:
            self._renderer.know(here)

    def _still_planned(self, block: PlannedBlock) -> PlannedBlock | None:
        """The block as it is in the plan now; None where another has replaced it."""
        for planned in (*self._plan.recent, *self._plan.blocks):
            if planned.position == block.position and planned.snapshot is block.snapshot:
                return planned
        return None


def switch_stems(
    renderer: StemRenderer,
    plan: BlockPlan,
    ring: StemRing,
    on: bool,
    user: str = "take",
    filling: StemFill | None = None,
) -> StemFill | None:
    """Switch stems on or off for a user; they are on while anybody wants them.

    filling: what is being filled in. Returns what is to be filled in then.
    """
    renderer.users = renderer.users | {user} if on else renderer.users - {user}
    wanted = bool(renderer.users) and bool(renderer.parts)
    if wanted == renderer.on:
        return filling
    renderer.forget()
    renderer.on = wanted
    ring.enable(renderer.channels if renderer.on else 0)
    return StemFill(renderer, plan, ring) if renderer.on else None

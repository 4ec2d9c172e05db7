"""Handover of sessions between servers: what is kept outside of them, and how to go on from it.

Blocks are a function of a snapshot and the controls. So it is enough to keep a snapshot now and
then, and of each block since then where it began and under which controls: another server renders
those blocks again, silently, and has the very snapshot that the client asks for. Pure logic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from models.engine.controls import Controls
from models.engine.interface import Engine, Snapshot
from models.remote.protocol.messages import Place
from models.storage.serialisation import PackedState

REPLAY_SECONDS: Final = 0.3
"""Rendering after which a snapshot is kept: what a handover takes, at most."""
PACK_SHARE: Final = 0.04
"""Share of the time that may go into packing snapshots."""
MAX_STEPS: Final = 4096
MAX_ANCHORS: Final = 12
MAX_BYTES: Final = 128_000_000


@dataclass(frozen=True)
class Step:
    """A block: it led from a place, under controls, to the snapshot `number`."""

    number: int
    place: Place
    controls: Controls


@dataclass(frozen=True)
class KeptSnapshot:
    """A snapshot in a form for other servers."""

    number: int
    packed: PackedState


@dataclass(frozen=True)
class Route:
    """How to come to snapshot `number`: from an anchor, None for a start, by steps."""

    number: int
    anchor: KeptSnapshot | None
    steps: tuple[Step, ...]


class SessionRecord:
    """Record of a session. last: the highest number of a snapshot."""

    def __init__(self) -> None:
        self.last = 0
        self._steps: dict[int, Step] = {}
        self._anchors: dict[int, KeptSnapshot] = {}
        self._bytes = 0

    def add(self, entry: Step | KeptSnapshot) -> None:
        """Add a step or an anchor; the oldest ones go where there are too many."""
        self.last = max(self.last, entry.number)
        if isinstance(entry, Step):
            self._steps[entry.number] = self._shared(entry)
            while len(self._steps) > MAX_STEPS:
                del self._steps[next(iter(self._steps))]
            return
        self._anchors[entry.number] = entry
        self._bytes += entry.packed.nbytes
        while len(self._anchors) > MAX_ANCHORS or (
            self._bytes > MAX_BYTES and len(self._anchors) > 2
        ):
            older = list(self._anchors)[: max(2, len(self._anchors) // 2)]
            for number in older[::2]:
                self._bytes -= self._anchors.pop(number).packed.nbytes

    def _shared(self, step: Step) -> Step:
        """The step, with the very controls of the one before it where they are equal."""
        before = self._steps.get(step.place.snapshot or 0)
        if before is None or before.controls != step.controls:
            return step
        return Step(step.number, step.place, before.controls)

    def route(self, number: int) -> Route | None:
        """How to come to a snapshot, or the nearest one before it; None where that is unknown."""
        steps: list[Step] = []
        at: int | None = number
        while at is not None and at not in self._anchors:
            step = self._steps.get(at)
            if step is None or (step.place.snapshot or 0) >= at:
                earlier = [known for known in self._anchors if known < number]
                return Route(max(earlier), self._anchors[max(earlier)], ()) if earlier else None
            steps.append(step)
            at = step.place.snapshot
        return Route(number, None if at is None else self._anchors[at], tuple(reversed(steps)))


def follow(engine: Engine, route: Route) -> Snapshot:
    """The snapshot at the end of a route. SegueError where its anchor is of another model."""
    if route.anchor is None:
        stream = engine.start(route.steps[0].place.seed)
    else:
        stream = engine.start()
        stream.restore(engine.unpack(route.anchor.packed))
    for step in route.steps:
        if step.place.clear:
            stream.clear()
        stream.render(step.controls)
    return stream.snapshot()


class SessionRecorder:
    """Writes what a session renders. Used by the session's thread, `keep` by any."""

    def __init__(
        self,
        write: Callable[[Step | KeptSnapshot], object],
        pack: Callable[[Snapshot], PackedState | None],
        clock: Callable[[], float],
    ) -> None:
        """write: takes what is kept outside, without waiting. clock: seconds."""
        self._write, self._pack, self._clock = write, pack, clock
        self._rendered, self._spacing = 0.0, REPLAY_SECONDS

    def rendered(self, step: Step, snapshot: Snapshot, seconds: float) -> None:
        """Write a block that took so long, and, where it is time, the snapshot after it."""
        self._write(step)
        self._rendered += seconds
        if self._rendered >= self._spacing:
            self.keep(step.number, snapshot)

    def keep(self, number: int, snapshot: Snapshot) -> None:
        """Write a snapshot."""
        began = self._clock()
        packed = self._pack(snapshot)
        if packed is not None:
            self._write(KeptSnapshot(number, packed))
        took = self._clock() - began
        self._rendered, self._spacing = 0.0, max(REPLAY_SECONDS, took / PACK_SHARE)


class SessionKeeper(Protocol):
    """What keeps the records of sessions outside of a server."""

    async def claim(self, key: str) -> SessionRecord | None:
        """The record of a session that another server had and this one has from now on; None where
        it is this one's already, or where nobody knows it.
        """

    def write(self, key: str, entry: Step | KeptSnapshot) -> None:
        """Keep an entry, without waiting; ignored where another server has the session now."""

    def forget(self, key: str) -> None:
        """Forget a session that this server has ended."""

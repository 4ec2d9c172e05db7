"""Batches of context audio, put together from packets that may come late, twice or not at all.

Pure logic: time is given. A batch is closed when all of it is there, when a packet of a newer one
comes, or when it has been silent for too long: five times the mean gap between its packets, as the
published server's watchdog waits, but a third of its length at least, since a client that sends as
it records may be held up. What is missing then is told, and filled in by who hears it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Final

import numpy as np

from app.control.rtap.messages import RATE, ContextPacket, Samples

PATIENCE: Final = 5.0  # mean gaps between packets
SHARE: Final = 1 / 3  # of the batch's own length
SHORTEST: Final = 0.05  # seconds
LONGEST: Final = 1.0
SKIPPED: Final = 8  # whole batches that can be lost; a number further off is another client's
STALE: Final = 2.0  # seconds after which an older number is that of a client that began again
REMEMBERED: Final = 16  # batches whose packets are known


@dataclass
class PacketCounts:
    """Numbers of packets and batches, by what became of them.

    `late` came after their batch had been closed; `lost` is what was missing then, so a late packet
    is one of the lost.
    """

    packets: int = 0
    batches: int = 0
    lost: int = 0
    late: int = 0
    doubled: int = 0
    reordered: int = 0
    skipped: int = 0
    malformed: int = 0
    unknown: int = 0
    refused: int = 0
    answered: int = 0
    dropped: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class ContextBatch:
    """A batch of context audio.

    Attributes:
        number: of the client.
        samples: float32 (n,); 0 where they are missing.
        missing: (start, stop) of what did not come.
        skipped: batches that were lost as a whole before this one.
        restarted: whether the client has begun again.
        closed: seconds at which it was.

    """

    number: int
    samples: Samples
    missing: tuple[tuple[int, int], ...]
    skipped: int
    restarted: bool
    closed: float


@dataclass
class _Open:
    """A batch of which packets are still awaited."""

    number: int
    skipped: int
    restarted: bool
    copies: int
    first: float
    last: float
    packets: int = 0
    total: int = 1
    highest: int = -1
    parts: dict[int, Samples] = field(default_factory=dict)


class BatchAssembler:
    """Puts batches together.

    Args:
        counts: what is counted.

    """

    def __init__(self, counts: PacketCounts) -> None:
        self.counts = counts
        self._open: _Open | None = None
        self._seen: dict[
            int, tuple[float, dict[int, int]]
        ] = {}  # batch: last time, copies by start
        self._last: int | None = None

    def forget(self) -> None:
        """Forget everything but the counts."""
        self._open, self._last = None, None
        self._seen.clear()

    def deadline(self, step: int) -> float:
        """Seconds at which the open batch is closed with what is there; inf where none is open."""
        now = self._open
        if now is None:
            return float("inf")
        gap = (now.last - now.first) / (now.packets - 1) if now.packets > 1 else SHORTEST
        return now.last + min(LONGEST, max(SHORTEST, PATIENCE * gap, SHARE * step / RATE))

    def expire(self, now: float, step: int) -> list[ContextBatch]:
        """The open batch, if it is overdue. Arguments as those of `take`."""
        return [] if now < self.deadline(step) else self.close(now, step)

    def take(self, packet: ContextPacket, now: float, step: int, copies: int) -> list[ContextBatch]:
        """Take a packet in.

        Args:
            packet: as it came.
            now: seconds.
            step: samples of a batch, as the settings have it.
            copies: copies of each packet that the client sends, one for each stem wanted.

        Returns:
            Batches that are closed by it: none, one, or the one before as well.

        """
        self.counts.packets += 1
        closed: list[ContextBatch] = []
        if self._open is None or packet.batch != self._open.number:
            if self._is_of_the_past(packet, now, copies):
                return []
            closed += self.close(now, step)
            self._begin(packet, now, max(1, copies))
        batch = self._open
        assert batch is not None
        seen = self._seen[batch.number][1]
        batch.packets, batch.last, batch.total = batch.packets + 1, now, packet.total
        self._seen[batch.number] = (now, seen)
        seen[packet.start] = seen.get(packet.start, 0) + 1
        if packet.start in batch.parts:
            self.counts.doubled += seen[packet.start] > batch.copies
        else:
            batch.parts[packet.start] = packet.samples
            self.counts.reordered += packet.start < batch.highest
            batch.highest = max(batch.highest, packet.start)
        if self._whole(batch, step):
            closed += self.close(now, step, whole=True)
        return closed

    def _is_of_the_past(self, packet: ContextPacket, now: float, copies: int) -> bool:
        """Whether a packet belongs to a batch that is closed; if so it is counted."""
        if self._last is None or packet.batch > self._last:
            return False
        time, seen = self._seen.get(packet.batch, (-float("inf"), {}))
        if now - time > STALE:
            return False
        copy = seen.get(packet.start, 0)
        seen[packet.start] = copy + 1
        if copy == 0:
            self.counts.late += 1
        elif copy >= max(1, copies):
            self.counts.doubled += 1
        return True

    def _begin(self, packet: ContextPacket, now: float, copies: int) -> None:
        last, number = self._last, packet.batch
        skipped = 0 if last is None else number - last - 1
        restarted = last is not None and not 0 <= skipped <= SKIPPED
        if restarted:
            skipped = 0
            self._seen.clear()
        self.counts.skipped += skipped
        self._open = _Open(number, skipped, restarted, copies, now, now)
        self._seen[number] = (now, {})
        for old in sorted(self._seen)[:-REMEMBERED]:
            del self._seen[old]
        self._last = number

    def _whole(self, batch: _Open, step: int) -> bool:
        """Whether nothing of a batch is missing, by its own count of packets."""
        reach = 0
        for start in sorted(batch.parts):
            if start > reach:
                return False
            reach = max(reach, start + len(batch.parts[start]))
        came = sum(min(count, batch.copies) for count in self._seen[batch.number][1].values())
        each_once = len(batch.parts) * batch.copies >= batch.total
        return came >= batch.total or (reach >= step and each_once)

    def close(self, now: float, step: int, whole: bool = False) -> list[ContextBatch]:
        """The open batch as it is; one with a gap is taken to be as long as all are.

        Args:
            now: seconds.
            step: samples of a batch, as the settings have it.
            whole: nothing is missing, however short it is, as a client's first batch may be.

        """
        batch, self._open = self._open, None
        if batch is None:
            return []
        reach = max(start + len(part) for start, part in batch.parts.items())
        length = reach if whole else max(reach, step)
        samples, gaps = np.zeros(length, np.float32), np.ones(length + 2, np.int8)
        gaps[0] = gaps[-1] = 0
        for start, part in batch.parts.items():
            samples[start : start + len(part)] = part
            gaps[start + 1 : start + 1 + len(part)] = 0
        edges = np.flatnonzero(np.diff(gaps))
        missing = tuple((int(start), int(stop)) for start, stop in edges.reshape(-1, 2))
        self.counts.batches += 1
        if missing:
            self.counts.lost += max(1, -(-batch.total // batch.copies) - len(batch.parts))
        return [ContextBatch(batch.number, samples, missing, batch.skipped, batch.restarted, now)]

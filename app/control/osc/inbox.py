"""Inbox and log of OSC packets: sorted by the receiving thread, taken by the GUI thread.

In a flood the latest value of each address is kept, one of identical queries, and one packet to
each unknown address; all triggers count, up to `MAX_QUEUED`. The rest is counted and dropped.
Each `Packet` that is not superseded stays in a ring of `MAX_LOG_ENTRIES` with its outcome; its
text is formatted only when it is displayed.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from app.control.osc.messages import (
    IMMEDIATELY,
    MAX_BYTES,
    PATTERN_SIGNS,
    Argument,
    MalformedPacketError,
    address_of,
    has_arguments,
    parse,
    seconds_of,
    split,
)

MAX_QUEUED: Final = 512
"""Packets that wait besides parameter values: triggers, queries, invalid addresses."""
MAX_DELAY: Final = 10.0
"""Seconds that a bundle may be ahead of its time."""
MAX_DELAYED: Final = 256
"""Messages that wait for their time."""
MAX_LOG_ENTRIES: Final = 1000
MAX_SHOWN_BYTES: Final = 256
"""Bytes of an oversized or malformed packet that are logged."""

Peer = tuple[str, int]
Outcome = Literal[
    "waiting",
    "applied",
    "flooded",
    "malformed",
    "oversized",
    "unknown",
    "refused",
    "sent",
    "unsent",
]
PATTERN_BYTES: Final = frozenset(PATTERN_SIGNS.encode())
DROPPED: Final = frozenset({"flooded", "malformed", "oversized", "unknown", "refused", "unsent"})
_OUTCOME_TEXT: Final[dict[Outcome, str]] = {
    "waiting": "waits",
    "applied": "",
    "flooded": "dropped: too many at once",
    "malformed": "dropped: no OSC that Segue reads",
    "oversized": f"dropped: larger than {MAX_BYTES} bytes",
    "unknown": "dropped: no such address",
    "refused": "refused",
    "sent": "",
    "unsent": "not sent",
}


class Packet:
    """An OSC message that was received, or sent; peer is who sent it, or to whom it went.

    when: time.monotonic(). reason: why it was refused, '' where it was not. superseded: number of
    older values of its address that it replaced before they were applied.
    """

    __slots__ = ("data", "outcome", "peer", "reason", "superseded", "when")

    def __init__(self, when: float, peer: Peer, data: bytes, outcome: Outcome = "waiting") -> None:
        self.when, self.peer, self.data = when, peer, data
        self.outcome: Outcome = outcome
        self.reason = ""
        self.superseded = 0

    @property
    def out(self) -> bool:
        return self.outcome in ("sent", "unsent")

    @property
    def sender(self) -> str:
        return f"{self.peer[0]}:{self.peer[1]}"

    @property
    def text(self) -> str:
        """Address and arguments, or the bytes of a malformed packet."""
        try:
            address, arguments = parse(self.data)
        except MalformedPacketError:
            begin = self.data[:24]
            more = " …" if len(self.data) > len(begin) else ""
            readable = "".join(chr(b) if 32 <= b < 127 else "·" for b in begin)
            return f"{readable}  ({begin[:12].hex(' ')}{more})" if begin else "nothing"
        return " ".join([address, *(_written(each) for each in arguments)])

    @property
    def status_text(self) -> str:
        """The outcome as a text; '' for a packet that was applied and replaced no other."""
        if self.superseded and not self.reason and self.outcome == "applied":
            return f"the latest of {self.superseded + 1}"
        return self.reason or _OUTCOME_TEXT[self.outcome]

    @property
    def dropped(self) -> bool:
        return self.outcome in DROPPED


def _written(argument: Argument) -> str:
    if isinstance(argument, bool) or argument is None:
        return {True: "true", False: "false", None: "nil"}[argument]
    if isinstance(argument, float):
        return f"{argument:.6g}"
    return f'"{argument[:60]}"' if isinstance(argument, str) else str(argument)


@dataclass
class Counts:
    """Numbers of packets by outcome."""

    received: int = 0
    applied: int = 0
    malformed: int = 0
    oversized: int = 0
    unknown: int = 0
    refused: int = 0
    flooded: int = 0
    coalesced: int = 0
    early: int = 0
    """Messages of bundles due later than `MAX_DELAY`, or beyond `MAX_DELAYED`: applied at once."""


class OscInbox:
    """Inbox: `receive` in the receiving thread, `take` in the GUI thread.

    wake: called when the inbox was empty. wall_clock: as time.time, for time tags.
    """

    def __init__(
        self, wake: Callable[[], None], wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._wall_clock = wall_clock
        self._delayed: list[tuple[float, int, bytes, bytes, Peer]] = []
        self.counts = Counts()
        self.log: deque[Packet] = deque(maxlen=MAX_LOG_ENTRIES)
        self.states: frozenset[bytes] = frozenset()
        """Addresses of parameters, of which only the latest value counts."""
        self.triggers: frozenset[bytes] = frozenset()
        """Addresses of triggers, of which every packet counts."""
        self.questions: frozenset[bytes] = frozenset()
        """Addresses of queries; identical ones are answered once."""
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: dict[object, Packet] = {}
        self._queued = 0
        self._sequence = itertools.count()  # two threads take from it

    def receive(self, data: bytes, peer: Peer, when: float) -> None:
        """Sort a datagram that was received at `when`."""
        self.counts.received += 1
        if len(data) > MAX_BYTES:
            self.counts.oversized += 1
            self._record(Packet(when, peer, data[:MAX_SHOWN_BYTES], "oversized"))
            return
        try:
            found = [(tag, address_of(message), message) for tag, message in split(data)]
            for tag, address, message in found:
                if not self._delay(tag, address, message, peer, when):
                    self._queue(address, message, peer, when)
        except MalformedPacketError:
            self.counts.malformed += 1
            self._record(Packet(when, peer, data[:MAX_SHOWN_BYTES], "malformed"))

    def _delay(self, tag: int, address: bytes, message: bytes, peer: Peer, when: float) -> bool:
        """Keep a message until its time; False where it is due at once."""
        wait = 0.0 if tag == IMMEDIATELY else seconds_of(tag) - self._wall_clock()
        if wait <= 0.0:
            return False
        with self._lock:
            if wait > MAX_DELAY or len(self._delayed) >= MAX_DELAYED:
                self.counts.early += 1
                return False
            entry = (when + wait, next(self._sequence), address, message, peer)
            heapq.heappush(self._delayed, entry)
        return True

    def release(self, now: float) -> None:
        """Queue what has become due. now: time.monotonic()."""
        while True:
            with self._lock:
                if not self._delayed or self._delayed[0][0] > now:
                    return
                due, _, address, message, peer = heapq.heappop(self._delayed)
            self._queue(address, message, peer, due)

    def _queue(self, address: bytes, message: bytes, peer: Peer, when: float) -> None:
        key, value = self._place(address, message, peer)
        with self._lock:
            was_empty = not self._waiting
            # Moved to the end, so that the latest packet is also applied last.
            packet = self._waiting.pop(key, None)
            if packet is not None:
                packet.when, packet.peer, packet.data = when, peer, message
                packet.superseded += 1
                self.counts.coalesced += 1
            elif value or self._queued < MAX_QUEUED:
                self._queued += not value
                packet = self._record(Packet(when, peer, message))
            else:
                self.counts.flooded += 1
                self._record(Packet(when, peer, message[:MAX_SHOWN_BYTES], "flooded"))
                return
            self._waiting[key] = packet
        if was_empty:
            self._wake()

    def _place(self, address: bytes, message: bytes, peer: Peer) -> tuple[object, bool]:
        """Key under which a packet replaces an older one, and whether it is a parameter's value."""
        known = address in self.states
        if known and has_arguments(message):
            return address, True
        if address in self.triggers or not PATTERN_BYTES.isdisjoint(address) or b"//" in address:
            return next(self._sequence), False
        if known or address in self.questions:
            return (peer, message), False
        return (peer, address), False

    def _record(self, packet: Packet) -> Packet:
        self.log.append(packet)
        return packet

    @property
    def empty(self) -> bool:
        """Whether no packet waits."""
        return not self._waiting

    def take(self) -> list[Packet]:
        """Remove and return all packets, in the order in which they are to be applied."""
        with self._lock:
            waiting = list(self._waiting.values())
            self._waiting.clear()
            self._queued = 0
        return waiting

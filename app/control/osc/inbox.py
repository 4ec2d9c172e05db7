"""What came in over OSC: sorted by the receiving thread, taken by the GUI lane, kept for a look.

Of a flood the latest value of each address is kept, of equal questions one, and one packet to an
address that does not exist; triggers all count, up to `ORDERS`. The rest is counted and dropped.
What is not overtaken leaves a `Packet` in a ring of the last `HEARD`, with what became of it. It is
put into words only where somebody looks, so a flood costs no more than without anybody. Pure.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from app.control.osc.messages import (
    MAX_BYTES,
    Argument,
    Malformed,
    address_of,
    has_arguments,
    parse,
    split,
)

ORDERS: Final = 512
"""Packets that wait beside the latest values of parameters: triggers, questions, mistakes."""
HEARD: Final = 1000
SHOWN_BYTES: Final = 256
"""Of what was too large or is no OSC this much is kept to be shown."""

Peer = tuple[str, int]
Fate = Literal["waiting", "obeyed", "flooded", "malformed", "oversized", "unknown", "refused"]
PATTERN: Final = frozenset(b"*?[")
DROPPED: Final = frozenset({"flooded", "malformed", "oversized", "unknown", "refused"})
_WHY: Final[dict[Fate, str]] = {
    "waiting": "waits",
    "obeyed": "",
    "flooded": "dropped: too many at once",
    "malformed": "dropped: no OSC that Segue reads",
    "oversized": f"dropped: larger than {MAX_BYTES} bytes",
    "unknown": "dropped: no such address",
    "refused": "refused",
}


class Packet:
    """One message as it came in. when: time.monotonic(). `why` is a sentence where one was said;
    `overtook` are the older values of its address that waited still, and were not obeyed."""

    __slots__ = ("data", "fate", "overtook", "peer", "when", "why")

    def __init__(self, when: float, peer: Peer, data: bytes, fate: Fate = "waiting") -> None:
        self.when, self.peer, self.data = when, peer, data
        self.fate: Fate = fate
        self.why = ""
        self.overtook = 0

    @property
    def sender(self) -> str:
        return f"{self.peer[0]}:{self.peer[1]}"

    @property
    def words(self) -> str:
        """Address and arguments; the bytes where they are none."""
        try:
            address, arguments = parse(self.data)
        except Malformed:
            begin = self.data[:24]
            more = " …" if len(self.data) > len(begin) else ""
            readable = "".join(chr(b) if 32 <= b < 127 else "·" for b in begin)
            return f"{readable}  ({begin[:12].hex(' ')}{more})" if begin else "nothing"
        return " ".join([address, *(_written(each) for each in arguments)])

    @property
    def verdict(self) -> str:
        """What became of it; '' where it was obeyed and stood for itself alone."""
        if self.overtook and not self.why and self.fate == "obeyed":
            return f"the latest of {self.overtook + 1}"
        return self.why or _WHY[self.fate]

    @property
    def dropped(self) -> bool:
        return self.fate in DROPPED


def _written(argument: Argument) -> str:
    if isinstance(argument, bool) or argument is None:
        return {True: "true", False: "false", None: "nil"}[argument]
    if isinstance(argument, float):
        return f"{argument:.6g}"
    return f'"{argument[:60]}"' if isinstance(argument, str) else str(argument)


@dataclass
class Counts:
    """What came in, and what became of it."""

    received: int = 0
    obeyed: int = 0
    malformed: int = 0
    oversized: int = 0
    unknown: int = 0
    refused: int = 0
    flooded: int = 0
    coalesced: int = 0


class OscInbox:
    """`sort` in the receiving thread, `take` in the GUI lane. wake: told when it was empty."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.counts = Counts()
        self.heard: deque[Packet] = deque(maxlen=HEARD)
        self.states: frozenset[bytes] = frozenset()
        """Addresses of which only the latest value counts."""
        self.triggers: frozenset[bytes] = frozenset()
        """Addresses of which every packet counts."""
        self.questions: frozenset[bytes] = frozenset()
        """Addresses that are asked: the same question twice has one answer."""
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: dict[object, Packet] = {}
        self._orders = 0
        self._order_number = 0

    def sort(self, data: bytes, peer: Peer, when: float) -> None:
        """A datagram has come."""
        self.counts.received += 1
        if len(data) > MAX_BYTES:
            self.counts.oversized += 1
            self._hear(Packet(when, peer, data[:SHOWN_BYTES], "oversized"))
            return
        try:
            for message in split(data):
                self._queue(address_of(message), message, peer, when)
        except Malformed:
            self.counts.malformed += 1
            self._hear(Packet(when, peer, data[:SHOWN_BYTES], "malformed"))

    def _queue(self, address: bytes, message: bytes, peer: Peer, when: float) -> None:
        key, value = self._place(address, message, peer)
        with self._lock:
            was_empty = not self._waiting
            # Put at the end again, so that what comes last also acts last.
            packet = self._waiting.pop(key, None)
            if packet is not None:
                packet.when, packet.peer, packet.data = when, peer, message
                packet.overtook += 1
                self.counts.coalesced += 1
            elif value or self._orders < ORDERS:
                self._orders += not value
                packet = self._hear(Packet(when, peer, message))
            else:
                self.counts.flooded += 1
                self._hear(Packet(when, peer, message[:SHOWN_BYTES], "flooded"))
                return
            self._waiting[key] = packet
        if was_empty:
            self._wake()

    def _place(self, address: bytes, message: bytes, peer: Peer) -> tuple[object, bool]:
        """What a packet may stand in the place of, and whether it is the value of a parameter."""
        known = address in self.states
        if known and has_arguments(message):
            return address, True
        if address in self.triggers or not PATTERN.isdisjoint(address):
            self._order_number += 1
            return self._order_number, False
        if known or address in self.questions:
            return (peer, message), False
        return (peer, address), False

    def _hear(self, packet: Packet) -> Packet:
        self.heard.append(packet)
        return packet

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be taken."""
        return not self._waiting

    def take(self) -> list[Packet]:
        """Everything that waits, in the order in which it is to act."""
        with self._lock:
            waiting = list(self._waiting.values())
            self._waiting.clear()
            self._orders = 0
        return waiting

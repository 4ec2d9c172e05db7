"""Listening socket that turns away who connects too often, before anything is spent on him."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Final

from models.remote.protocol.limits import TokenBucket

MAX_ADDRESSES: Final = 1000


class Doorkeeper:
    """Rates of the addresses that connect. Pure logic but for the clock."""

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """rate: connections a second of one address. burst: at once."""
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: dict[str, TokenBucket] = {}

    def lets_in(self, address: str) -> bool:
        """Count a connection; False where it is one too many."""
        now = self._clock()
        if len(self._buckets) >= MAX_ADDRESSES:
            self._buckets = {a: b for a, b in self._buckets.items() if not b.full(now)}
        bucket = self._buckets.get(address)
        if bucket is None:
            if len(self._buckets) >= MAX_ADDRESSES:
                return False
            bucket = self._buckets[address] = TokenBucket(self._rate, self._burst, now)
        return bucket.take(now)


class GuardedSocket(socket.socket):
    """Listening socket with a doorkeeper. turned_away is called with the address."""

    doorkeeper: Doorkeeper
    turned_away: Callable[[str], object]

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        """The next connection. BlockingIOError where it was turned away, as if there were none."""
        connection, address = super().accept()
        if not self.doorkeeper.lets_in(str(address[0])):
            connection.close()
            self.turned_away(str(address[0]))
            raise BlockingIOError
        return connection, address


def listen(
    host: str, port: int, doorkeeper: Doorkeeper, turned_away: Callable[[str], object]
) -> GuardedSocket:
    """Listen on an interface. OSError where that is not possible."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    guarded = GuardedSocket(family, kind, protocol)
    try:
        guarded.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        guarded.setblocking(False)
        guarded.bind(address)
        guarded.listen(100)
    except OSError:
        guarded.close()
        raise
    guarded.doorkeeper, guarded.turned_away = doorkeeper, turned_away
    return guarded

"""Subscribers of the OSC server, and how long each is kept. Pure logic.

A subscriber that does not listen is not told apart from one that does, as UDP answers nothing: a
client that ends and begins anew on its port goes on being told, for as long as the lease lasts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.control.osc.inbox import Peer
from models.errors import SegueError

MAX_SUBSCRIBERS: Final = 16
LEASE_SECONDS: Final = 600.0
"""Seconds after which a subscriber is removed if nothing came from its machine."""
QUIET_SECONDS: Final = 30.0
"""Seconds after which one from whose port nothing came makes room for another where all places are
taken: a client that begins anew on another port each time leaves its old ports behind."""


@dataclass
class _Subscriber:
    pattern: str
    until: float
    heard: float


class Subscribers:
    """Subscribers by host and port. clock: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._now = clock
        self._kept: dict[Peer, _Subscriber] = {}

    def __bool__(self) -> bool:
        return bool(self._kept)

    def add(self, peer: Peer, pattern: str) -> None:
        """Tell a peer what matches a pattern from now on. SegueError where there is no room."""
        now = self._now()
        if peer not in self._kept and len(self._kept) >= MAX_SUBSCRIBERS:
            quiet = min(self._kept, key=lambda each: self._kept[each].heard)
            if now - self._kept[quiet].heard < QUIET_SECONDS:
                raise SegueError(f"{MAX_SUBSCRIBERS} subscribers are the most.")
            del self._kept[quiet]
        self._kept[peer] = _Subscriber(pattern, now + LEASE_SECONDS, now)

    def remove(self, peer: Peer) -> None:
        """Tell a peer nothing any more; no error where it was told nothing."""
        self._kept.pop(peer, None)

    def clear(self) -> None:
        self._kept.clear()

    def heard(self, peer: Peer) -> None:
        """Something came from a peer: its machine's subscribers are kept on."""
        now = self._now()
        for (host, port), subscriber in self._kept.items():
            if host == peer[0]:
                subscriber.until = now + LEASE_SECONDS
                if port == peer[1]:
                    subscriber.heard = now

    def all(self) -> list[tuple[Peer, str]]:
        """Those whose lease lasts, each with its pattern; the others are removed."""
        now = self._now()
        self._kept = {peer: each for peer, each in self._kept.items() if each.until >= now}
        return [(peer, each.pattern) for peer, each in self._kept.items()]

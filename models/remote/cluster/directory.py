"""Directory of sessions outside of the replicas: whose a session is, and how to go on with it.

Runs as an actor of its own; pure logic all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from models.remote.server.handover import KeptSnapshot, SessionRecord, Step

KEEP_SECONDS: Final = 3600.0
"""For which a session is known that renders nothing."""
MAX_SESSIONS: Final = 10_000
SWEEP_SECONDS: Final = 60.0


@dataclass
class _Session:
    """A session. owner: the replica that plays it. at: when it was heard of."""

    owner: str
    at: float
    record: SessionRecord = field(default_factory=SessionRecord)


class SessionDirectory:
    """Directory of sessions by their keys. Used by one thread."""

    def __init__(
        self, most: int = MAX_SESSIONS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """most: sessions. clock: seconds."""
        self._most, self._clock = most, clock
        self._sessions: dict[str, _Session] = {}
        self._swept = clock()

    def __len__(self) -> int:
        return len(self._sessions)

    def write(self, key: str, owner: str, entry: Step | KeptSnapshot) -> None:
        """Keep an entry; ignored where another replica has the session now."""
        now = self._clock()
        session = self._sessions.get(key)
        if session is None:
            self._sweep(now)
            session = self._sessions[key] = _Session(owner, now)
        if session.owner == owner:
            session.at = now
            session.record.add(entry)

    def claim(self, key: str, owner: str) -> SessionRecord | None:
        """Give a session to a replica: its record; None where it has it already, or nobody."""
        session = self._sessions.get(key)
        if session is None or session.owner == owner:
            return None
        session.owner, session.at = owner, self._clock()
        return session.record

    def forget(self, key: str, owner: str) -> None:
        """Forget a session that its replica has ended."""
        session = self._sessions.get(key)
        if session is not None and session.owner == owner:
            del self._sessions[key]

    def _sweep(self, now: float) -> None:
        """Forget what was not heard of for long, and the oldest ones where there are too many."""
        full = len(self._sessions) >= self._most
        if not full and now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        by_age = sorted(self._sessions, key=lambda key: self._sessions[key].at)
        surplus = len(by_age) - self._most + 1
        for place, key in enumerate(by_age):
            if place < surplus or now - self._sessions[key].at >= KEEP_SECONDS:
                del self._sessions[key]


def shard_of(key: str, shards: int) -> int:
    """Which of several directories a session is in."""
    return sum(key.encode()) % shards

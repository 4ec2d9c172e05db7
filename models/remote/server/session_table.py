"""Table of a server's sessions: who plays, who waits for a line, and who must go. Pure logic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from models.errors import SegueError


class Closable(Protocol):
    """Session, as far as the table goes."""

    def close(self) -> None: ...


S = TypeVar("S", bound=Closable)
P = TypeVar("P")


@dataclass
class SessionEntry(Generic[S, P]):
    """A session and its line; until when it waits for one."""

    session: S
    peer: P | None = None
    until: float = 0.0


class SessionTable(Generic[S, P]):
    """Sessions by their keys. Used by one thread.

    most: sessions at once. keep_seconds: for which a session waits for a line that was lost.
    """

    def __init__(self, most: int, keep_seconds: float) -> None:
        self.most, self.keep_seconds = most, keep_seconds
        self.entries: dict[str, SessionEntry[S, P]] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def make_room(self) -> None:
        """End the session that has waited longest, where there are as many as there may be.

        Raises:
            SegueError: all of them are in use.

        """
        if len(self.entries) < self.most:
            return
        waiting = [(entry.until, key) for key, entry in self.entries.items() if entry.peer is None]
        if not waiting:
            raise SegueError(f"the server plays for {self.most} already, its most: try later.")
        self.remove(min(waiting)[1])

    def put(self, key: str, session: S) -> None:
        """Add a session, instead of the one that has the key."""
        self.remove(key)
        self.entries[key] = SessionEntry(session)

    def remove(self, key: str) -> None:
        """End a session; no error where there is none."""
        entry = self.entries.pop(key, None)
        if entry is not None:
            entry.session.close()

    def take(self, key: str, peer: P) -> P | None:
        """Give a session a line; the line that it had."""
        entry = self.entries[key]
        before, entry.peer = entry.peer, peer
        return before

    def leave(self, key: str, peer: P, now: float) -> bool:
        """A line has ended; whether its session waits for another one now."""
        entry = self.entries.get(key)
        if entry is None or entry.peer is not peer:
            return False
        entry.peer, entry.until = None, now + self.keep_seconds
        return True

    def expire(self, now: float) -> list[str]:
        """End the sessions that nobody came back to; their keys."""
        keys = [k for k, e in self.entries.items() if e.peer is None and now >= e.until]
        for key in keys:
            self.remove(key)
        return keys

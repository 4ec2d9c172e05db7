"""Limits of the server: sizes, rates, numbers and times, and the bucket that counts a rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PIECE_BYTES: Final = 65_536
"""Bytes of one piece of an upload or of a long answer."""


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    sessions: at once. connections: at once, those without a session yet included.
    connections_per_second, connections_at_once: of one address; more are closed unheard.
    hello_seconds: until a connection must have said what it wants. message_bytes: of one message.
    messages_per_second, burst: of one client. upload_bytes: of one audio prompt or moment.
    requests: of a client that wait. ahead: blocks rendered ahead of what a client has taken.
    session_bytes: memory of a session's snapshots. snapshots: their number. idle_seconds: until a
    silent connection is closed. keep_seconds: for which a session waits for a line that was lost.
    send_seconds: for which one message may wait for a slow reader.
    """

    sessions: int = 4
    connections: int = 64
    connections_per_second: float = 40.0
    connections_at_once: float = 120.0
    hello_seconds: float = 10.0
    message_bytes: int = 262_144
    messages_per_second: float = 500.0
    burst: float = 1000.0
    upload_bytes: int = 32_000_000
    requests: int = 8
    ahead: int = 32
    session_bytes: int = 256_000_000
    snapshots: int = 40_000
    idle_seconds: float = 60.0
    keep_seconds: float = 300.0
    send_seconds: float = 30.0


class TokenBucket:
    """Counter of a rate: `take` is True as long as the rate is kept."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """rate: a second. burst: at once. now: seconds of any clock."""
        self.rate, self.burst = rate, burst
        self._level, self._at = burst, now

    def take(self, now: float) -> bool:
        """Count one at a time in seconds; False where it is one too many."""
        self._level = min(self.burst, self._level + self.rate * (now - self._at))
        self._at = now
        if self._level < 1.0:
            return False
        self._level -= 1.0
        return True

    def full(self, now: float) -> bool:
        """Whether nothing was counted for long enough to forget the bucket."""
        return self._level + self.rate * (now - self._at) >= self.burst

"""Score link: the instrument's side of the audio process's score port."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from app.audio.score_port import PortRequest, Timed

SETTLED: Final = 1536
"""Time in which the score goes through this process's threads to the audio process."""


class ScoreLink:
    """Sends requests and messages to the audio process; the request also to one that follows it.

    Args:
        send: sends a message through the pipe; any thread.

    """

    def __init__(self, send: Callable[[tuple[Any, ...]], None]) -> None:
        self._send = send
        self._request: PortRequest | None = None

    @property
    def settled(self) -> int:
        """Frames ahead of the reader, besides two of its buffers, whose score must not change."""
        return 0 if self._request is None else SETTLED

    def choose(self, request: PortRequest | None) -> None:
        """Open these ports; None for none."""
        self._request = request
        self._send(("score", request))

    def put(self, messages: Iterable[Timed]) -> None:
        """Send messages when their positions are heard."""
        self._send(("notes", list(messages)))

    def cancel(self, messages: Iterable[Timed]) -> None:
        """Drop what waits, end all notes and send these messages at once."""
        self._send(("cancel", list(messages)))

    def restarted(self) -> None:
        """A new process runs: it needs the request."""
        if self._request is not None:
            self._send(("score", self._request))

"""A place in the music of a stream elsewhere: the number of a snapshot that the server keeps."""

from __future__ import annotations

from collections import deque
from typing import Final

from models.remote.protocol.messages import Place

NO_NUMBER: Final = -1


class RemoteSnapshot:
    """A snapshot on a server, or the start of a stream with a seed; perhaps cleared then.

    engine: name of the engine. session: that keeps it, '' for a start, which all know. size: memory
    that it needs there in bytes, so that whoever keeps snapshots counts them as if they were here.
    When nobody holds it any more, its number goes to `released`.
    """

    def __init__(
        self,
        engine: str,
        session: str = "",
        number: int = NO_NUMBER,
        seed: int = 0,
        size: int = 0,
        released: deque[tuple[str, int]] | None = None,
        cleared: RemoteSnapshot | None = None,
    ) -> None:
        self.engine, self.session, self.number, self.seed = engine, session, number, seed
        self.nbytes = size
        self.cleared = cleared  # what this is after clearing; it must not be released before
        self._released = released

    @property
    def place(self) -> Place:
        """The place as the server knows it."""
        number = None if self.number == NO_NUMBER else self.number
        return Place(number, self.seed, self.cleared is not None)

    def after_clear(self) -> RemoteSnapshot:
        """The same place after clearing."""
        if self.cleared is not None:
            return self
        return RemoteSnapshot(self.engine, self.session, self.number, self.seed, cleared=self)

    def __del__(self) -> None:
        if self._released is not None and self.cleared is None and self.number != NO_NUMBER:
            self._released.append((self.session, self.number))

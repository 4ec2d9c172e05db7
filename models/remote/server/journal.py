"""Log of the server: a sentence a line; the same sentence of one peer once in a while, counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

REPEAT_SECONDS: Final = 10.0
MAX_PEERS: Final = 1000


class Journal:
    """Log. write takes the lines; clock gives seconds."""

    def __init__(
        self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._clock = write, clock
        self._last: dict[tuple[str, str], tuple[float, int]] = {}

    def note(self, peer: str, sentence: str) -> None:
        """Log a sentence about a peer ('' for the server itself)."""
        now, key = self._clock(), (peer, sentence)
        at, count = self._last.get(key, (-REPEAT_SECONDS, 0))
        if now - at < REPEAT_SECONDS:
            self._last[key] = (at, count + 1)
            return
        if len(self._last) >= MAX_PEERS:
            self.flush()
        self._put(peer, sentence, count)
        self._last[key] = (now, 0)

    def flush(self) -> None:
        """Log what was counted and not written yet, and forget who said what."""
        for (peer, sentence), (_, count) in self._last.items():
            if count:
                self._put(peer, sentence, count)
        self._last.clear()

    def _put(self, peer: str, sentence: str, more: int) -> None:
        times = f" ({more} more times)" if more else ""
        self._write(f"{f'{peer}: ' if peer else ''}{sentence}{times}")

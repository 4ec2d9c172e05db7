"""Thread with an event loop that keeps a line to another machine open, and what it has to tell."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from models.errors import SegueError

JOIN_SECONDS: Final = 5.0


class LineThread(ABC):
    """Thread of a line. Its public methods may be called from any thread."""

    def __init__(self, name: str) -> None:
        self._notices: deque[tuple[str, str]] = deque()
        self._opened: Future[None] = Future()
        self._closing = False
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def open(self) -> None:
        """Open the line. SegueError where that is not possible."""
        self._thread.start()
        try:
            self._opened.result()
        except BaseException:
            self._thread.join()
            raise

    def close(self) -> None:
        """Close the line and end the thread."""
        self._closing = True

        def cancel() -> None:
            if self._task is not None:
                self._task.cancel()

        self._post(cancel)
        self._thread.join(JOIN_SECONDS)

    def notices(self) -> tuple[tuple[str, str], ...]:
        """What there is to tell since the last call: level and sentence."""
        told = []
        while self._notices:
            told.append(self._notices.popleft())
        return tuple(told)

    def tell(self, level: str, sentence: str) -> None:
        """Add to `notices`."""
        self._notices.append((level, sentence))

    def _post(self, work: Callable[[], object]) -> None:
        """Do something in the line's thread; nothing where that has ended."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(work)

    # The line's thread.

    @abstractmethod
    async def _keep_open(self) -> None:
        """Open the line, and again whenever it was cut, until this is cancelled."""

    @abstractmethod
    async def _end(self) -> None:
        """Give up what belongs to the line."""

    def _open_first(self) -> bool:
        """Let `open` return; False where it did before."""
        if self._opened.done():
            return False
        self._opened.set_result(None)
        return True

    def _fail_first(self, sentence: str) -> bool:
        """Let `open` raise, where it has not returned yet; whether that was so."""
        if self._opened.done():
            return False
        self._opened.set_exception(SegueError(sentence))
        return True

    def _work(self) -> None:
        loop = self._loop
        try:
            self._task = loop.create_task(self._keep_open())
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(self._task)
        finally:
            loop.run_until_complete(self._end())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

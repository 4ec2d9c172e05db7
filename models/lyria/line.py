"""Line to the service: a thread with an event loop that keeps a session open.

A session ends after some minutes, which the service tells beforehand: the next one begins while the
old one still plays, and the feed crossfades into it. The service knows nothing of the music before.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import replace
from typing import Final

from models.errors import SegueError
from models.lyria.faults import NAME, LineFault, line_fault
from models.lyria.feed import SoundFeed
from models.lyria.protocol import Config, FilteredPrompt, Prompts, restarts
from models.lyria.session import SETTLE_SECONDS, MusicRequest, MusicSession

IDLE_SECONDS: Final = 20.0
"""Where nobody has wanted a block for so long, a session that ended is not begun anew."""
POLL_SECONDS: Final = 0.1
SOON: Final = (0.5, 1.0, 2.0, 5.0)
LATER: Final = (30.0,)
"""Seconds before the next attempts: on a line that may be back, and where somebody must act."""


class LyriaLine:
    """Line to the service. Its methods may be called from any thread."""

    def __init__(self, url: str, key: str) -> None:
        self.feed = SoundFeed()
        self._url, self._key = url, key
        self._notices: deque[tuple[str, str]] = deque()
        self._refused: set[str] = set()
        self._request = MusicRequest()
        self._lock = threading.Lock()
        self._opened: Future[None] = Future()
        self._session: MusicSession | None = None
        self._number = 0
        self._old: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._work, name="lyria line", daemon=True)

    # Any thread.

    def open(self) -> None:
        """Begin a session. SegueError where that is not possible."""
        self._thread.start()
        try:
            self._opened.result()
        except BaseException:
            self._thread.join()
            raise

    def close(self) -> None:
        """End the session and the thread."""

        def cancel() -> None:
            if self._task is not None:
                self._task.cancel()

        with contextlib.suppress(RuntimeError):  # closed already
            self._loop.call_soon_threadsafe(cancel)
        self._thread.join(5.0)

    @property
    def line_seconds(self) -> float | None:
        """Journey there and back in seconds; 0.0 before it was measured, None while it is down."""
        session = self._session
        return session.line_seconds if session is not None and session.ready else None

    def notices(self) -> tuple[tuple[str, str], ...]:
        """What there is to tell since the last call."""
        told = []
        while self._notices:
            told.append(self._notices.popleft())
        return tuple(told)

    def steer(self, prompts: Prompts, config: Config) -> None:
        """Play this from now on. What is wanted is sent some times a second, the newest values."""
        with self._lock:
            before = self._request
            settled_at = before.settled_at
            if restarts(before.config, config):
                settled_at = time.monotonic() + SETTLE_SECONDS
            if (prompts, config) != (before.prompts, before.config):
                self._request = MusicRequest(prompts, config, before.resets, settled_at)

    def reset(self) -> None:
        """Forget the context; the music goes on."""
        with self._lock:
            self._request = replace(self._request, resets=self._request.resets + 1)

    def begin(self) -> None:
        """Begin a new session, for another stream; nothing of the old one is played any more."""
        self.feed.forget(self._number + 1)

        def end() -> None:
            if self._session is not None:
                self._session.ending.set()

        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(end)

    # The line's thread.

    def _work(self) -> None:
        try:
            self._task = self._loop.create_task(self._keep_open())
            with contextlib.suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
        finally:
            self._loop.run_until_complete(self._end_all())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _end_all(self) -> None:
        for task in self._old:
            task.cancel()
        await asyncio.gather(*self._old, return_exceptions=True)

    async def _keep_open(self) -> None:
        """Begin one session after another."""
        told, tries, down = "", 0, False
        while True:
            self._number += 1
            session = MusicSession(self._number, self.feed, lambda: self._request, self._filtered)
            task = asyncio.create_task(session.run(self._url, self._key))
            self._old.add(task)
            task.add_done_callback(self._old.discard)
            if await self._until(task, session.set_up):
                self._session = session
                if not self._opened.done():
                    self._opened.set_result(None)
                elif down:
                    self._tell("info", f"{NAME} is back: it begins a new piece with these prompts.")
                told, tries, down = "", 0, False
                if await self._until(task, session.ending):
                    continue  # the next one takes over while this one still plays
            fault = line_fault(None if task.cancelled() else task.exception())
            if not self._opened.done():
                self._opened.set_exception(SegueError(fault.sentence))
                return
            if fault.sentence != told:
                told = fault.sentence
                self._tell("warning", told)
            down = True
            await self._pause(fault, tries)
            tries += 1

    async def _until(self, task: asyncio.Task[None], event: asyncio.Event) -> bool:
        """Wait for an event of a session; False where it ended before."""
        waiting = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        return not task.done()

    async def _pause(self, fault: LineFault, tries: int) -> None:
        """Wait before the next attempt, and until somebody wants music."""
        waits = LATER if fault.lasting else SOON
        await asyncio.sleep(waits[min(tries, len(waits) - 1)])
        while self.feed.idle_seconds > IDLE_SECONDS:
            await asyncio.sleep(POLL_SECONDS)

    def _filtered(self, prompt: FilteredPrompt) -> None:
        if prompt.text not in self._refused:
            self._refused.add(prompt.text)
            reason = f" ({prompt.reason.strip().rstrip('.')})" if prompt.reason.strip() else ""
            self._tell(
                "warning",
                f"{NAME} does not play the prompt '{prompt.text}'{reason}: write it in other "
                "words; the other prompts go on.",
            )

    def _tell(self, level: str, sentence: str) -> None:
        self._notices.append((level, sentence))

"""Line to the service: a thread with an event loop that keeps a session open.

A session ends after some minutes, which the service tells beforehand: the next one begins while the
old one still plays, and the feed crossfades into it. The service knows nothing of the music before.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from typing import Final

from models.lyria.faults import NAME, LineFault, line_fault
from models.lyria.feed import SoundFeed
from models.lyria.protocol import Config, FilteredPrompt, Prompts, restarts
from models.lyria.session import SETTLE_SECONDS, MusicRequest, MusicSession
from models.runtime.line_thread import LineThread

IDLE_SECONDS: Final = 20.0
"""Where nobody has wanted a block for so long, a session that ended is not begun anew."""
POLL_SECONDS: Final = 0.1
SOON: Final = (0.5, 1.0, 2.0, 5.0)
LATER: Final = (30.0,)
"""Seconds before the next attempts: on a line that may be back, and where somebody must act."""


class LyriaLine(LineThread):
    """Line to the service. Its methods may be called from any thread."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__("lyria line")
        self.feed = SoundFeed()
        self._url, self._key = url, key
        self._refused: set[str] = set()
        self._request = MusicRequest()
        self._lock = threading.Lock()
        self._session: MusicSession | None = None
        self._number = 0
        self._old: set[asyncio.Task[None]] = set()

    # Any thread.

    @property
    def line_seconds(self) -> float | None:
        """Journey there and back in seconds; 0.0 before it was measured, None while it is down."""
        session = self._session
        return session.line_seconds if session is not None and session.ready else None

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

        self._post(end)

    # The line's thread.

    async def _end(self) -> None:
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
                if not self._open_first() and down:
                    self.tell("info", f"{NAME} is back: it begins a new piece with these prompts.")
                told, tries, down = "", 0, False
                if await self._until(task, session.ending):
                    continue  # the next one takes over while this one still plays
            fault = line_fault(None if task.cancelled() else task.exception())
            if self._fail_first(fault.sentence):
                return
            if fault.sentence != told:
                told = fault.sentence
                self.tell("warning", told)
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
            self.tell(
                "warning",
                f"{NAME} does not play the prompt '{prompt.text}'{reason}: write it in other "
                "words; the other prompts go on.",
            )

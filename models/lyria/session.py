"""Session of the service: one connection, from its setup to its end. In the line's thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from websockets.asyncio.client import ClientConnection, connect

from models.errors import SegueError
from models.lyria import protocol
from models.lyria.feed import SoundFeed

SETUP_SECONDS: Final = 10.0
PING_SECONDS, PONG_SECONDS = 2.0, 8.0
MAX_MESSAGE: Final = 16_000_000
SEND_SECONDS: Final = 0.05
"""Between two looks at what is wanted: what a knob does in between is sent once."""
SETTLE_SECONDS: Final = 0.4
"""How long tempo and key must rest before the context is reset for them."""
FULL_SECONDS, LOW_SECONDS = 1.5, 0.75
"""Waiting sound at which the service is paused, and at which it plays on."""


@dataclass(frozen=True)
class MusicRequest:
    """What the service should play.

    resets: how often the context was to be reset. settled_at: when the fields that need a reset
    have rested for long enough, by time.monotonic().
    """

    prompts: protocol.Prompts = ()
    config: protocol.Config = field(default_factory=dict)
    resets: int = 0
    settled_at: float = 0.0


class MusicSession:
    """Session. number: later ones have higher numbers. ready: whether it plays.

    ending: set when the service, or who uses it, wants the next session to begin.
    """

    def __init__(
        self, number: int, feed: SoundFeed, wanted: Callable[[], MusicRequest],
        filtered: Callable[[protocol.FilteredPrompt], object],
    ) -> None:  # fmt: skip
        self.number = number
        self.ready = False
        self.ending = asyncio.Event()
        self.set_up = asyncio.Event()
        self.line_seconds = 0.0
        self._feed, self._wanted, self._filtered = feed, wanted, filtered
        self._prompts: protocol.Prompts = ()
        self._config: protocol.Config = {}
        self._resets = wanted().resets
        self._playing = False

    async def run(self, url: str, key: str) -> None:
        """Connect and play until the session ends or a newer one has taken over.

        Raises:
            SegueError: the service does not speak its protocol.
            OSError, WebSocketException: as `websockets.connect` and `recv`.

        """
        async with connect(
            url, additional_headers={protocol.KEY_HEADER: key}, compression=None,
            proxy=True if url.startswith("wss:") else None, open_timeout=SETUP_SECONDS,
            ping_interval=PING_SECONDS, ping_timeout=PONG_SECONDS, close_timeout=1.0,
            max_size=MAX_MESSAGE,
        ) as connection:  # fmt: skip
            await connection.send(protocol.setup_message())
            async with asyncio.timeout(SETUP_SECONDS):
                answer = protocol.parse_service(await connection.recv())
            if protocol.SetupComplete() not in answer:
                raise SegueError("lyria-realtime did not begin the session as its protocol says.")
            self.ready = True
            self.set_up.set()
            tasks = [asyncio.create_task(work(connection)) for work in (self._read, self._steer)]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                self.ready = False
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, connection: ClientConnection) -> None:
        """Take what comes, until a newer session's sound is there."""
        async for data in connection:
            self.line_seconds = connection.latency
            for event in protocol.parse_service(data):
                if isinstance(event, protocol.AudioChunk):
                    if not self._feed.put(self.number, event.samples):
                        return
                elif isinstance(event, protocol.FilteredPrompt):
                    self._filtered(event)
                elif isinstance(event, protocol.GoAway):
                    self.ending.set()

    async def _steer(self, connection: ClientConnection) -> None:
        """Send what has changed, until a newer session has taken over."""
        while self._feed.wants(self.number):
            request = self._wanted()
            if request.prompts:
                for message in self._changes(request, time.monotonic()):
                    await connection.send(message)
            await asyncio.sleep(SEND_SECONDS)

    def _changes(self, request: MusicRequest, now: float) -> list[str]:
        """Messages that bring the service to what is wanted."""
        messages = []
        begun = bool(self._prompts)
        config = dict(request.config)
        if begun and now < request.settled_at:  # a knob on its way: nothing of it yet
            for name in protocol.RESTARTING:
                config.pop(name, None)
                if name in self._config:
                    config[name] = self._config[name]
        restart = begun and protocol.restarts(self._config, config)
        if request.prompts != self._prompts:
            messages.append(protocol.prompts_message(request.prompts))
        if config != self._config:
            messages.append(protocol.config_message(config))
        if restart or request.resets != self._resets:
            messages.append(protocol.playback_message("RESET_CONTEXT"))
        self._prompts, self._config, self._resets = request.prompts, config, request.resets
        waiting = self._feed.seconds
        if not self._playing and waiting < LOW_SECONDS:
            self._playing = True
            messages.append(protocol.playback_message("PLAY"))
        elif self._playing and waiting > FULL_SECONDS:
            self._playing = False
            messages.append(protocol.playback_message("PAUSE"))
        return messages

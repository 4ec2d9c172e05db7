"""A server that speaks the protocol of Lyria RealTime's public API, in a thread, for tests.

It refuses what the published client never sends: unknown fields, values out of range, anything
before `setup`. What it plays tells the session apart: a constant level, `level` a session.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

KEY: Final = "a-key-of-the-test"
PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateMusic"
CHUNK_FRAMES: Final = 9600
CONFIG: Final[dict[str, tuple[type, ...]]] = {
    "temperature": (int, float), "topK": (int,), "seed": (int,), "guidance": (int, float),
    "bpm": (int,), "density": (int, float), "brightness": (int, float), "scale": (str,),
    "muteBass": (bool,), "muteDrums": (bool,), "onlyBassAndDrums": (bool,),
    "musicGenerationMode": (str,),
}  # fmt: skip
LIMITS: Final = {
    "temperature": (0.0, 3.0), "guidance": (0.0, 6.0), "bpm": (60, 200), "density": (0.0, 1.0),
    "brightness": (0.0, 1.0),
}  # fmt: skip
CONTROLS: Final = ("PLAY", "PAUSE", "STOP", "RESET_CONTEXT")


@dataclass
class Session:
    """What one session was sent, in the order of its coming."""

    number: int
    messages: list[dict[str, Any]] = field(default_factory=list)
    closed: bool = False

    def sent(self, kind: str) -> list[Any]:
        """Contents of the messages of a kind."""
        return [message[kind] for message in list(self.messages) if kind in message]


class LyriaServer:
    """Server. sessions: those begun. faults: what clients did wrong.

    refuse: (HTTP status or close code, reason) for those who come; a close code is sent after the
    handshake, as the service does. filtered: texts that are refused, with a reason.
    """

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.faults: list[str] = []
        self.connects = 0
        self.refuse: tuple[int, str] | None = None
        self.filtered: dict[str, str] = {}
        self.port = 0
        self._connections: list[ServerConnection] = []
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10.0)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}{PATH}"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10.0)
        assert not self._thread.is_alive()

    def close(self, code: int, reason: str) -> None:
        """End the newest session."""
        connection = self._connections[-1]
        asyncio.run_coroutine_threadsafe(connection.close(code, reason), self._loop).result(5.0)

    def cut(self) -> None:
        """Cut the newest session's line, without a word."""
        connection = self._connections[-1]
        self._loop.call_soon_threadsafe(connection.transport.abort)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message in the newest session."""
        text = json.dumps(message)
        connection = self._connections[-1]
        asyncio.run_coroutine_threadsafe(connection.send(text), self._loop).result(5.0)

    def _work(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(ready))
        self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        server: Server
        async with serve(
            self._session, "127.0.0.1", 0, process_request=self._admit, compression=None
        ) as server:
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await self._stop.wait()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.connects += 1
        if request.path != PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, "no such method")
        if self.refuse is not None and self.refuse[0] < 1000:
            return connection.respond(HTTPStatus(self.refuse[0]), self.refuse[1])
        return None

    async def _session(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        if connection.request.headers.get("x-goog-api-key") != KEY:
            await connection.close(1007, "API key not valid. Please pass a valid API key.")
            return
        if self.refuse is not None:
            await connection.close(*self.refuse)
            return
        session = Session(len(self.sessions) + 1)
        player: asyncio.Task[None] | None = None
        try:
            setup = json.loads(await connection.recv())
            if setup != {"setup": {"model": "models/lyria-realtime-exp"}}:
                self.faults.append(f"setup: {setup}")
            self.sessions.append(session)
            self._connections.append(connection)
            # The service answers in binary messages.
            await connection.send(json.dumps({"setupComplete": {}}).encode())
            async for data in connection:
                message = json.loads(data)
                self._check(message)
                session.messages.append(message)
                for prompt in message.get("clientContent", {}).get("weightedPrompts", ()):
                    if prompt["text"] in self.filtered:
                        refused = {
                            "text": prompt["text"],
                            "filteredReason": self.filtered[prompt["text"]],
                        }
                        await connection.send(json.dumps({"filteredPrompt": refused}))
                if message.get("playbackControl") == "PLAY" and player is None:
                    player = asyncio.create_task(self._play(connection, session))
                elif message.get("playbackControl") in ("PAUSE", "STOP") and player is not None:
                    player.cancel()
                    player = None
        except ConnectionClosed:
            pass
        finally:
            session.closed = True
            if player is not None:
                player.cancel()

    async def _play(self, connection: ServerConnection, session: Session) -> None:
        """Send chunks, twice as fast as they play."""
        level = round(32768 * 0.1 * session.number)
        samples = np.full((CHUNK_FRAMES, 2), level, "<i2")
        while True:
            chunk = {
                "data": base64.b64encode(samples.tobytes()).decode(),
                "mimeType": "audio/l16;rate=48000;channels=2",
                "sourceMetadata": {"musicGenerationConfig": {"seed": 1}},
            }
            await connection.send(json.dumps({"serverContent": {"audioChunks": [chunk]}}).encode())
            await asyncio.sleep(0.02)

    def _check(self, message: dict[str, Any]) -> None:
        known = {"clientContent", "musicGenerationConfig", "playbackControl"}
        if len(message) != 1 or not set(message) <= known:
            self.faults.append(f"message {sorted(message)}")
        for prompt in message.get("clientContent", {}).get("weightedPrompts", ()):
            if set(prompt) != {"text", "weight"} or not prompt["weight"] > 0:
                self.faults.append(f"prompt {prompt}")
        for name, value in message.get("musicGenerationConfig", {}).items():
            if type(value) not in CONFIG.get(name, ()):
                self.faults.append(f"{name}: {value!r}")
            elif name in LIMITS and not LIMITS[name][0] <= value <= LIMITS[name][1]:
                self.faults.append(f"{name} out of range: {value!r}")
        if message.get("playbackControl", "PLAY") not in CONTROLS:
            self.faults.append(f"playbackControl {message['playbackControl']!r}")


@contextmanager
def lyria_service() -> Iterator[LyriaServer]:
    """A server during a test; what a client did wrong fails the test."""
    server = LyriaServer()
    try:
        yield server
    finally:
        server.stop()
    assert server.faults == []

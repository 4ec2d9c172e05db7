"""A host of an engine as an ASGI application, for servers that bring WebSockets to it.

As in the ASGI specification, version 3 (messages of the WebSocket and lifespan protocols).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Final, TypeAlias, cast

from models.errors import SegueError
from models.remote.protocol.messages import Refusal, to_text
from models.remote.server.connection import LineClosedError
from models.remote.server.host import EngineHost

Event: TypeAlias = MutableMapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]

POLICY: Final = 1008
"""Close code: the message, or the client, is against the rules."""


class AsgiConnection:
    """Connection of a client by ASGI. max_bytes: of a message."""

    def __init__(self, host: str, receive: Receive, send: Send, max_bytes: int) -> None:
        self.host = host
        self._receive, self._send, self._max_bytes = receive, send, max_bytes
        self._cut = asyncio.Event()
        self._closed = False

    async def send(self, message: str | bytes) -> None:
        if self._closed or self._cut.is_set():
            raise LineClosedError
        kind = "text" if isinstance(message, str) else "bytes"
        try:
            await self._send({"type": "websocket.send", kind: message})
        except OSError:
            raise LineClosedError from None

    async def recv(self) -> str | bytes:
        receiving = asyncio.ensure_future(self._receive())
        cut = asyncio.ensure_future(self._cut.wait())
        try:
            await asyncio.wait((receiving, cut), return_when=asyncio.FIRST_COMPLETED)
        finally:
            cut.cancel()
            if not receiving.done():
                receiving.cancel()
        if receiving.cancelled() or not receiving.done():
            raise LineClosedError
        event = receiving.result()
        if event["type"] != "websocket.receive":
            self._closed = True
            raise LineClosedError
        text, data = event.get("text"), event.get("bytes")
        message = cast("str | bytes", text if text is not None else data)
        if len(message) > self._max_bytes:
            raise SegueError(f"a message has more than {self._max_bytes} bytes: send less at once.")
        return message

    async def close(self, reason: str) -> None:
        if not self._closed:
            self._closed = True
            await self._send({"type": "websocket.close", "code": POLICY, "reason": reason})

    def cut(self) -> None:
        self._cut.set()


class HostApp:
    """ASGI application of a host. started: called when its event loop runs, before any client."""

    def __init__(self, host: EngineHost, started: Callable[[], object] = lambda: None) -> None:
        self.host, self._started = host, started
        self._sweep: asyncio.Task[None] | None = None

    async def __call__(self, scope: Mapping[str, object], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(send)
        else:
            await self._connect(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                self._sweep = asyncio.create_task(self.host.sweep())
                self._started()
                await send({"type": "lifespan.startup.complete"})
            elif event["type"] == "lifespan.shutdown":
                if self._sweep is not None:
                    self._sweep.cancel()
                await asyncio.to_thread(self.host.close)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, send: Send) -> None:
        """Tell a browser what this is."""
        body = f"{self.host.engine.info.name} plays here for Segue, over a WebSocket.\n".encode()
        await send({
            "type": "http.response.start", "status": HTTPStatus.UPGRADE_REQUIRED.value,
            "headers": [(b"content-type", b"text/plain"), (b"upgrade", b"websocket")],
        })  # fmt: skip
        await send({"type": "http.response.body", "body": body})

    async def _connect(self, scope: Mapping[str, object], receive: Receive, send: Send) -> None:
        client = cast("tuple[str, int] | None", scope.get("client"))
        connection = AsgiConnection(
            client[0] if client else "somebody", receive, send, self.host.limits.message_bytes
        )
        headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
        given = [value for name, value in headers if name.lower() == b"authorization"]
        await receive()  # websocket.connect
        refused = self.host.refusal(connection.host, given)
        if any(name.lower() == b"origin" for name, _ in headers):
            refused = HTTPStatus.FORBIDDEN, "browsers are not let in"
        await send({"type": "websocket.accept"})
        if refused is None:
            await self.host.serve(connection)
        else:
            await connection.send(to_text(Refusal(f"the server refuses: {refused[1]}.")))
        await connection.close("")

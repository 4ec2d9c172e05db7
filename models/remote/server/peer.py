"""A client as the server sees it: reads its messages, keeps its rate, and sends what waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeAlias

from models.errors import SegueError
from models.remote.protocol.limits import PIECE_BYTES, Limits, TokenBucket
from models.remote.protocol.messages import (
    Answer,
    Ask,
    Message,
    More,
    Piece,
    Ping,
    Refusal,
    Release,
    Run,
    from_bytes,
    from_text,
    pack_piece,
    to_text,
)
from models.remote.protocol.outbox import Outbox
from models.remote.server.connection import Connection, LineClosedError
from models.remote.server.requests import answer
from models.remote.server.session import StreamSession

FAREWELL_SECONDS: Final = 0.5
"""For the reason to arrive, before a connection is broken off."""

Pool: TypeAlias = Callable[[Callable[[], tuple[Answer, bytes]]], Awaitable[tuple[Answer, bytes]]]
"""Runs something slow in another thread."""


class Peer:
    """Connection of a client that is let in. Runs in the event loop."""

    def __init__(self, connection: Connection, limits: Limits, pool: Pool, secret: bytes) -> None:
        self.connection, self.host, self.limits = connection, connection.host, limits
        self._pool, self._secret = pool, secret
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox()
        self._bucket = TokenBucket(limits.messages_per_second, limits.burst, self._loop.time())
        self._session: StreamSession | None = None
        self._uploads: dict[int, tuple[Ask, bytearray]] = {}
        self._answers: set[asyncio.Task[None]] = set()

    def begin(self, session: StreamSession, admission: str) -> None:
        """Play for a session."""
        self._session = session
        self._outbox.put(admission)
        session.attach(self.send)

    def end(self) -> None:
        """Give the session up."""
        for task in self._answers:
            task.cancel()
        if self._session is not None:
            self._session.detach(self.send)

    def cut(self) -> None:
        """Break the connection off."""
        self.connection.cut()

    def send(self, message: Message | bytes, run: int = 0) -> None:
        """Send a message, from any thread."""
        data = message if isinstance(message, bytes) else to_text(message)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._outbox.put, data, run)

    async def refuse(self, sentence: str) -> None:
        """Tell the reason and close."""
        with contextlib.suppress(LineClosedError, TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self.connection.send(to_text(Refusal(sentence)))
                await self.connection.close(sentence.encode()[:120].decode(errors="ignore"))
        self.cut()

    async def serve(self) -> None:
        """Read and send until the connection ends.

        Raises:
            SegueError: the client did what it must not.
            TimeoutError: it was silent, or did not read.
            LineClosedError: the line has ended.

        """
        sender = asyncio.create_task(self._send_all())
        reader = asyncio.create_task(self._read_all())
        try:
            done, _ = await asyncio.wait({sender, reader}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (sender, reader):
                task.cancel()
            await asyncio.gather(sender, reader, return_exceptions=True)

    async def _send_all(self) -> None:
        while True:
            message = await self._outbox.get()
            async with asyncio.timeout(self.limits.send_seconds):
                await self.connection.send(message)

    async def _read_all(self) -> None:
        while True:
            async with asyncio.timeout(self.limits.idle_seconds):
                data = await self.connection.recv()
            if not self._bucket.take(self._loop.time()):
                raise SegueError(
                    f"more than {self.limits.messages_per_second:g} messages a second came: "
                    "slow down."
                )
            if isinstance(data, str):
                self._take(from_text(data))
            else:
                self._take_piece(from_bytes(data))

    def _take(self, message: Message) -> None:
        session = self._session
        assert session is not None
        if isinstance(message, Run):
            self._outbox.begin(message.number)
            session.start(message)
        elif isinstance(message, More):
            session.more(message.number, message.credit)
        elif isinstance(message, Release):
            session.release(message.snapshots)
        elif isinstance(message, Ping):
            self._outbox.put(to_text(message))
        elif isinstance(message, Ask):
            self._begin(message)
        else:
            raise SegueError("a message came that only a server sends: is it Segue that connects?")

    # Requests.

    def _begin(self, ask: Ask) -> None:
        if len(self._answers) + len(self._uploads) >= self.limits.requests:
            self._outbox.put(to_text(Answer(ask.number, "too much is asked for at once: wait.")))
        elif ask.size > self.limits.upload_bytes or ask.size < 0:
            most = self.limits.upload_bytes // 1_000_000
            self._outbox.put(
                to_text(Answer(ask.number, f"that is more than {most} MB: shorten it."))
            )
        elif ask.size:
            self._uploads[ask.number] = ask, bytearray()
        else:
            self._answer_soon(ask, b"")

    def _take_piece(self, piece: object) -> None:
        if not isinstance(piece, Piece):
            raise SegueError("a message is damaged: use the same Segue on both sides.")
        upload = self._uploads.get(piece.number)
        if upload is None:
            return  # of a request that was refused
        ask, content = upload
        content += piece.content
        held = sum(len(each) for _, each in self._uploads.values())
        if len(content) > ask.size or held > self.limits.upload_bytes:
            raise SegueError("more came than was announced: use the same Segue on both sides.")
        if len(content) == ask.size:
            del self._uploads[ask.number]
            self._answer_soon(ask, bytes(content))

    def _answer_soon(self, ask: Ask, content: bytes) -> None:
        task = asyncio.create_task(self._answer(ask, content))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, ask: Ask, content: bytes) -> None:
        session = self._session
        assert session is not None
        try:
            reply, body = await self._pool(lambda: answer(ask, content, session, self._secret))
        except SegueError as error:
            reply, body = Answer(ask.number, str(error)), b""
        except Exception as error:  # whatever an engine may raise
            sentence = f"the engine failed ({type(error).__name__}: {error})."
            reply, body = Answer(ask.number, sentence), b""
        self._outbox.put(to_text(replace(reply, size=len(body))))
        for start in range(0, len(body), PIECE_BYTES):
            self._outbox.put_piece(pack_piece(ask.number, body[start : start + PIECE_BYTES]))

"""Server: an engine for clients elsewhere, over WebSockets.

One event loop speaks with all clients; each session renders in a thread of its own; styles and
moments are made in a small pool of threads. A client that does what it should not is told so in a
sentence, noted in the log and cut off; nobody else notices.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from models.engine.interface import Engine
from models.errors import SegueError
from models.remote.protocol.limits import Limits
from models.remote.protocol.messages import (
    PROTOCOL,
    Admission,
    Answer,
    Hello,
    from_text,
    info_to_json,
    to_text,
)
from models.remote.server.journal import Journal
from models.remote.server.listener import Doorkeeper, listen
from models.remote.server.peer import Peer
from models.remote.server.session import StreamSession

SWEEP_SECONDS: Final = 5.0
TOO_OFTEN: Final = "connects too often: closed unheard"
TOO_LATE: Final = "nothing was asked for in time"


@dataclass
class _Entry:
    """A session and its line; until when it waits for one."""

    session: StreamSession
    peer: Peer | None
    until: float = 0.0


class RemoteServer:
    """Server of one engine. Runs in the event loop that calls `run`."""

    def __init__(
        self,
        engine: Engine,
        host: str,
        port: int,
        *,
        token: str = "",
        tls: ssl.SSLContext | None = None,
        secret: bytes = b"",
        limits: Limits | None = None,
        log: Callable[[str], object] = print,
    ) -> None:
        """token: that clients must give, '' for none. secret: seals moments. port: 0 for any."""
        self.engine, self.host, self.port = engine, host, port
        self.limits = limits or Limits()
        self.journal = Journal(log)
        self._token, self._tls = token, tls
        self._secret = secret or secrets.token_bytes(32)
        self._sessions: dict[str, _Entry] = {}
        self._connections = 0
        self._requests = ThreadPoolExecutor(2, thread_name_prefix="requests")
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def blocks(self) -> int:
        """Blocks rendered for the sessions that there are."""
        return sum(entry.session.blocks for entry in self._sessions.values())

    async def run(self, ready: Callable[[int], object] = lambda port: None) -> None:
        """Serve until `stop`. ready is called with the port.

        Raises:
            SegueError: the address cannot be used.

        """
        limits = self.limits
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            guarded = listen(
                self.host,
                self.port,
                Doorkeeper(limits.connections_per_second, limits.connections_at_once),
                lambda address: self.journal.note(address, TOO_OFTEN),
            )
            server = await serve(
                self._handle, sock=guarded, ssl=self._tls, origins=[None],
                process_request=self._admit, compression=None, open_timeout=limits.hello_seconds,
                ping_interval=20.0, ping_timeout=limits.idle_seconds, close_timeout=2.0,
                max_size=limits.message_bytes, max_queue=8, write_limit=8_192, server_header=None,
                logger=_silent_logger(),
            )  # fmt: skip
        except OSError as error:
            raise SegueError(
                f"{self.host} port {self.port} cannot be used ({error.strerror or error}): "
                "is another server running? Choose another --port."
            ) from error
        self.port = next(iter(server.sockets)).getsockname()[1]
        ready(self.port)
        sweep = asyncio.create_task(self._sweep())
        try:
            await self._stop.wait()
        finally:
            sweep.cancel()
            server.close(close_connections=True)
            await server.wait_closed()
            self._end_sessions()

    def stop(self) -> None:
        """End `run`, from any thread."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    def _end_sessions(self) -> None:
        for entry in self._sessions.values():
            entry.session.close()
        for entry in self._sessions.values():
            entry.session.join()
        self._sessions.clear()
        self._requests.shutdown(cancel_futures=True)
        self.journal.flush()

    # Connections.

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refusal of a connection before it is one; None where it may go on."""
        if self._token:
            given = request.headers.get_all("Authorization")
            wanted = f"Bearer {self._token}".encode()
            if len(given) != 1 or not hmac.compare_digest(_bytes_of(given[0]), wanted):
                return self._turn_away(connection, HTTPStatus.UNAUTHORIZED, "wrong token")
        if self._connections >= self.limits.connections:
            return self._turn_away(
                connection, HTTPStatus.SERVICE_UNAVAILABLE, "too many connections: try again later"
            )
        return None

    def _turn_away(self, connection: ServerConnection, status: HTTPStatus, why: str) -> Response:
        self.journal.note(host_of(connection), why)
        return connection.respond(status, f"{why}\n")

    async def _handle(self, connection: ServerConnection) -> None:
        """Serve one connection to its end."""
        host = host_of(connection)
        peer = Peer(connection, host, self.limits, self._in_pool, self._secret)
        key = ""
        self._connections += 1
        try:
            key = await self._greet(peer)
            await peer.serve()
        except SegueError as error:
            self.journal.note(peer.host, f"refused: {error}")
            await peer.refuse(str(error))
        except TimeoutError:
            self.journal.note(peer.host, f"closed: {TOO_LATE}")
            await peer.refuse(TOO_LATE)
        except ConnectionClosed as closed:
            if closed.sent is not None and closed.rcvd is None:  # we closed it
                self.journal.note(peer.host, f"closed: {closed.sent.reason or 'silent'}")
        finally:
            self._connections -= 1
            self._leave(key, peer)

    async def _greet(self, peer: Peer) -> str:
        """Let a client in; the key of its session. SegueError where it is refused."""
        async with asyncio.timeout(self.limits.hello_seconds):
            text = await peer.connection.recv()
        hello = from_text(text) if isinstance(text, str) else None
        if not isinstance(hello, Hello):
            raise SegueError("the first message is no greeting: is it Segue that connects?")
        if hello.protocol != PROTOCOL:
            raise SegueError(
                f"the client speaks protocol {hello.protocol}, this server {PROTOCOL}: "
                "use the same Segue on both sides."
            )
        name = self.engine.info.name
        if hello.engine != name:
            raise SegueError(f"this server plays {name}, not {hello.engine}: ask for that.")
        entry = self._sessions.get(hello.session)
        resumed = entry is not None
        key = hello.session
        if entry is None:
            key, entry = self._open_session()
        elif entry.peer is not None:
            entry.peer.cut()  # the line that it was on is dead, even if we do not know yet
        entry.peer = peer
        info = info_to_json(self.engine.info)
        admission = Admission(key, resumed, info, self.engine.weights_identity)
        peer.begin(entry.session, to_text(admission))
        what = (
            "is back"
            if resumed
            else f"plays, session {len(self._sessions)} of {self.limits.sessions}"
        )
        self.journal.note(peer.host, what)
        return key

    def _open_session(self) -> tuple[str, _Entry]:
        if len(self._sessions) >= self.limits.sessions:
            left = [
                (entry.until, key) for key, entry in self._sessions.items() if entry.peer is None
            ]
            if not left:
                raise SegueError(
                    f"the server plays for {self.limits.sessions} already, its most: try later."
                )
            self._sessions.pop(min(left)[1]).session.close()
        key = secrets.token_urlsafe(16)
        entry = _Entry(StreamSession(self.engine, self.limits, key[:4]), None)
        self._sessions[key] = entry
        return key, entry

    def _leave(self, key: str, peer: Peer) -> None:
        """A line has ended: its session waits for another one."""
        peer.end()
        entry = self._sessions.get(key)
        if entry is not None and entry.peer is peer:
            entry.peer = None
            entry.until = asyncio.get_running_loop().time() + self.limits.keep_seconds
            self.journal.note(peer.host, "left")

    async def _sweep(self) -> None:
        """Close sessions that nobody came back to."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = asyncio.get_running_loop().time()
            for key, entry in list(self._sessions.items()):
                if entry.peer is None and now >= entry.until:
                    del self._sessions[key]
                    entry.session.close()

    async def _in_pool(self, work: Callable[[], tuple[Answer, bytes]]) -> tuple[Answer, bytes]:
        return await asyncio.get_running_loop().run_in_executor(self._requests, work)


def _bytes_of(header: str) -> bytes:
    """A header as it came: bytes that are not ASCII are surrogates."""
    return header.encode(errors="surrogateescape")


def host_of(connection: ServerConnection) -> str:
    """Address of a client, without its port."""
    address = connection.remote_address
    return str(address[0]) if address else "somebody"


def _silent_logger() -> logging.Logger:
    """Logger for the library: what it has to say, the journal says in a sentence."""
    logger = logging.getLogger("segue.remote")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.CRITICAL + 1)
    return logger

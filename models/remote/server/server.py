"""Server: an engine for clients elsewhere, over WebSockets, on a socket of its own."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from models.engine.interface import Engine
from models.errors import SegueError
from models.remote.protocol.limits import Limits
from models.remote.server.connection import SocketConnection, host_of
from models.remote.server.host import EngineHost
from models.remote.server.listener import Doorkeeper, listen

TOO_OFTEN: Final = "connects too often: closed unheard"


class RemoteServer:
    """Server of one engine. Runs in the event loop that calls `run`."""

    def __init__(
        self,
        engine: Engine,
        address: str,
        port: int,
        *,
        token: str = "",
        tls: ssl.SSLContext | None = None,
        secret: bytes = b"",
        limits: Limits | None = None,
        log: Callable[[str], object] = print,
    ) -> None:
        """address: of the interface. port: 0 for any. Others: as of `EngineHost`."""
        self.host = EngineHost(engine, token=token, secret=secret, limits=limits, log=log)
        self.address, self.port = address, port
        self._tls = tls
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, ready: Callable[[int], object] = lambda port: None) -> None:
        """Serve until `stop`. ready is called with the port.

        Raises:
            SegueError: the address cannot be used.

        """
        limits, journal = self.host.limits, self.host.journal
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            guarded = listen(
                self.address,
                self.port,
                Doorkeeper(limits.connections_per_second, limits.connections_at_once),
                lambda address: journal.note(address, TOO_OFTEN),
            )
            server = await serve(
                lambda connection: self.host.serve(SocketConnection(connection)),
                sock=guarded, ssl=self._tls, origins=[None],
                process_request=self._admit, compression=None, open_timeout=limits.hello_seconds,
                ping_interval=20.0, ping_timeout=limits.idle_seconds, close_timeout=2.0,
                max_size=limits.message_bytes, max_queue=8, write_limit=8_192, server_header=None,
                logger=_silent_logger(),
            )  # fmt: skip
        except OSError as error:
            raise SegueError(
                f"{self.address} port {self.port} cannot be used ({error.strerror or error}): "
                "is another server running? Choose another --port."
            ) from error
        self.port = next(iter(server.sockets)).getsockname()[1]
        ready(self.port)
        sweep = asyncio.create_task(self.host.sweep())
        try:
            await self._stop.wait()
        finally:
            sweep.cancel()
            server.close(close_connections=True)
            await server.wait_closed()
            self.host.close()

    def stop(self) -> None:
        """End `run`, from any thread."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refusal of a connection before it is one; None where it may go on."""
        given = [_bytes_of(value) for value in request.headers.get_all("Authorization")]
        refused = self.host.refusal(host_of(connection), given)
        return None if refused is None else connection.respond(refused[0], f"{refused[1]}\n")


def _bytes_of(header: str) -> bytes:
    """A header as it came: bytes that are not ASCII are surrogates."""
    return header.encode(errors="surrogateescape")


def _silent_logger() -> logging.Logger:
    """Logger for the library: what it has to say, the journal says in a sentence."""
    logger = logging.getLogger("segue.remote")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.CRITICAL + 1)
    return logger

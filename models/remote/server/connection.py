"""Connection of a client as the server needs it, whatever carries it."""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import Final, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

UNSENT_BYTES: Final = 16_384
"""Bytes that wait in the system: what waits here can still be dropped for a newer run."""
NOT_SENT: Final = {"linux": 25, "darwin": 0x201}
"""TCP_NOTSENT_LOWAT, which Python does not name before 3.12."""


class LineClosedError(Exception):
    """The connection has ended. reason: why it was closed from here; '' where the client did."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Connection(Protocol):
    """Connection of a client. host: its address, without the port."""

    @property
    def host(self) -> str: ...

    async def send(self, message: str | bytes) -> None:
        """Send; LineClosedError where the line has ended."""

    async def recv(self) -> str | bytes:
        """The next message; LineClosedError where the line has ended."""

    async def close(self, reason: str) -> None:
        """Close with a reason of at most 120 bytes."""

    def cut(self) -> None:
        """Break the connection off."""


class SocketConnection:
    """Connection of the library `websockets`."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        with contextlib.suppress(OSError, KeyError, AttributeError):
            connection.transport.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, NOT_SENT[sys.platform], UNSENT_BYTES
            )

    @property
    def host(self) -> str:
        return host_of(self._connection)

    async def send(self, message: str | bytes) -> None:
        try:
            await self._connection.send(message)
        except ConnectionClosed as closed:
            raise _line_closed(closed) from None

    async def recv(self) -> str | bytes:
        try:
            return await self._connection.recv()
        except ConnectionClosed as closed:
            raise _line_closed(closed) from None

    async def close(self, reason: str) -> None:
        await self._connection.close(1008, reason)

    def cut(self) -> None:
        self._connection.transport.abort()


def _line_closed(closed: ConnectionClosed) -> LineClosedError:
    ours = closed.sent is not None and closed.rcvd is None
    return LineClosedError((closed.sent.reason or "silent") if ours and closed.sent else "")


def host_of(connection: ServerConnection) -> str:
    """Address of a client, without its port."""
    address = connection.remote_address
    return str(address[0]) if address else "somebody"

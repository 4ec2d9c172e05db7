"""A server of an engine in a thread, for tests; and raw clients that do what they should not."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from models.engine.interface import Engine
from models.remote.protocol.limits import Limits
from models.remote.server.server import RemoteServer


class ServerThread:
    """A running server. log: what it wrote."""

    def __init__(
        self, engine: Engine, *, port: int = 0, token: str = "", tls: ssl.SSLContext | None = None,
        limits: Limits | None = None, secret: bytes = b"s" * 32,
    ) -> None:  # fmt: skip
        self.log: list[str] = []
        self.server = RemoteServer(
            engine, "127.0.0.1", port, token=token, tls=tls, limits=limits, secret=secret,
            log=self.log.append,
        )  # fmt: skip
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self.server.run(lambda port: ready.set())), daemon=True
        )
        self._thread.start()
        assert ready.wait(10.0)

    @property
    def port(self) -> int:
        return self.server.port

    def address(self, name: str = "tone") -> str:
        return f"remote://127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """End the server; its clients are cut off and its sessions forgotten."""
        self.server.stop()
        self._thread.join(20.0)
        assert not self._thread.is_alive()


@contextmanager
def served(engine: Engine, **options: object) -> Iterator[ServerThread]:
    """A server during a test."""
    server = ServerThread(engine, **options)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.stop()

"""Host of an engine: the part of a server that does not depend on how connections come in.

One event loop speaks with all clients; each session renders in a thread of its own; styles and
moments are made in a small pool of threads. A client that does what it should not is told so in a
sentence, noted in the log and cut off; nobody else notices.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Final, TypeAlias

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
from models.remote.server.connection import Connection, LineClosedError
from models.remote.server.handover import SessionKeeper, SessionRecord, SessionRecorder
from models.remote.server.journal import Journal
from models.remote.server.peer import Peer
from models.remote.server.session import StreamSession
from models.remote.server.session_table import SessionTable
from models.remote.server.shared_renderer import SharedRenderer
from models.remote.server.statistics import Reading, ServerStatistics

SWEEP_SECONDS: Final = 5.0
TOO_LATE: Final = "nothing was asked for in time"

Refused: TypeAlias = "tuple[HTTPStatus, str]"


class EngineHost:
    """Host of one engine. Its methods run in one event loop."""

    def __init__(
        self,
        engine: Engine,
        *,
        token: str = "",
        secret: bytes = b"",
        limits: Limits | None = None,
        log: Callable[[str], object] = print,
        keeper: SessionKeeper | None = None,
        admitted: Callable[[str], object] = lambda key: None,
    ) -> None:
        """token: that clients must give, '' for none. secret: seals moments. keeper: keeps sessions
        outside, so that another host can go on with them. admitted: is told the key of each session
        that a client takes up.
        """
        self.engine, self.limits = engine, limits or Limits()
        self.journal = Journal(log)
        self.statistics = ServerStatistics()
        self.table: SessionTable[StreamSession, Peer] = SessionTable(
            self.limits.sessions, self.limits.keep_seconds
        )
        self._token, self._keeper, self._admitted = token, keeper, admitted
        self._secret = secret or secrets.token_bytes(32)
        self._renderer = SharedRenderer(engine)
        self._connections = 0
        self._requests = ThreadPoolExecutor(2, thread_name_prefix="requests")

    def read_statistics(self) -> Reading:
        """Values of the metrics since the last call."""
        entries = self.table.entries.values()
        return self.statistics.read((entry.session, entry.peer is not None) for entry in entries)

    def illness(self) -> str | None:
        """What is wrong with the engine, so that it should be started anew; None for nothing."""
        sessions = (entry.session for entry in self.table.entries.values())
        return self.statistics.illness(sessions, time.perf_counter())

    def close(self) -> None:
        """End the sessions."""
        sessions = [entry.session for entry in self.table.entries.values()]
        for key in list(self.table.entries):
            self.table.remove(key)
        for session in sessions:
            session.join()
        self._requests.shutdown(cancel_futures=True)
        self.journal.flush()

    def refusal(self, host: str, authorization: Sequence[bytes]) -> Refused | None:
        """Refusal of a connection before it is one, with the headers Authorization that it has;
        None where it may go on.
        """
        refused: Refused | None = None
        wanted = f"Bearer {self._token}".encode()
        if self._token and not (
            len(authorization) == 1 and hmac.compare_digest(authorization[0], wanted)
        ):
            refused = HTTPStatus.UNAUTHORIZED, "wrong token"
        elif self._connections >= self.limits.connections:
            refused = (
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too many connections: try again later",
            )
        if refused is not None:
            self.journal.note(host, refused[1])
        return refused

    async def serve(self, connection: Connection) -> None:
        """Serve one connection to its end."""
        peer = Peer(connection, self.limits, self._in_pool, self._secret)
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
        except LineClosedError as closed:
            if closed.reason:
                self.journal.note(peer.host, f"closed: {closed.reason}")
        finally:
            self._connections -= 1
            peer.end()
            if self.table.leave(key, peer, asyncio.get_running_loop().time()):
                self.journal.note(peer.host, "left")

    async def sweep(self) -> None:
        """Close sessions that nobody came back to, until it is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for key in self.table.expire(asyncio.get_running_loop().time()):
                if self._keeper is not None:
                    self._keeper.forget(key)

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
        key, what = await self._session_of(hello.session)
        before = self.table.take(key, peer)
        if before is not None:
            before.cut()  # the line that it was on is dead, even if we do not know yet
        admission = Admission(
            key, key == hello.session, info_to_json(self.engine.info), self.engine.weights_identity
        )
        peer.begin(self.table.entries[key].session, to_text(admission))
        self.journal.note(peer.host, what)
        self._admitted(key)
        return key

    async def _session_of(self, asked: str) -> tuple[str, str]:
        """Key of the session for who asks for one, and what to note of him."""
        record = None
        if asked and self._keeper is not None:
            record = await self._keeper.claim(asked)
        if record is not None:
            if asked not in self.table.entries:
                self.table.make_room()
            self.table.put(asked, self._new_session(asked, record))
            self.statistics.taken_over += 1
            return asked, "is back, taken over"
        if asked in self.table.entries:
            return asked, "is back"
        self.table.make_room()
        key = secrets.token_urlsafe(16)
        self.table.put(key, self._new_session(key, None))
        return key, f"plays, session {len(self.table)} of {self.table.most}"

    def _new_session(self, key: str, record: SessionRecord | None) -> StreamSession:
        recorder = None
        if self._keeper is not None:
            write = partial(self._keeper.write, key)
            recorder = SessionRecorder(write, self.engine.pack, time.perf_counter)
        return StreamSession(
            self.engine, self.limits, key[:4], self.statistics.blocks, recorder, record,
            self._renderer,
        )  # fmt: skip

    async def _in_pool(self, work: Callable[[], tuple[Answer, bytes]]) -> tuple[Answer, bytes]:
        return await asyncio.get_running_loop().run_in_executor(self._requests, work)

"""Line to a server: a thread with an event loop that connects, reads, sends, and connects again.

The connection is watched by a ping a second. A line that is silent for SILENT_SECONDS is given up
and made anew, which is faster than waiting until TCP has noticed that it is back.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from models.engine.controls import CONTROL_NAMES
from models.engine.interface import SENDS, EngineInfo
from models.engine.parts import PART_CONTROLS
from models.errors import SegueError
from models.remote.client.feed import BlockFeed
from models.remote.client.journeys import Journeys
from models.remote.client.replies import Replies
from models.remote.client.trust import Trust
from models.remote.client.width import LineWidth
from models.remote.protocol.address import RemoteAddress
from models.remote.protocol.limits import PIECE_BYTES
from models.remote.protocol.messages import (
    Admission,
    Answer,
    Ask,
    Block,
    Fault,
    Hello,
    Message,
    Ping,
    Refusal,
    Release,
    Started,
    from_bytes,
    from_text,
    info_from_json,
    pack_piece,
    to_text,
)
from models.remote.protocol.outbox import Outbox
from models.runtime.line_thread import LineThread

OPEN_SECONDS: Final = 5.0
PING_SECONDS: Final = 1.0
SILENT_SECONDS: Final = 4.0
LEAST_BYTES_A_SECOND: Final = 100_000
"""Of an upload, behind which the pings wait: so much longer the line may be silent."""
RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0)
WAIT_SECONDS: Final = 0.05
MAX_MESSAGE: Final = 8_000_000
RELEASED_AT_ONCE: Final = 2000
SESSION_HEADER: Final = "serve-multiplexed-model-id"
"""By which Ray Serve leads a client back to the replica that has its session."""
HEARING: Final = frozenset({"memory", "echo"})
"""Sends that need what is played in (`Stream.hear`), which does not travel."""
KNOWN: Final = frozenset({*CONTROL_NAMES, "strength", *SENDS, *PART_CONTROLS}) - HEARING


class RemoteLine(LineThread):
    """Line to a server. Its methods may be called from any thread.

    connection: number of the connection, 0 before the first one. session: key of the session there.
    journeys: how long the line takes. width: which format of audio fits. released: snapshots that
    nobody needs, of sessions by their keys.
    """

    def __init__(self, address: RemoteAddress, trust: Trust) -> None:
        super().__init__("remote line")
        self.address, self.trust = address, trust
        self.connection = 0
        self.connected = False
        self.session = ""
        self.info: EngineInfo | None = None
        self.weights: str | None = None
        self.journeys = Journeys()
        self.width = LineWidth(address.audio_format, address.secure)
        self.released: deque[tuple[str, int]] = deque()
        self._numbers = itertools.count(1)
        self._feed: BlockFeed | None = None
        self._replies = Replies()
        self._lock = threading.Lock()
        self._heard_at = 0.0
        self._patient_until = 0.0
        self._outbox: Outbox | None = None

    # Any thread.

    def number(self) -> int:
        """A number that no run and no request had before."""
        return next(self._numbers)

    def send(self, message: Message) -> None:
        """Send a message; it is lost where the line is down."""
        self._put(lambda outbox: outbox.put(to_text(message)))

    def follow(self, feed: BlockFeed) -> None:
        """Fill this feed from now on instead of another one."""
        with self._lock:
            self._feed = feed
            if feed.connection != self.connection or not self.connected:
                feed.end()

    def request(self, ask: Ask, content: bytes, seconds: float) -> tuple[Answer, bytes]:
        """Answer to a request; where the line is down, after it is back.

        Raises:
            SegueError: the server's sentence, or that it does not answer within `seconds`.

        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._is_down():
                if self._closing:
                    break
                time.sleep(WAIT_SECONDS)
                continue
            reply = self._replies.expect(ask.number)
            if self._is_down():  # meanwhile: nobody may cancel this one
                self._replies.forget(ask.number)
                continue
            self._patient_until = time.monotonic() + len(content) / LEAST_BYTES_A_SECOND
            self._put(lambda outbox: _upload(outbox, ask, content))
            try:
                answer, body = reply.result(max(0.0, deadline - time.monotonic()))
            except CancelledError:  # the line went down
                continue
            except FutureTimeoutError:
                break
            finally:
                self._replies.forget(ask.number)
            if answer.sentence:
                raise SegueError(answer.sentence)
            return answer, body
        raise SegueError(f"{self.address.place} does not answer: try again when the line is back.")

    def _is_down(self) -> bool:
        return not self.connected

    def _put(self, put: Callable[[Outbox], None]) -> None:
        def run() -> None:
            if self._outbox is not None:
                put(self._outbox)

        self._post(run)

    # The line's thread.

    async def _end(self) -> None:
        self._lose()

    async def _keep_open(self) -> None:
        told, tries = "", 0
        while not self._closing:
            try:
                await self._connect()
                reason = "was closed"
            except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed, SegueError) as error:
                reason = self._reason(error)
            was_open = self.connected
            self._lose()
            if self._fail_first(reason):
                return
            if was_open:
                told, tries = "", 0
                self.tell(
                    "warning", f"the line to {self.address.place} is down: the plan plays on."
                )
            elif isinstance(reason, str) and reason != told and "answers" not in reason:
                told = reason
                self.tell("warning", reason)
            await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
            tries += 1

    def _reason(self, error: Exception) -> str:
        place = self.address.place
        if isinstance(error, SegueError):
            return str(error)
        if isinstance(error, InvalidStatus):
            if error.response.status_code == 401:
                return (
                    f"{place} wants another token: write remote://TOKEN@{place}/"
                    f"{self.address.engine}, with the one that it printed when it started."
                )
            return f"{place} refuses the connection ({error.response.status_code}): try later."
        if isinstance(error, ssl.SSLCertVerificationError):
            return self.trust.mistrust
        if isinstance(error, ssl.SSLError):
            return f"{place} does not speak TLS as a server of Segue does ({error.reason})."
        if isinstance(error, ConnectionClosed):
            return f"{place} closed the connection ({error.rcvd.reason if error.rcvd else 'cut'})."
        return f"nothing answers at {place}: is `serve` running there?"

    async def _connect(self) -> None:
        """Connect once and serve the connection until it ends."""
        address = self.address
        context = await self.trust.context() if address.secure else None
        token = self.trust.token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if self.session:
            headers[SESSION_HEADER] = self.session
        async with connect(
            address.url, ssl=context, additional_headers=headers, compression=None, proxy=None,
            open_timeout=OPEN_SECONDS, ping_interval=None, close_timeout=1.0, max_size=MAX_MESSAGE,
            max_queue=64, user_agent_header=None,
        ) as connection:  # fmt: skip
            async with asyncio.timeout(OPEN_SECONDS):
                await connection.send(to_text(Hello(address.engine, session=self.session)))
                reply = await connection.recv()
            self._admitted(reply)
            tasks = [
                asyncio.create_task(work(connection))
                for work in (self._read, self._send_all, self._ping)
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                connection.transport.abort()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _admitted(self, reply: str | bytes) -> None:
        message = from_text(reply) if isinstance(reply, str) else None
        if isinstance(message, Refusal):
            raise SegueError(message.sentence)
        if not isinstance(message, Admission):
            raise SegueError(f"{self.address.place} is no server of Segue's engines.")
        info = info_from_json(
            message.info,
            KNOWN,
            name=self.address.name,
            device=self.address.place,
            remote=True,
            user_instruments=False,
        )
        if self.info is not None and (info, message.weights) != (self.info, self.weights):
            raise SegueError(f"{self.address.place} plays another model now: open it anew.")
        with self._lock:
            self.info, self.weights = info, message.weights
            self.session = message.session
            self.connection += 1
            self.connected = True
            self._outbox = Outbox()
        self._heard_at, self._patient_until = time.monotonic(), 0.0
        self.journeys.begin()
        self.trust.keep()
        if self._open_first():
            return
        if message.resumed:
            self.tell("info", f"the line to {self.address.place} is back: the music goes on.")
        else:
            self.tell("info", f"the line to {self.address.place} is back.")

    def _lose(self) -> None:
        """The connection has ended: nothing more comes of what it was asked."""
        with self._lock:
            self.connected = False
            feed, self._outbox = self._feed, None
        if feed is not None:
            feed.end()
        self._replies.cancel()

    async def _send_all(self, connection: ClientConnection) -> None:
        outbox = self._outbox
        assert outbox is not None
        while True:
            await connection.send(await outbox.get())

    async def _ping(self, connection: ClientConnection) -> None:
        outbox = self._outbox
        assert outbox is not None
        while True:
            number = self.number()
            self.journeys.send(number, time.monotonic())
            outbox.put(to_text(Ping(number)))
            gone = [
                self.released.popleft() for _ in range(min(len(self.released), RELEASED_AT_ONCE))
            ]
            numbers = tuple(n for session, n in gone if session == self.session)
            if numbers:
                outbox.put(to_text(Release(numbers)))
            await asyncio.sleep(PING_SECONDS)
            if time.monotonic() - max(self._heard_at, self._patient_until) > SILENT_SECONDS:
                raise ConnectionError("silent")

    async def _read(self, connection: ClientConnection) -> None:
        while True:
            data = await connection.recv()
            self._heard_at = time.monotonic()
            if isinstance(data, str):
                self._take(from_text(data))
                continue
            content = from_bytes(data, self.info)
            if isinstance(content, Block):
                feed = self._feed
                if feed is not None and feed.number == content.number:
                    self._measure(feed, content)
                    feed.put(content)
            else:
                self._replies.add(content.number, content.content)

    def _take(self, message: Message) -> None:
        feed = self._feed
        if isinstance(message, Ping):
            self.journeys.arrive(message.number, time.monotonic())
        elif isinstance(message, Answer):
            self._replies.answered(message)
        elif isinstance(message, Refusal):
            raise SegueError(message.sentence)
        elif isinstance(message, Started | Fault) and feed is not None:
            if feed.number == message.number and isinstance(message, Fault):
                feed.fail(message)
            elif feed.number == message.number and isinstance(message, Started):
                feed.started = message.snapshot

    def _measure(self, feed: BlockFeed, block: Block) -> None:
        """Note how long a block was on its way, where it came without a pause before it."""
        now = time.monotonic()
        if feed.received and feed.granted > feed.received and self.info is not None:
            self.width.add(now - feed.arrived_at, block.seconds, self.info.block_seconds)
        feed.arrived_at = now


def _upload(outbox: Outbox, ask: Ask, content: bytes) -> None:
    """Queue a request and its content."""
    outbox.put(to_text(ask))
    for start in range(0, len(content), PIECE_BYTES):
        outbox.put_piece(pack_piece(ask.number, content[start : start + PIECE_BYTES]))

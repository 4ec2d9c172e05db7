"""A host behind a server that brings WebSockets by ASGI, and two hosts that share a keeper."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from models.engine.controls import Controls
from models.remote.cluster.asgi import HostApp
from models.remote.cluster.directory import SessionDirectory
from models.remote.protocol.limits import Limits
from models.remote.protocol.messages import (
    Admission,
    Block,
    Hello,
    Place,
    Refusal,
    Run,
    Started,
    from_bytes,
    from_text,
    to_text,
)
from models.remote.server.handover import KeptSnapshot, SessionRecord, Step
from models.remote.server.host import EngineHost
from tests.support.tone_engine import ToneEngine

A = Controls(notes=(57,))
TOKEN = "t" * 16
AUTHORIZED = [(b"authorization", f"Bearer {TOKEN}".encode())]


class Keeper:
    """Keeper by a directory in this process."""

    def __init__(self, directory: SessionDirectory, owner: str) -> None:
        self.directory, self.owner = directory, owner

    async def claim(self, key: str) -> SessionRecord | None:
        return self.directory.claim(key, self.owner)

    def write(self, key: str, entry: Step | KeptSnapshot) -> None:
        self.directory.write(key, self.owner, entry)

    def forget(self, key: str) -> None:
        self.directory.forget(key, self.owner)


class Line:
    """A WebSocket as an ASGI server brings it."""

    def __init__(self, app: HostApp, headers: list[tuple[bytes, bytes]]) -> None:
        self.inbox: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.outbox: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.inbox.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "client": ("192.0.2.1", 5), "headers": headers}

        async def send(event: object) -> None:
            assert isinstance(event, dict)
            self.outbox.put_nowait(event)

        self.task = asyncio.create_task(app(scope, self.inbox.get, send))

    def say(self, message: str) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "text": message})

    async def next(self) -> dict[str, object]:
        return await asyncio.wait_for(self.outbox.get(), 10.0)

    async def greet(self, session: str = "") -> Admission | Refusal:
        assert (await self.next())["type"] == "websocket.accept"
        self.say(to_text(Hello("tone", session=session)))
        answer = from_text(str((await self.next())["text"]))
        assert isinstance(answer, Admission | Refusal)
        return answer

    async def blocks(self, engine: ToneEngine, run: Run) -> tuple[int | None, list[Block]]:
        self.say(to_text(run))
        started: int | None = None
        blocks: list[Block] = []
        while len(blocks) < run.credit:
            event = await self.next()
            if event.get("text"):
                message = from_text(str(event["text"]))
                assert isinstance(message, Started)
                started = message.snapshot
                continue
            data = event["bytes"]
            assert isinstance(data, bytes)
            block = from_bytes(data, engine.info)
            assert isinstance(block, Block)
            blocks.append(block)
        return started, blocks


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(30.0):
            await test()

    asyncio.run(within())


def host(
    directory: SessionDirectory | None = None, owner: str = "one", **options: object
) -> EngineHost:
    keeper = None if directory is None else Keeper(directory, owner)
    return EngineHost(
        ToneEngine(block_seconds=0.02), token=TOKEN, secret=b"s" * 32, keeper=keeper,
        log=lambda line: None, **options,  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_session_goes_on_with_another_host_when_its_own_is_gone() -> None:
    async def test() -> None:
        directory, pinned = SessionDirectory(), list[str]()
        first = host(directory, "one", admitted=pinned.append)
        line = Line(HostApp(first), AUTHORIZED)
        admission = await line.greet()
        assert isinstance(admission, Admission) and not admission.resumed
        engine = ToneEngine(block_seconds=0.02)
        _, blocks = await line.blocks(engine, Run(1, Place(seed=7), A, credit=5))
        assert pinned == [admission.session]
        line.task.cancel()  # the process is gone: nobody says goodbye

        second = host(directory, "two")
        again = Line(HostApp(second), AUTHORIZED)
        back = await again.greet(admission.session)
        assert isinstance(back, Admission)
        assert (back.session, back.resumed) == (admission.session, True)
        started, more = await again.blocks(engine, Run(2, Place(blocks[-1].snapshot), A, credit=3))
        assert started == blocks[-1].snapshot
        stream = engine.start(7)
        for block in (*blocks, *more):
            assert np.array_equal(block.planes[0], stream.render(A))
        reading = second.read_statistics()
        assert reading.gauges["segue_sessions"] == 1.0
        assert reading.counts["segue_sessions_taken_over"] == 1.0
        assert second.illness() is None
        again.inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})
        await again.task
        assert second.read_statistics().gauges["segue_sessions_waiting"] == 1.0
        third = Line(HostApp(second), AUTHORIZED)  # and back to the same one: it is here
        assert isinstance(await third.greet(admission.session), Admission)
        assert second.read_statistics().counts["segue_sessions_taken_over"] == 0.0
        fourth = Line(HostApp(second), AUTHORIZED)  # by another line: the older one is cut
        assert isinstance(await fourth.greet(admission.session), Admission)
        await third.task
        for each in (line, fourth):
            each.task.cancel()
        await asyncio.gather(line.task, fourth.task, return_exceptions=True)
        first.close()
        second.close()

    run(test)


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ([], "wrong token"),
        ([(b"authorization", b"Bearer wrong")], "wrong token"),
        ([*AUTHORIZED, *AUTHORIZED], "wrong token"),
        ([*AUTHORIZED, (b"origin", b"https://example.org")], "browsers are not let in"),
    ],
)
def test_who_may_not_is_told_so(headers: list[tuple[bytes, bytes]], sentence: str) -> None:
    async def test() -> None:
        each = host()
        line = Line(HostApp(each), headers)
        assert (await line.next())["type"] == "websocket.accept"
        refusal = from_text(str((await line.next())["text"]))
        assert isinstance(refusal, Refusal) and sentence in refusal.sentence
        assert (await line.next())["type"] == "websocket.close"
        await line.task
        assert not len(each.table)
        each.close()

    run(test)


def test_a_message_that_is_too_long_ends_the_line() -> None:
    async def test() -> None:
        each = host(limits=Limits(message_bytes=1000))
        line = Line(HostApp(each), AUTHORIZED)
        await line.greet()
        line.say("x" * 1001)
        refusal = from_text(str((await line.next())["text"]))
        assert isinstance(refusal, Refusal) and "more than 1000 bytes" in refusal.sentence
        assert (await line.next())["type"] == "websocket.close"
        await line.task
        each.close()

    run(test)


def test_it_begins_and_ends_with_its_server_and_answers_a_browser() -> None:
    async def test() -> None:
        begun, sent = [], list[dict[str, object]]()
        each = host()
        app = HostApp(each, lambda: begun.append(True))
        events: asyncio.Queue[dict[str, object]] = asyncio.Queue()

        async def send(event: object) -> None:
            assert isinstance(event, dict)
            sent.append(event)

        for kind in ("lifespan.startup", "lifespan.shutdown"):
            events.put_nowait({"type": kind})
        await app({"type": "lifespan"}, events.get, send)
        assert [event["type"] for event in sent] == [
            "lifespan.startup.complete", "lifespan.shutdown.complete",
        ]  # fmt: skip
        assert begun == [True]
        sent.clear()
        await app({"type": "http", "headers": []}, events.get, send)
        assert sent[0]["status"] == 426 and b"tone plays here" in bytes(sent[1]["body"])  # type: ignore

    run(test)

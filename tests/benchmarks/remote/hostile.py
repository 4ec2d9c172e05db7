"""Clients that do what they must not, while one that behaves plays on."""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from models.engine.controls import Controls
from models.remote.protocol.messages import Hello, Refusal, Run, from_text, to_text
from models.remote.protocol.messages import Place as Place
from models.storage.json_types import JsonObject
from tests.benchmarks.remote.player import play

FRAMES = 10_000
TOKENS_A_SECOND = 200
SESSIONS = 100


class Target(Protocol):
    """What is used of a server."""

    port: int
    engine: str

    @property
    def token(self) -> str: ...
    def megabytes(self) -> float: ...


@dataclass(frozen=True)
class Victim:
    """Server as the hostile clients see it: they have the token, and do not care who it is."""

    port: int
    engine: str
    token: str

    def connect(self, token: str | None = None, max_queue: int = 16) -> connect:
        """A connection, as a context manager."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        bearer = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return connect(
            f"wss://127.0.0.1:{self.port}/{self.engine}", ssl=context, compression=None,
            proxy=None, additional_headers=bearer, max_queue=max_queue,
        )  # fmt: skip


def attack(server: Target, address: str, seconds: float, turn_seconds: float) -> JsonObject:
    """Figures of a session before and among hostile clients in a process of their own."""
    alone = play(address, seconds / 3, (), turn_seconds).figures()
    before = server.megabytes()
    peaks: list[float] = []
    stop = threading.Event()
    clients: list[subprocess.Popen[str]] = []

    def watch() -> None:
        while not stop.wait(0.2):
            peaks.append(server.megabytes())

    def begin() -> None:
        words = [str(server.port), server.engine, str(seconds)]
        clients.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.benchmarks.remote.hostile", *words],
                stdout=subprocess.PIPE, text=True, env={**os.environ, "SEGUE_TOKEN": server.token},
            )
        )  # fmt: skip

    watching = threading.Thread(target=watch)
    events = [(1.0, watching.start), (1.0, begin)]
    among = play(address, seconds, events, turn_seconds).figures()
    told, _ = clients[0].communicate(timeout=seconds)
    stop.set()
    watching.join()
    return {
        "alone": alone,
        "among": among,
        "megabytes_before": round(before),
        "megabytes_most": round(max(peaks, default=0)),
        "megabytes_after": round(server.megabytes()),
        "told": json.loads(told),
    }


async def everything(victim: Victim, told: Counter[str], seconds: float) -> None:
    """All attacks, one after the other, none longer than its share of the time."""
    for work in (malformed, huge, many, slow, garbage, tokens):
        began = time.monotonic()
        try:
            await asyncio.wait_for(work(victim, told), seconds / 3)
        except TimeoutError:
            told[f"{work.__name__}: not done in time"] += 1
        told[f"seconds of {work.__name__}"] = round(time.monotonic() - began)


async def _ended(connection: ClientConnection, told: Counter[str]) -> None:
    """Read to the end and count what was said."""
    try:
        while True:
            message = from_text(str(await asyncio.wait_for(connection.recv(), 10.0)))
            if isinstance(message, Refusal):
                told[message.sentence] += 1
    except ConnectionClosed as closed:
        if closed.rcvd is not None and closed.rcvd.code != 1008:
            told[f"{closed.rcvd.code} {closed.rcvd.reason}"] += 1
    except TimeoutError:
        told["nothing within 10 s"] += 1


async def malformed(victim: Victim, told: Counter[str]) -> None:
    """10,000 malformed frames: as many as a connection takes, connection after connection."""
    rng, sent = random.Random(1), 0
    kinds: list[Callable[[], str | bytes]] = [
        lambda: rng.randbytes(rng.randrange(200)), lambda: "{" * rng.randrange(2000),
        lambda: '{"kind":"run"}', lambda: "[" * 50_000, lambda: '{"kind":"hello","engine":3}',
        lambda: struct.pack("<BI", 2, 7) + bytes(100),
    ]  # fmt: skip
    while sent < FRAMES:
        try:
            async with victim.connect() as connection:
                for _ in range(200):
                    await connection.send(rng.choice(kinds)())
                    sent += 1
                await _ended(connection, told)
        except (ConnectionClosed, InvalidHandshake, OSError):
            pass
    told["malformed frames"] = sent


async def huge(victim: Victim, told: Counter[str]) -> None:
    """A frame that says it has a gigabyte, and as much of it as is taken."""
    for _ in range(10):
        async with victim.connect() as connection:
            header = struct.pack("!BBQ", 0x81, 0x80 | 127, 1_000_000_000) + bytes(4)
            try:
                connection.transport.write(header)
                for _ in range(1000):
                    connection.transport.write(bytes(1_000_000))
                    await asyncio.sleep(0)
                    if connection.transport.is_closing():
                        break
            except OSError:
                pass
            await _ended(connection, told)


async def many(victim: Victim, told: Counter[str]) -> None:
    """100 sessions asked for at once."""

    async def one() -> None:
        try:
            async with victim.connect() as connection:
                await connection.send(to_text(Hello(victim.engine)))
                first = from_text(str(await connection.recv()))
                told[first.sentence if isinstance(first, Refusal) else "let in"] += 1
                await asyncio.sleep(2.0)
        except InvalidHandshake as error:
            told[f"not let in: {error}"] += 1
        except (ConnectionClosed, OSError) as error:
            told[f"cut: {type(error).__name__}"] += 1

    await asyncio.gather(*(one() for _ in range(SESSIONS)))


async def slow(victim: Victim, told: Counter[str]) -> None:
    """A client that asks for blocks and reads none."""
    async with victim.connect(max_queue=1) as connection:
        await connection.send(to_text(Hello(victim.engine)))
        await connection.recv()
        connection.transport.pause_reading()
        for number in range(1, 200):
            await connection.send(to_text(Run(number, Place(), Controls(), credit=10**9)))
            await asyncio.sleep(0.02)
        told["slow reader asked for blocks"] += 199
        connection.transport.abort()


async def garbage(victim: Victim, told: Counter[str]) -> None:
    """What is no WebSocket at all."""
    for _ in range(200):
        reader, writer = await asyncio.open_connection("127.0.0.1", victim.port)
        writer.write(random.randbytes(3000))
        try:
            await asyncio.wait_for(reader.read(), 2.0)
        except (OSError, TimeoutError):
            pass
        writer.close()
    told["connections with noise"] += 200


async def tokens(victim: Victim, told: Counter[str]) -> None:
    """Connections at 200 a second, with wrong tokens."""
    began, tried = time.monotonic(), 0
    waiting: set[asyncio.Task[None]] = set()

    async def one() -> None:
        try:
            async with victim.connect("wrong" + "x" * (tried % 50)):
                told["let in"] += 1
        except InvalidHandshake as error:
            told[f"not let in: {error}"] += 1
        except OSError as error:
            told[f"cut: {type(error).__name__}"] += 1

    while tried < 10 * TOKENS_A_SECOND:
        tried += 1
        waiting.add(asyncio.create_task(one()))
        await asyncio.sleep(max(0.0, began + tried / TOKENS_A_SECOND - time.monotonic()))
        waiting = {each for each in waiting if not each.done()}
    await asyncio.gather(*waiting)
    told[f"{tried} wrong tokens in {time.monotonic() - began:.0f} s"] += 1


def main() -> None:
    victim = Victim(int(sys.argv[1]), sys.argv[2], os.environ["SEGUE_TOKEN"])
    told: Counter[str] = Counter()
    asyncio.run(everything(victim, told, float(sys.argv[3])))
    print(json.dumps(dict(told.most_common())))


if __name__ == "__main__":
    main()

"""A bad line: a TCP proxy with a delay, jitter, a width, lost packets and drops.

Packets stay in order, as TCP keeps them: a lost one holds up what is behind it until it was sent
again, a journey there and back later, or twice that where it is lost again.

    python -m tests.benchmarks.remote.proxy LISTEN TARGET --ms 40 --jitter 30 --loss 0.02 --mbit 1

`drop SECONDS` on its standard input cuts the line silently for a while: nothing arrives, nothing is
refused.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from dataclasses import dataclass, field

PACKET = 1448


@dataclass
class LineQuality:
    """ms: one way. jitter: ms that are added at random. mbit: of each direction, 0 for any."""

    ms: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    mbit: float = 0.0
    down_until: float = 0.0
    random: random.Random = field(default_factory=lambda: random.Random(1))

    def hold(self) -> float:
        """Seconds that a packet is on its way."""
        seconds = (self.ms + self.random.uniform(0.0, self.jitter)) / 1000.0
        again = 2.0 * (self.ms + self.jitter) / 1000.0 + 0.01
        while self.random.random() < self.loss:
            seconds += again
            again *= 2.0
        return seconds


class Direction:
    """One direction of the whole line, shared by its connections."""

    def __init__(self, quality: LineQuality) -> None:
        self.quality = quality
        self.free_at = 0.0
        self.bytes = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection's bytes."""
        packets: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue(64)

        async def deliver() -> None:
            while (packet := await packets.get()) is not None:
                at, data = packet
                while (wait := max(at, self.quality.down_until) - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                writer.write(data)
                await writer.drain()
            writer.close()

        delivery = asyncio.create_task(deliver())
        latest = 0.0
        try:
            while data := await reader.read(PACKET):
                now = time.monotonic()
                if self.quality.mbit:
                    takes = 8 * len(data) / self.quality.mbit / 1e6
                    self.free_at = max(self.free_at, now - 0.02) + takes
                    if self.free_at > now + 0.002:
                        await asyncio.sleep(self.free_at - now)
                latest = max(latest, time.monotonic() + self.quality.hold())
                self.bytes += len(data)
                await packets.put((latest, data))
        except OSError:
            pass
        try:
            await asyncio.wait_for(packets.put(None), 1.0)
            await delivery
        except (OSError, TimeoutError):
            delivery.cancel()
            writer.transport.abort()


async def proxy(listen: int, target: int, quality: LineQuality) -> None:
    there, back = Direction(quality), Direction(quality)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (wait := quality.down_until - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        try:
            far_reader, far_writer = await asyncio.open_connection(
                "127.0.0.1", target, limit=4 * PACKET
            )
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(
            there.carry(reader, far_writer), back.carry(far_reader, writer), return_exceptions=True
        )

    server = await asyncio.start_server(connected, "127.0.0.1", listen, limit=4 * PACKET)
    loop = asyncio.get_running_loop()

    def command() -> None:
        words = sys.stdin.readline().split()
        if not words:
            loop.remove_reader(sys.stdin)
        elif words[0] == "drop":
            quality.down_until = time.monotonic() + float(words[1])

    loop.add_reader(sys.stdin, command)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("listen", type=int)
    parser.add_argument("target", type=int)
    for name in ("ms", "jitter", "loss", "mbit"):
        parser.add_argument(f"--{name}", type=float, default=0.0)
    chosen = parser.parse_args()
    quality = LineQuality(chosen.ms, chosen.jitter, chosen.loss, chosen.mbit)
    try:
        asyncio.run(proxy(chosen.listen, chosen.target, quality))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

"""Load generator: many players of an engine elsewhere, each of whom hears it in real time.

python -m tests.benchmarks.remote.load remote://127.0.0.1:7177/segue --streams 4 --seconds 60

Each opens a session, asks for blocks as far ahead as its plan is deep, and plays them by the clock;
with --turn it turns a knob now and then, which throws away what was planned. A line that is cut is
made anew and the music goes on from the last block that came. Prints JSON, for each stream: blocks,
seconds of silence, lines lost, how long each was silent, and whether it went on at the very place;
`crc` is of the sound of its first 100, 200, ... blocks, equal for equal seeds whoever played them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from models.engine.controls import Controls
from models.engine.interface import EngineInfo
from models.errors import SegueError
from models.remote.client.line import KNOWN, SESSION_HEADER
from models.remote.protocol.address import RemoteAddress, parse_address
from models.remote.protocol.messages import (
    Admission,
    Block,
    Fault,
    Hello,
    More,
    Place,
    Refusal,
    Run,
    Started,
    from_bytes,
    from_text,
    info_from_json,
    to_text,
)
from models.storage.json_types import JsonObject

COMMIT_SECONDS: Final = 0.3
"""Before what is heard: what is nearer is not thrown away."""
RETRY_SECONDS: Final = 0.2
CRC_BLOCKS: Final = 100
TICK_SECONDS: Final = 0.02


@dataclass
class Listener:
    """A player: its place, what came and what was heard."""

    address: RemoteAddress
    seed: int
    plan_seconds: float
    turn_seconds: float
    session: str = ""
    info: EngineInfo | None = None
    snapshots: list[int] = field(default_factory=list)
    received: int = 0
    rendering: float = 0.0
    turns: int = 0
    began: float = 0.0
    silent: float = 0.0
    first_block: float = 0.0
    lost: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    exact: list[bool] = field(default_factory=list)
    least_plan: float = math.inf
    crc: int = 0
    crcs: list[int] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    _run: int = 0
    _credit: int = 0
    _played: float = 0.0
    _ticked: float = 0.0
    _cut_at: float = 0.0

    async def play(self, until: float) -> None:
        """Play until a time of `time.monotonic`."""
        asked = time.monotonic()
        ticking = asyncio.create_task(self._tick_until(until))
        try:
            while time.monotonic() < until:
                try:
                    async with asyncio.timeout_at(self._deadline(until)):
                        await self._once(asked)
                except (OSError, InvalidHandshake, ConnectionClosed, SegueError) as error:
                    self._note(error)
                except TimeoutError:
                    break
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            ticking.cancel()

    @staticmethod
    def _deadline(until: float) -> float:
        return asyncio.get_running_loop().time() + until - time.monotonic()

    def _note(self, error: Exception) -> None:
        if self.snapshots and not self._cut_at:
            self._cut_at = time.monotonic()
            self.lost.append(round(self._cut_at - self.began, 2))
        sentence = str(error)[:160]
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    async def _once(self, asked: float) -> None:
        """One connection, to its end."""
        headers = {SESSION_HEADER: self.session} if self.session else {}
        if self.address.token:
            headers["Authorization"] = f"Bearer {self.address.token}"
        async with connect(
            self.address.url, additional_headers=headers, compression=None, proxy=None,
            open_timeout=20.0, max_size=8_000_000, close_timeout=1.0,
        ) as line:  # fmt: skip
            await line.send(to_text(Hello(self.address.engine, session=self.session)))
            admission = from_text(str(await line.recv()))
            if isinstance(admission, Refusal):
                raise SegueError(admission.sentence)
            assert isinstance(admission, Admission)
            if self.session and not admission.resumed:
                self.sentences.append("the session was forgotten")
                self.snapshots.clear()
            self.session = admission.session
            self.info = info_from_json(admission.info, KNOWN)
            await self._ask(line, Controls(bpm=120.0))
            steering = asyncio.create_task(self._steer(line))
            try:
                while True:
                    self._take(await line.recv(), asked)
            finally:
                steering.cancel()

    async def _steer(self, line: ClientConnection) -> None:
        """Ask for more as the plan is heard, and turn the knob, whether blocks come or not."""
        turn_at = time.monotonic() + self.turn_seconds if self.turn_seconds else math.inf
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(TICK_SECONDS)
                if time.monotonic() >= turn_at:
                    turn_at = time.monotonic() + self.turn_seconds
                    await self._turn(line)
                await self._grant(line)

    async def _ask(self, line: ClientConnection, controls: Controls) -> None:
        self._run += 1
        self._credit = max(1, self._wanted() - len(self.snapshots))
        self._origin = len(self.snapshots)
        place = Place(self.snapshots[-1] if self.snapshots else None, self.seed)
        self._place = place
        await line.send(to_text(Run(self._run, place, controls, self._credit)))

    async def _turn(self, line: ClientConnection) -> None:
        """Turn a knob: what is planned and not about to be heard is made anew."""
        assert self.info is not None
        self.turns += 1
        kept = math.ceil(self._played + COMMIT_SECONDS / self.info.block_seconds)
        del self.snapshots[max(1, kept) :]
        await self._ask(line, Controls(bpm=120.0, density=(0.3, 0.8)[self.turns % 2]))

    async def _grant(self, line: ClientConnection) -> None:
        credit = self._wanted() - self._origin
        if credit >= self._credit + 2:
            self._credit = credit
            await line.send(to_text(More(self._run, credit)))

    def _wanted(self) -> int:
        """Blocks from the start that the plan should hold by now."""
        assert self.info is not None
        return math.ceil(self._played + self.plan_seconds / self.info.block_seconds)

    def _take(self, data: str | bytes, asked: float) -> None:
        if isinstance(data, str):
            message = from_text(data)
            if isinstance(message, Fault | Refusal):
                raise SegueError(message.sentence)
            if isinstance(message, Started) and message.number == self._run and self._cut_at:
                self.exact.append(message.snapshot == self._place.snapshot)
            return
        block = from_bytes(data, self.info)
        if not isinstance(block, Block) or block.number != self._run:
            return
        now = time.monotonic()
        if not self.began:
            self.began = self._ticked = now
            self.first_block = now - asked
        if self._cut_at:
            self.gaps.append(round(now - self._cut_at, 2))
            self._cut_at = 0.0
        self.snapshots.append(block.snapshot)
        self.received += 1
        self.rendering += block.seconds
        if not self.turn_seconds:
            self.crc = zlib.crc32(block.planes[0].tobytes(), self.crc)
            if self.received % CRC_BLOCKS == 0:
                self.crcs.append(self.crc)

    async def _tick_until(self, until: float) -> None:
        """Hear what came, by the clock."""
        while time.monotonic() < until:
            await asyncio.sleep(TICK_SECONDS)
            if not self.began or self.info is None:
                continue
            now = time.monotonic()
            passed, self._ticked = now - self._ticked, now
            due = self._played + passed / self.info.block_seconds
            heard = min(due, float(len(self.snapshots)))
            self.silent += max(0.0, due - heard) * self.info.block_seconds
            self._played = heard
            plan = (len(self.snapshots) - heard) * self.info.block_seconds
            if now - self.began > self.plan_seconds:  # it has had the time to fill
                self.least_plan = min(self.least_plan, plan)

    def figures(self) -> JsonObject:
        """Figures as JSON."""
        lasts = self.info.block_seconds if self.info else 0.0
        return {
            "seed": self.seed,
            "blocks": self.received,
            "turns": self.turns,
            "heard_seconds": round(self._played * lasts, 2),
            "silent_seconds": round(self.silent, 2),
            "least_plan_seconds": round(self.least_plan, 2) if self.received else None,
            "first_block_seconds": round(self.first_block, 2),
            "rendering_ms": round(1e3 * self.rendering / max(1, self.received), 2),
            "lost_at": [*self.lost],
            "gap_seconds": [*self.gaps],
            "exact": [*self.exact],
            "crc": [*self.crcs],
            "told": [*self.sentences],
        }


async def load(listeners: Sequence[Listener], seconds: float, spread: float) -> JsonObject:
    """Let all play, each beginning `spread` seconds after the one before. Figures as JSON."""
    until = time.monotonic() + seconds + spread * len(listeners)

    async def late(number: int, listener: Listener) -> None:
        await asyncio.sleep(number * spread)
        await listener.play(until)

    await asyncio.gather(*(late(*each) for each in enumerate(listeners)))
    heard = sum(each._played * each.info.block_seconds for each in listeners if each.info)
    silent = sum(each.silent for each in listeners)
    return {
        "streams": len(listeners),
        "heard_seconds": round(heard, 1),
        "silent_share": round(silent / max(1e-9, heard + silent), 4),
        "longest_gap_seconds": max((gap for each in listeners for gap in each.gaps), default=0.0),
        "each": [each.figures() for each in listeners],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("address")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--plan", type=float, default=2.5, help="seconds that are asked for ahead")
    parser.add_argument("--turn", type=float, default=0.0, help="seconds between turns of a knob")
    parser.add_argument("--spread", type=float, default=0.2, help="seconds between two that begin")
    chosen = parser.parse_args()
    address = parse_address(chosen.address)
    listeners = [
        Listener(address, seed, chosen.plan, chosen.turn) for seed in range(chosen.streams)
    ]
    print(json.dumps(asyncio.run(load(listeners, chosen.seconds, chosen.spread)), indent=2))


if __name__ == "__main__":
    main()

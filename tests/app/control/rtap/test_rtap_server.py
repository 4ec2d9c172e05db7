"""Server of the accompaniment over loopback, against a client of ours that speaks the protocol."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest

from app.control.osc.messages import build
from app.control.rtap.batches import ContextBatch
from app.control.rtap.messages import Samples, chunk
from app.control.rtap.server import RtapServer, summary
from models.errors import SegueError

LOCAL = "127.0.0.1"
RATIO = 2646 / 264_600
STEP = 2646
PACKET = 1000


class RampPlayer:
    """Plays the number of each sample of the context's time, so that places can be told."""

    def __init__(self) -> None:
        self.position = 0
        self.batches: list[ContextBatch] = []
        self.resets = 0
        self.fails = False
        self.slow = 0.0

    def reset(self) -> None:
        self.position, self.resets = 0, self.resets + 1

    def hear(self, batch: ContextBatch, step: int) -> int:
        if self.fails:
            raise RuntimeError("told to fail")
        time.sleep(self.slow)
        self.batches.append(batch)
        self.position += len(batch.samples) + batch.skipped * step
        return self.position

    def window(self, start: int, end: int, stems: tuple[str, ...]) -> Mapping[str, Samples]:
        return {stem: np.arange(start, end, dtype=np.float32) for stem in stems}


class RtapClient:
    """A client as the published one: a socket for each direction."""

    def __init__(self) -> None:
        self.ears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.ears.bind((LOCAL, 0))
        self.ears.settimeout(5)
        self.mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server = (LOCAL, 0)

    def close(self) -> None:
        self.ears.close()
        self.mouth.close()

    def say(self, address: str, *arguments: float | int) -> None:
        self.mouth.sendto(build(address, arguments), self.server)

    def send(self, batch: int, order: tuple[int, ...] = (0, 1, 2)) -> None:
        line = np.linspace(-1, 1, STEP, dtype=np.float32)
        for index in order:
            start = index * PACKET
            packet = chunk("/context", (batch, start, 3), line[start : start + PACKET])
            self.mouth.sendto(packet, self.server)

    def hear(self) -> tuple[str, bytes]:
        data = self.ears.recv(65_535)
        return data.split(b"\0")[0].decode(), data

    def answer(self) -> tuple[str, int, Samples]:
        """Stem, batch and samples of the next answer."""
        parts: dict[int, Samples] = {}
        while True:
            address, data = self.hear()
            if address == "/server_predicted":
                continue
            tags = data.index(b",")
            count = data.index(b"\0", tags) - tags - 4
            head = np.frombuffer(data, ">i4", 3, len(data) - 4 * count - 12)
            parts[int(head[1])] = np.frombuffer(data, ">f4", count, len(data) - 4 * count)
            if len(parts) == head[2]:
                whole = np.concatenate([parts[index] for index in sorted(parts)])
                return address, int(head[0]), whole.astype(np.float32)


@pytest.fixture
def rig() -> Iterator[tuple[RtapServer, RampPlayer, RtapClient, list[str]]]:
    client, player, lines = RtapClient(), RampPlayer(), list[str]()
    server = RtapServer(player, LOCAL, 0, client.ears.getsockname(), log=lines.append)
    server.start()
    client.server = (LOCAL, server.port)
    assert client.hear() == ("/ready", b"/ready\0\0,T\0\0")
    client.say("/update_r", RATIO)
    client.say("/update_fade", 0.01)
    client.say("/update_package_size", 1000)
    client.say("/w", 1)
    client.say("/predict_instruments", 0, 1, 0, 0)
    try:
        yield server, player, client, lines
    finally:
        server.stop()
        client.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


Rig = tuple[RtapServer, RampPlayer, RtapClient, list[str]]


def test_each_batch_is_answered_with_its_window(rig: Rig) -> None:
    server, _, client, lines = rig
    for batch in (1, 2, 3):
        client.send(batch)
        stem, number, line = client.answer()
        start = (batch + 1) * STEP - 441
        assert (stem, number) == ("/drums", batch)
        np.testing.assert_array_equal(line, np.arange(start, start + STEP + 441))
    client.say("/w", 0)
    client.say("/predict_instruments", 1, 0, 0, 1)
    line = np.linspace(-1, 1, STEP, dtype=np.float32)
    for _copy in range(2):  # as the published client does for two stems
        for start in range(0, STEP, PACKET):
            packet = chunk("/context", (4, start, 6), line[start : start + PACKET])
            client.mouth.sendto(packet, client.server)
    answers = [client.answer(), client.answer()]
    assert [each[:2] for each in answers] == [("/bass", 4), ("/piano", 4)]
    assert all(each[2][441] == 4 * STEP for each in answers)
    until(lambda: server.counts.answered == 4)
    figures = server.figures()
    assert figures["packets"] == 15 and not any(
        figures[name] for name in ("lost", "late", "doubled", "reordered", "malformed", "dropped")
    )
    client.say("/print")
    until(lambda: bool(lines))
    assert lines[0] == summary(server.figures())


def test_what_is_lost_doubled_reordered_and_skipped_is_counted_and_answered(rig: Rig) -> None:
    server, player, client, _ = rig
    client.send(1, (1, 0, 0, 2))
    assert client.answer()[1] == 1
    client.send(2, (0, 2))
    assert client.answer()[1] == 2
    client.send(4)
    assert client.answer()[2][441] == 5 * STEP  # the place after a batch that never came
    until(lambda: server.counts.answered == 3)
    assert [each.missing for each in player.batches] == [(), ((1000, 2000),), ()]
    counts = server.counts
    assert (counts.doubled, counts.reordered, counts.lost, counts.skipped) == (1, 1, 1, 1)


def test_malformed_datagrams_are_counted_and_cost_no_batch(rig: Rig) -> None:
    server, _, client, lines = rig
    rng = np.random.default_rng(1)
    client.say("/nothing", 1)
    client.say("/update_r", 7.0)
    for batch in (1, 2, 3):
        for _ in range(100):
            client.mouth.sendto(rng.bytes(int(rng.integers(1, 300))), client.server)
        client.send(batch)
        assert client.answer()[1] == batch
    until(lambda: server.counts.malformed + server.counts.unknown >= 302)
    assert not server.counts.lost
    assert len(lines) == 1 and lines[0].startswith("/nothing")  # one complaint a second


def test_a_player_that_fails_or_is_slow_costs_its_batch_only(rig: Rig) -> None:
    server, player, client, lines = rig
    player.fails = True
    client.send(1)
    until(lambda: bool(lines))
    player.fails, player.slow = False, 0.1
    for batch in (2, 3, 4):
        client.send(batch)
    heard = [client.hear() for _ in range(2)]
    dropped = [data for address, data in heard if address == "/batch_dropped"]
    assert dropped and dropped[0].endswith(b"\0\0\0\x02")
    assert client.answer()[1] == 4
    assert "told to fail" in lines[0] and server.counts.dropped == 2


def test_a_reset_forgets_and_a_packet_test_is_echoed(rig: Rig) -> None:
    _, player, client, _ = rig
    client.send(1)
    client.answer()
    client.say("/reset", 1)
    client.send(1)
    assert client.answer()[2][441] == 2 * STEP and player.resets == 1
    packet = chunk("/packet_test", (500,), np.zeros(500, np.float32))
    client.mouth.sendto(packet, client.server)
    address, data = "/server_predicted", b""
    while address == "/server_predicted":
        address, data = client.hear()
    assert address == "/packet_test_response" and len(data) == len(packet) + 8


def test_beyond_this_machine_only_the_client_is_heard() -> None:
    player = RampPlayer()
    server = RtapServer(player, LOCAL, 0, ("127.0.0.9", 9), only=True)
    server.start()
    client = RtapClient()
    client.server = (LOCAL, server.port)
    try:
        client.say("/predict_instruments", 0, 1, 0, 0)
        client.send(1)
        until(lambda: server.counts.refused == 4)
        assert not player.batches and not server.settings.stems
    finally:
        server.stop()
        client.close()


def test_a_taken_port_is_a_sentence(rig: Rig) -> None:
    with pytest.raises(SegueError, match="--port"):
        RtapServer(RampPlayer(), LOCAL, rig[0].port, (LOCAL, 9)).start()

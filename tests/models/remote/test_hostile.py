"""Clients that do what they must not: each is told so, and nobody else notices."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from models.engine.controls import Controls
from models.errors import BlockPendingError
from models.remote.client.engine import RemoteEngine
from models.remote.protocol.limits import Limits
from models.remote.protocol.messages import Ask, Hello, Ping, Place, Run, pack_piece, to_text
from models.remote.server.listener import Doorkeeper
from tests.support.remote import ServerThread, served
from tests.support.tone_engine import ToneEngine

A = Controls(notes=(57,))
LIMITS = Limits(
    sessions=3, connections=12, hello_seconds=0.5, idle_seconds=2.5, messages_per_second=50.0,
    burst=100.0, upload_bytes=100_000, requests=3, send_seconds=0.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with served(ToneEngine(block_seconds=0.02), limits=LIMITS) as running:
        yield running


@pytest.fixture
def innocent(server: ServerThread) -> Iterator[None]:
    """A session that plays on meanwhile; every block must be the right one, in time."""
    engine = RemoteEngine(server.address())
    stream, local = engine.start(3), ToneEngine(block_seconds=0.02).start(3)
    ended, wrong, count = threading.Event(), [], 0

    def play() -> None:
        nonlocal count
        while not ended.wait(0.015):
            try:
                block = stream.render(A)
            except BlockPendingError:
                continue
            wrong.extend([] if np.array_equal(block, local.render(A)) else [count])
            count += 1

    thread = threading.Thread(target=play)
    thread.start()
    yield
    before = count
    time.sleep(0.1)
    ended.set()
    thread.join()
    engine.close()
    assert count > before and not wrong
    assert not [sentence for _, sentence in engine.notices()]  # its line was never cut


def open_line(server: ServerThread, **options: object) -> Connection:
    url = f"ws://127.0.0.1:{server.port}/tone"
    return connect(url, compression=None, proxy=None, close_timeout=0.3, **options)  # type: ignore


def greeted(server: ServerThread) -> Connection:
    line = open_line(server)
    line.send(to_text(Hello("tone")))
    assert json.loads(line.recv())["kind"] == "admission"
    return line


def hang_up(line: Connection) -> None:
    """Close without waiting for an answer."""
    with contextlib.suppress(ConnectionClosed):
        line.close()


def last_words(line: Connection) -> str:
    """What the server says before it hangs up."""
    sentence = ""
    try:
        while True:
            data = line.recv(timeout=10.0)
            if isinstance(data, str) and json.loads(data)["kind"] == "refusal":
                sentence = json.loads(data)["sentence"]
    except ConnectionClosed as closed:
        return sentence or (closed.rcvd.reason if closed.rcvd else "")


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01" * 100, b"\xff\xfe", "x", "[" * 60_000, '{"kind":"hello"}', "{}", "\x00"],
)
def test_a_wrong_greeting_is_refused(server: ServerThread, data: str | bytes) -> None:
    with open_line(server) as line:
        line.send(data)
        assert last_words(line)
    assert any("refused" in entry for entry in server.log)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("nonsense", "no JSON"),
        (b"\x01" + bytes(60), "damaged"),
        ('{"kind":"run","number":1,"place":{},"controls":{"bpm":-1}}', "bpm is -1"),
        (to_text(Hello("tone")), "only a server sends"),
        (pack_piece(5, b"abc"), None),  # of a request that never was: no harm
    ],
)
def test_a_wrong_message_ends_its_own_session_only(
    server: ServerThread, innocent: None, data: str | bytes, sentence: str | None
) -> None:
    with greeted(server) as line:
        line.send(data)
        if sentence is None:
            line.send(to_text(Ping(1)))
            assert json.loads(line.recv())["kind"] == "ping"
        else:
            assert sentence in last_words(line)


def test_a_page_of_a_browser_is_turned_away(server: ServerThread) -> None:
    """Any page may open a WebSocket to this machine; it says where it is from."""
    with pytest.raises(InvalidStatus) as refused:
        open_line(server, origin="http://localhost")
    assert refused.value.response.status_code == 403


def test_a_message_of_a_gigabyte_is_refused_by_its_header(
    server: ServerThread, innocent: None
) -> None:
    with greeted(server) as line:
        header = b"\x82\xff" + (1_000_000_000).to_bytes(8, "big") + bytes(4)
        line.socket.sendall(header + bytes(1000))
        assert "exceeds limit" in last_words(line)


def test_a_flood_is_cut_off(server: ServerThread, innocent: None) -> None:
    with greeted(server) as line:
        try:
            for number in range(500):
                line.send(to_text(Ping(number)))
        except ConnectionClosed:
            pass
        assert "slow down" in last_words(line)


def test_more_than_was_announced_is_not_kept(server: ServerThread, innocent: None) -> None:
    with greeted(server) as line:
        line.send(to_text(Ask(1, "embed_audio", size=10**12)))
        assert "shorten it" in json.loads(line.recv())["sentence"]
        for number in (2, 3, 4):
            line.send(to_text(Ask(number, "embed_audio", size=1000)))
        line.send(to_text(Ask(5, "embed_text", "flute")))
        assert "too much" in json.loads(line.recv())["sentence"]
        line.send(pack_piece(2, bytes(2000)))
        assert "more came than was announced" in last_words(line)


def test_a_request_that_fails_is_a_sentence(server: ServerThread) -> None:
    with greeted(server) as line:
        for number, ask in enumerate(
            (Ask(1, "exec"), Ask(1, "embed_text", " "), Ask(1, "pack", count=10**9),
             Ask(1, "snapshot_after", "{}", size=0), Ask(1, "unpack"))
        ):  # fmt: skip
            line.send(to_text(ask))
            assert json.loads(line.recv())["sentence"], number


def test_who_reads_nothing_gets_no_more_than_its_credit(
    server: ServerThread, innocent: None
) -> None:
    with greeted(server) as line:
        line.send(to_text(Run(1, Place(), A, credit=10**9)))
        time.sleep(0.4)
        entries = [e for e in server.server.host.table.entries.values() if e.peer is not None]
        assert sorted(e.session.blocks for e in entries)[0] <= LIMITS.ahead


def test_who_says_nothing_is_hung_up_on(server: ServerThread) -> None:
    with open_line(server) as line:
        assert "nothing was asked for in time" in last_words(line)
    with greeted(server) as line:
        began = time.monotonic()
        assert "nothing was asked for in time" in last_words(line)
        assert time.monotonic() - began > 1.0


def test_a_hundred_at_once_leave_room_for_those_that_play(
    server: ServerThread, innocent: None
) -> None:
    said: list[str] = []

    def ask() -> None:
        try:
            with open_line(server) as line:
                line.send(to_text(Hello("tone")))
                first = json.loads(line.recv())
                said.append(first.get("sentence", "let in"))
                time.sleep(0.3)
        except InvalidStatus as refused:
            said.append(str(refused.response.status_code))
        except (ConnectionClosed, InvalidMessage, OSError):
            said.append("cut")

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 100 and 1 <= said.count("let in") <= 20
    assert "503" in said or any("its most" in each for each in said)
    assert len(server.server.host.table.entries) <= LIMITS.sessions


def test_who_connects_too_often_is_closed_unheard(innocent: None, server: ServerThread) -> None:
    now = [0.0]
    door = Doorkeeper(10.0, 5.0, lambda: now[0])
    assert [door.lets_in("a") for _ in range(7)] == [True] * 5 + [False] * 2
    assert door.lets_in("b")  # another address is not concerned
    now[0] = 0.25
    assert [door.lets_in("a") for _ in range(3)] == [True, True, False]
    for number in range(3000):
        door.lets_in(str(number))
    assert len(door._buckets) <= 1000
    limits = Limits(connections_per_second=0.1, connections_at_once=2)
    with served(ToneEngine(block_seconds=0.02), limits=limits) as guarded:
        hang_up(greeted(guarded))
        hang_up(greeted(guarded))
        with pytest.raises((OSError, InvalidMessage, ConnectionClosed)):
            open_line(guarded)
        assert "127.0.0.1: connects too often: closed unheard" in guarded.log


def test_wrong_tokens_are_told_so_and_counted() -> None:
    with served(ToneEngine(block_seconds=0.02), token="0123456789abcdef") as guarded:
        for given in (
            "",
            "Bearer",
            "Bearer 0123456789abcdeg",
            "Basic 0123456789abcdef",
            "\xe9" * 9,
        ):
            with pytest.raises(InvalidStatus) as refused:
                open_line(guarded, additional_headers={"Authorization": given})
            assert refused.value.response.status_code == 401
            assert refused.value.response.body == b"wrong token\n"
        twice = [("Authorization", "Bearer 0123456789abcdef")] * 2
        with pytest.raises(InvalidStatus):
            open_line(guarded, additional_headers=twice)
        assert guarded.log == ["127.0.0.1: wrong token"]
        right = {"Authorization": "Bearer 0123456789abcdef"}
        hang_up(open_line(guarded, additional_headers=right))

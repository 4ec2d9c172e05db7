"""OSC over real UDP sockets, with python-osc as the client."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from app.control import settings as remembered
from app.control.osc import server as osc
from app.control.osc.inbox import MAX_QUEUED
from app.control.osc.messages import MalformedPacketError, address_for, name_from, parse, split
from app.control.osc.server import OscServer
from app.control.osc.subscribers import (
    LEASE_SECONDS,
    MAX_SUBSCRIBERS,
    QUIET_SECONDS,
    Subscribers,
)
from app.control.settings import ControlSettings
from app.parameters.catalogue import (
    build_registry,
    set_engine_controls,
    set_engine_sends,
    set_prompt_count,
)
from app.parameters.part_parameters import set_engine_parts
from app.parameters.registry import Change, Registry
from app.window.controllers.pages.monitor_log import MonitorLog, line_of
from models.engine.controls import CONTROL_NAMES
from models.engine.interface import SENDS
from models.engine.parts import PART_CONTROLS
from models.errors import SegueError
from models.music.score import PARTS

LOCAL = "127.0.0.1"


def make_registry() -> Registry:
    registry = build_registry()
    set_prompt_count(registry, 16, range(1, 17))
    set_engine_controls(registry, frozenset({*CONTROL_NAMES, "strength"}))
    set_engine_sends(registry, SENDS)
    set_engine_parts(registry, PARTS, PART_CONTROLS, hold=True)
    return registry


NAMES = [each.name for each in make_registry() if each.kind != "trigger"]
TRIGGERS = [each.name for each in make_registry() if each.kind == "trigger"]


class Client:
    """python-osc writes and reads the messages, a socket of its own carries them."""

    def __init__(self, server: OscServer) -> None:
        self.server = server
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((LOCAL, 0))
        self.socket.settimeout(0.02)
        self.port: int = self.socket.getsockname()[1]
        self.sent = 0

    def raw(self, data: bytes) -> None:
        self.socket.sendto(data, (LOCAL, self.server.port))
        self.sent += 1

    def send(self, address: str, *arguments: Any) -> None:
        self.raw(message(address, *arguments))

    def until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 5.0
        while not done():
            assert time.monotonic() < deadline
            self.server.drain()
            self.server.tick()
            time.sleep(0.002)

    def send_and_wait(self, address: str, *arguments: Any) -> None:
        """Send, and wait until it has been obeyed or refused."""
        counts = self.server.counts
        before = counts.applied + counts.refused + counts.unknown
        self.send(address, *arguments)
        self.until(lambda: counts.applied + counts.refused + counts.unknown > before)

    def hear(self) -> tuple[str, list[Any]]:
        """The next answer."""
        deadline = time.monotonic() + 5.0
        while time.monotonic() < deadline:
            # What has come is read first, or the buffer would run over.
            if not select.select([self.socket], [], [], 0.0)[0]:
                self.server.drain()
                self.server.tick()
            try:
                log = OscMessage(self.socket.recv(65536))
            except TimeoutError:
                continue
            return log.address, list(log)
        raise AssertionError("no answer")

    def nothing(self) -> bool:
        """Whether there is no answer on its way."""
        for _ in range(3):
            self.server.drain()
            self.server.tick()
            try:
                self.socket.recv(65536)
            except TimeoutError:
                continue
            return False
        return True


def message(address: str, *arguments: Any) -> bytes:
    builder = OscMessageBuilder(address)
    for each in arguments:
        builder.add_arg(each)
    data: bytes = builder.build().dgram
    return data


@pytest.fixture
def registry() -> Registry:
    return make_registry()


@pytest.fixture
def server(registry: Registry) -> Iterator[OscServer]:
    one = OscServer(registry)
    one.start()
    yield one
    one.stop()


@pytest.fixture
def client(server: OscServer) -> Iterator[Client]:
    one = Client(server)
    yield one
    one.socket.close()


# -- setting ----------------------------------------------------------------------------------


def test_every_parameter_raw_and_by_position(client: Client, registry: Registry) -> None:
    for name in NAMES:
        parameter = registry[name]
        owner = name.removesuffix(".auto")
        for position in (1.0, 0.0):
            client.send_and_wait(address_for(name, unit=True), position)
            if owner == name:
                assert registry.get(name) == parameter.from_unit(position), name
        raw: Any
        expected: Any
        if parameter.kind == "switch":
            raw, expected = not registry.get(name), not registry.get(name)
        elif parameter.kind == "choice":
            raw = expected = parameter.choices[len(parameter.choices) // 2]
        else:
            raw = parameter.low + 0.25 * (parameter.high - parameter.low)
            expected = pytest.approx(raw, rel=1e-6)
        client.send_and_wait(address_for(name), raw)
        assert registry.get(name) == expected, name


def test_every_trigger(client: Client, registry: Registry) -> None:
    fired: list[Change] = []
    registry.subscribe(fired.append)
    for name in TRIGGERS:
        client.send_and_wait(address_for(name))
        client.send_and_wait(address_for(name), 0.5)
        client.send_and_wait(address_for(name), 0)  # the button is let go
        client.send_and_wait(address_for(name), True)
        assert [(c.name, c.value) for c in fired] == [(name, 1.0), (name, 0.5), (name, 1.0)]
        fired.clear()


@pytest.mark.parametrize(
    ("address", "arguments", "name", "value"),
    [
        ("/segue/tempo", ["auto"], "tempo", None),
        ("/segue/tempo", [126], "tempo", 126.0),
        ("/segue/tempo", [1000.0], "tempo", 190.0),
        ("/segue/unit/tempo", [-5.0], "tempo", 60.0),
        ("/segue/key", ["D dorian"], "key", "D dorian"),
        ("/segue/prompt/3/mute", [1], "prompt.3.mute", True),
        ("/segue/prompt/3/mute", [False], "prompt.3.mute", False),
        ("/segue/prompt/*/weight", [0.25], "prompt.7.weight", 0.25),
        ("/segue/prompt/[3-4]/weight", [0.5], "prompt.4.weight", 0.5),
    ],
)
def test_values(
    client: Client, registry: Registry, address: str, arguments: list[Any], name: str, value: object
) -> None:
    client.send_and_wait(address, *arguments)
    assert registry.get(name) == value


@pytest.mark.parametrize(
    ("address", "arguments", "words"),
    [
        ("/segue/tempo", ["fast"], "needs a number"),
        ("/segue/unit/tempo", ["fast"], "a position from 0 to 1"),
        ("/segue/tempo", [1.0, 2.0], "one value, not 2"),
        ("/segue/key", ["H minor"], "no choice"),
        ("/segue/mixer/master", ["auto"], "no auto"),
        ("/segue/tempo/tap", ["now"], "a trigger"),
        ("/segue/loudness", [1.0], "There is nothing at"),
        ("/other/tempo", [1.0], "no address of Segue"),
        ("/segue/get", ["loudness"], "no parameter 'loudness'"),
        ("/segue/subscribe", [70000], "no port"),
    ],
)
def test_what_cannot_be_is_answered_with_a_sentence(
    client: Client, registry: Registry, address: str, arguments: list[Any], words: str
) -> None:
    before = registry.values()
    client.send(address, *arguments)
    received, sentences = client.hear()
    assert received == "/segue/error" and words in sentences[0]
    assert registry.values() == before


def test_a_bundle_is_obeyed_in_order(client: Client, registry: Registry) -> None:
    received: list[tuple[str, object]] = []
    registry.subscribe(lambda change: received.append((change.name, change.value)))
    builder = OscBundleBuilder(IMMEDIATELY)
    inner = OscBundleBuilder(IMMEDIATELY)
    for address, value in (("/segue/density", 0.25), ("/segue/scene/2/recall", 1.0)):
        each = OscMessageBuilder(address)
        each.add_arg(value)
        inner.add_content(each.build())
    builder.add_content(inner.build())
    client.raw(builder.build().dgram)
    client.until(lambda: registry.get("density") == 0.25)
    assert ("scene.2.recall", 1.0) in received


# -- asking -----------------------------------------------------------------------------------


def test_questions_are_answered(client: Client, registry: Registry) -> None:
    registry.set("tempo", 125.0)
    client.send("/segue/tempo")
    assert client.hear() == ("/segue/tempo", [125.0])
    assert client.hear() == ("/segue/unit/tempo", [pytest.approx(0.5)])
    client.send("/segue/get", "density", "/segue/prompt/2/mute")
    assert client.hear() == ("/segue/density", ["auto"])
    assert client.hear()[0] == "/segue/unit/density"
    assert client.hear() == ("/segue/prompt/2/mute", [0])
    client.send("/segue/ping")
    while (log := client.hear())[0] != "/segue/pong":
        pass
    assert log == ("/segue/pong", [])


def test_get_without_names_answers_everything(client: Client) -> None:
    client.send("/segue/get")
    log = {client.hear()[0] for _ in range(2 * len(NAMES))}
    assert log == {address_for(name, unit=unit) for name in NAMES for unit in (False, True)}
    assert client.nothing()


def test_the_listing_names_every_address(client: Client, registry: Registry) -> None:
    client.send("/segue/list")
    listed = {}
    while (log := client.hear())[0] == "/segue/parameter":
        listed[log[1][0]] = log[1]
    assert log == ("/segue/list/done", [len(registry)]) and len(listed) == len(registry)
    name, kind, address, low, high, unit, value, label = listed["prompt.3.weight"]
    assert (name, kind, address) == ("prompt.3.weight", "continuous", "/segue/prompt/3/weight")
    assert (low, high, unit, value, label) == (0.0, 2.0, "", "1.00", "Prompt 3 weight")
    for name, row in listed.items():
        assert name_from(row[2]) == (name, False)
    client.send("/segue/list", "scene/*/recall")
    while (log := client.hear())[0] == "/segue/parameter":
        pass
    assert log == ("/segue/list/done", [16])


# -- subscriptions ----------------------------------------------------------------------------


def test_subscribers_are_told_all_and_then_what_changes(client: Client, registry: Registry) -> None:
    other = Client(client.server)
    try:
        client.send("/segue/subscribe", "prompt/1/*")
        state = [client.hear()[0] for _ in range(12)]
        assert "/segue/prompt/1/weight" in state and "/segue/unit/prompt/1/weight" in state
        registry.set("prompt.1.weight", 0.5)
        registry.set("density", 0.5)
        assert client.hear() == ("/segue/prompt/1/weight", [0.5])
        assert client.hear() == ("/segue/unit/prompt/1/weight", [0.25])
        assert client.nothing()
        client.send_and_wait("/segue/prompt/1/weight", 1.5)
        assert client.nothing()  # he knows, he said so
        client.send_and_wait("/segue/prompt/1/weight", 3.0)
        assert client.hear() == ("/segue/prompt/1/weight", [2.0])  # but not that it was clamped
        client.hear()
        other.send_and_wait("/segue/prompt/1/mute", 1)
        assert client.hear() == ("/segue/prompt/1/mute", [1])
        client.hear()
        client.send_and_wait("/segue/unsubscribe")
        registry.set("prompt.1.weight", 0.1)
        assert client.nothing()
    finally:
        other.socket.close()


def test_pushes_to_another_port_of_the_same_machine(client: Client, registry: Registry) -> None:
    other = Client(client.server)
    try:
        client.send_and_wait("/segue/subscribe", other.port, "tempo")
        assert other.hear()[0] == "/segue/tempo"
        other.hear()
        registry.set("tempo", 99.0)
        assert other.hear() == ("/segue/tempo", [99.0])
        assert client.nothing()
    finally:
        other.socket.close()


def test_many_changes_within_a_tick_are_one_push(client: Client, registry: Registry) -> None:
    client.send_and_wait("/segue/subscribe", "density")
    client.hear()
    client.hear()
    for n in range(500):
        registry.set("density", n / 500)
    assert client.hear() == ("/segue/density", [pytest.approx(499 / 500)])
    client.hear()
    assert client.nothing()


def test_no_more_subscribers_than_can_be_served(client: Client) -> None:
    for port in range(20001, 20001 + MAX_SUBSCRIBERS):
        client.send_and_wait("/segue/subscribe", port, "tempo")
    assert client.server.counts.refused == 0
    client.send("/segue/subscribe", 30000)
    assert client.hear()[1] == [f"{MAX_SUBSCRIBERS} subscribers are the most."]


def test_a_client_that_begins_anew_on_its_port_is_told_on(
    client: Client, registry: Registry
) -> None:
    first = Client(client.server)
    first.send_and_wait("/segue/subscribe", "density")
    first.hear()
    first.hear()
    first.socket.close()
    for value in (0.1, 0.2, 0.3):  # nobody is there
        registry.set("density", value)
        client.server.tick()
    again = Client(client.server)
    again.socket.close()
    again.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    again.socket.bind((LOCAL, first.port))
    again.socket.settimeout(0.02)
    registry.set("density", 0.7)
    assert again.hear() == ("/segue/density", [pytest.approx(0.7)])
    again.socket.close()


def test_a_packet_that_cannot_be_sent_ends_no_subscription(
    client: Client, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.send_and_wait("/segue/subscribe", "density")
    client.hear()
    client.hear()

    class Unplugged:
        def sendto(self, data: bytes, peer: object) -> None:
            raise OSError(101, "Network is unreachable")

    with monkeypatch.context() as patch:
        patch.setattr(client.server, "_socket", Unplugged())
        registry.set("density", 0.1)
        client.server.tick()
    lost = client.server.sent[-1]
    assert (lost.out, lost.dropped) == (True, True)
    assert lost.status_text == "not sent (Network is unreachable)"
    registry.set("density", 0.2)
    assert client.hear() == ("/segue/density", [pytest.approx(0.2)])


def test_who_is_silent_makes_room_for_who_begins_anew_on_another_port() -> None:
    now = [0.0]
    kept = Subscribers(lambda: now[0])
    for port in range(MAX_SUBSCRIBERS):
        kept.add((LOCAL, 20000 + port), "*")
    now[0] = QUIET_SECONDS + 1
    kept.heard((LOCAL, 20000))
    kept.add((LOCAL, 30000), "tempo")
    peers = [peer for peer, _ in kept.all()]
    assert (LOCAL, 20000) in peers  # it has spoken since
    assert (LOCAL, 20001) not in peers
    assert len(peers) == MAX_SUBSCRIBERS
    now[0] += LEASE_SECONDS + 1
    assert kept.all() == []


def test_what_goes_out_is_in_the_monitor(client: Client, registry: Registry) -> None:
    client.send("/segue/ping")
    assert client.hear()[0] == "/segue/pong"
    log = MonitorLog()
    server = client.server
    assert log.take((), server.inbox.log, server.sent) == 2
    came, went = (line_of(entry) for entry in log.visible_entries())
    assert (came.text, came.out) == ("/segue/ping", False)
    assert (went.text, went.out, went.dropped) == ("/segue/pong", True, False)
    assert went.port == came.port == f"{LOCAL}:{client.port}"
    assert log.take((), server.inbox.log, server.sent) == 0


# -- harm -------------------------------------------------------------------------------------

RUBBISH: list[tuple[str, bytes]] = [
    ("text", b"hello"),
    ("empty", b""),
    ("no address", message("/x", 1.0)[1:]),
    ("a length that is no multiple of 4", message("/segue/tempo", 120.0)[:-1]),
    ("argument cut off", message("/segue/tempo", 120.0)[:-4]),
    ("text not closed", b"/segue/key\0\0,s\0\0abcd"),
    ("unknown type", b"/segue/tempo\0\0\0\0,q\0\0" + bytes(8)),
    ("no comma", b"/segue/tempo\0\0\0\0f\0\0\0" + bytes(4)),
    ("too many arguments", message("/segue/tempo", *[1.0] * 65)),
    ("not a number", message("/segue/tempo", float("nan"))),
    ("endless", message("/segue/tempo", float("inf"))),
    ("bad letters", b"/segue/\xff\xfe\0\0\0"),
    ("bundle with a negative length", b"#bundle\0" + bytes(8) + b"\xff\xff\xff\xfc"),
    ("bundle longer than it is", b"#bundle\0" + bytes(8) + b"\0\0\1\0" + b"/a\0\0"),
    ("bundles in bundles", b"#bundle\0" + bytes(8)),
]


def nested(depth: int) -> bytes:
    data = message("/segue/tempo", 120.0)
    for _ in range(depth):
        data = b"#bundle\0" + bytes(8) + len(data).to_bytes(4, "big") + data
    return data


@pytest.mark.parametrize("data", [row[1] for row in RUBBISH], ids=[row[0] for row in RUBBISH])
def test_malformed_packets_are_counted_and_dropped(
    client: Client, registry: Registry, data: bytes
) -> None:
    before = registry.values()
    if data == b"#bundle\0" + bytes(8):
        data = nested(9)
    client.raw(data)
    client.until(lambda: client.server.counts.malformed == 1)
    assert registry.values() == before and client.nothing()
    client.send_and_wait("/segue/tempo", 120.0)
    assert registry.get("tempo") == 120.0


def test_oversized_packets_are_counted_and_dropped(client: Client, registry: Registry) -> None:
    client.raw(message("/segue/key", "A" * 9000))
    client.until(lambda: client.server.counts.oversized == 1)
    assert registry.get("key") is None


def test_a_flood_is_coalesced_and_the_last_value_wins(client: Client, registry: Registry) -> None:
    received: list[Change] = []
    registry.subscribe(received.append, "density")
    counts = client.server.counts
    values = [n % 97 / 97 for n in range(2000)]
    for n, value in enumerate(values):
        client.send("/segue/density", value)
        if n % 50 == 49:  # so that the socket's own buffer drops nothing
            deadline = time.monotonic() + 5.0
            while counts.received < client.sent and time.monotonic() < deadline:
                time.sleep(0.001)
    client.server.drain()
    assert counts.coalesced == 1999 and len(received) == 1
    (packet,) = client.server.inbox.log  # a flood leaves one line in the monitor
    assert packet.superseded == 1999 and packet.outcome == "applied"
    assert registry.get("density") == pytest.approx(values[-1])


def test_the_monitor_is_told_what_became_of_a_packet(client: Client) -> None:
    client.send_and_wait("/segue/tempo", 120.0)
    client.raw(message("/segue/tempi", 1))
    client.until(lambda: client.server.counts.unknown == 1)
    client.raw(message("/segue/tempo", "fast"))
    client.until(lambda: client.server.counts.refused == 1)
    client.raw(b"rubbish!")
    client.until(lambda: client.server.counts.malformed == 1)
    client.raw(message("/segue/key", "A" * 9000))
    client.until(lambda: client.server.counts.oversized == 1)
    log = list(client.server.inbox.log)
    fates = ["applied", "unknown", "refused", "malformed", "oversized"]
    assert [packet.outcome for packet in log] == fates
    assert [packet.dropped for packet in log] == [False, True, True, True, True]
    assert "/segue/tempi" in log[1].status_text and "'fast'" in log[2].status_text
    assert "8192 bytes" in log[4].status_text and len(log[4].data) <= 256
    assert client.server.counts.applied == 1


def test_a_flood_of_questions_and_mistakes_is_coalesced(client: Client) -> None:
    counts = client.server.counts
    for n in range(40):
        client.send("/segue/get", "density")
        client.send("/segue/nothing", float(n))
        client.send("/segue/ping")
        client.send("/segue/tempo/tap")
        client.send("/segue/scene/*/mode")
    deadline = time.monotonic() + 5.0
    while counts.received < client.sent and time.monotonic() < deadline:
        time.sleep(0.001)
    drained = 0
    while (more := client.server.drain()) > 0:
        drained += more
    assert drained == 1 + 1 + 1 + 40 + 40 and counts.coalesced == 3 * 39
    answers = [client.hear()[0] for _ in range(4)]
    assert sorted(set(answers)) == [
        "/segue/density", "/segue/error", "/segue/pong", "/segue/unit/density",
    ]  # fmt: skip


def test_a_drain_takes_no_longer_than_it_may(
    client: Client, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osc, "DRAIN_SECONDS", 0.0)
    for name in registry.names("prompt.*.weight"):
        client.send(address_for(name), 0.125)
    counts = client.server.counts
    deadline = time.monotonic() + 5.0
    while counts.received < client.sent and time.monotonic() < deadline:
        time.sleep(0.001)
    woken: list[int] = []
    client.server._wake = lambda: woken.append(1)
    assert client.server.drain() == 0 and woken == [1]
    client.send("/segue/density", 0.25)  # comes while something is left over
    while counts.received < client.sent and time.monotonic() < deadline:
        time.sleep(0.001)
    monkeypatch.setattr(osc, "DRAIN_SECONDS", 1.0)
    assert client.server.drain() == 16 and woken == [1, 1]
    assert all(registry.get(name) == 0.125 for name in registry.names("prompt.*.weight"))
    assert client.server.drain() == 1 and woken == [1, 1]
    assert registry.get("density") == 0.25


def test_a_flood_of_triggers_is_bounded(client: Client, registry: Registry) -> None:
    received: list[Change] = []
    registry.subscribe(received.append, "tempo.tap")
    counts = client.server.counts
    for n in range(MAX_QUEUED + 200):
        client.send("/segue/tempo/tap")
        if n % 50 == 49:
            deadline = time.monotonic() + 5.0
            while counts.received < client.sent and time.monotonic() < deadline:
                time.sleep(0.001)
    deadline = time.monotonic() + 5.0
    while counts.flooded < 200 and time.monotonic() < deadline:
        time.sleep(0.002)
    while client.server.drain():
        pass
    assert counts.flooded == 200 and len(received) == MAX_QUEUED
    fates = [packet.outcome for packet in client.server.inbox.log]
    assert fates == ["applied"] * MAX_QUEUED + ["flooded"] * 200
    client.send_and_wait("/segue/density", 0.5)
    assert registry.get("density") == 0.5


@given(st.binary(max_size=300))
def test_no_bytes_do_harm(data: bytes) -> None:
    try:
        for _, each in split(data):
            parse(each)
    except MalformedPacketError:
        pass


# -- the interface ----------------------------------------------------------------------------


def test_it_listens_on_loopback_unless_told_otherwise(server: OscServer, tmp_path: Path) -> None:
    assert ControlSettings().osc_host == LOCAL and ControlSettings().osc_is_local
    assert remembered.load(tmp_path).osc_host == LOCAL
    listener = server._socket
    assert listener is not None and listener.getsockname()[0] == LOCAL
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # On another address of this machine nobody is there, so the port is free.
        probe.bind(("127.0.0.2", server.port))


@pytest.mark.parametrize("host", ["localhost", "", "*", "eth0", "192.168.1", "example.org"])
def test_an_interface_is_named_by_its_address(host: str) -> None:
    with pytest.raises(SegueError, match="no address to listen on"):
        ControlSettings(osc_host=host)


def test_another_interface_by_an_explicit_setting(registry: Registry, tmp_path: Path) -> None:
    chosen = ControlSettings(osc_host="0.0.0.0")
    assert not chosen.osc_is_local
    remembered.save(tmp_path, chosen)
    assert remembered.load(tmp_path).osc_host == "0.0.0.0"
    server = OscServer(registry, "127.0.0.2")
    server.start()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(message("/segue/tempo", 111.0), ("127.0.0.2", server.port))
        deadline = time.monotonic() + 5.0
        while registry.get("tempo") != 111.0 and time.monotonic() < deadline:
            server.drain()
            time.sleep(0.002)
        assert registry.get("tempo") == 111.0
    finally:
        server.stop()


def test_a_port_that_is_taken_is_a_sentence(server: OscServer, registry: Registry) -> None:
    with pytest.raises(SegueError, match="choose another port in the settings"):
        OscServer(registry, LOCAL, server.port).start()

"""An engine on a server against the same engine here, over loopback; lines that fail."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from models.engine.controls import Controls
from models.engine.interface import Audio, Engine, ScoreInfo, Snapshot, Stream
from models.errors import BlockPendingError, PlaceLostError, SegueError
from models.registry import open_engine
from models.remote import credentials
from models.remote.client.engine import RemoteEngine
from models.remote.client.known import forget, known_servers
from models.remote.client.line import HEARING
from models.remote.client.width import GAPS, LineWidth
from models.remote.protocol import address
from models.remote.protocol.limits import Limits
from models.segue.engine import SegueEngine
from tests.benchmarks.remote.__main__ import free_port
from tests.support.remote import ServerThread, served
from tests.support.tone_engine import ToneEngine

A = Controls(notes=(57,), bpm=100.0)
B = Controls(notes=(69,), bpm=100.0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The list of known servers, and the server's secrets, of this test."""
    monkeypatch.setattr(credentials, "data_folder", lambda: tmp_path)
    monkeypatch.setattr("models.remote.client.known.data_folder", lambda: tmp_path)
    monkeypatch.delenv(credentials.TOKEN_VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def tone() -> Iterator[tuple[ServerThread, RemoteEngine]]:
    with served(ToneEngine(block_seconds=0.02)) as server:
        engine = RemoteEngine(server.address())
        yield server, engine
        engine.close()


@contextmanager
def thin_line(target: int, mbit: float) -> Iterator[int]:
    """Port of a line of so many Mbit/s to the server at port `target`."""
    port = free_port()
    words = ["-m", "tests.benchmarks.remote.proxy", str(port), str(target), "--mbit", str(mbit)]
    with subprocess.Popen(
        [sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as proxy:
        assert proxy.stdout is not None
        proxy.stdout.readline()
        try:
            yield port
        finally:
            proxy.kill()


Got = TypeVar("Got")


def patiently(get: Callable[[], Got], seconds: float = 20.0) -> Got:
    """What comes over the line, however long it takes."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return get()
        except BlockPendingError:
            assert time.monotonic() < deadline
            time.sleep(0.002)


def render(stream: Stream, controls: Controls) -> Audio:
    """The next block."""
    return patiently(lambda: stream.render(controls))


def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def play(
    engine: Engine, first: Controls, second: Controls
) -> tuple[list[Audio], list[ScoreInfo | None]]:
    """Blocks with what the planner does to a stream: changes, rewrites, a trigger, clear, stems."""
    stream = engine.start(3)
    heard: list[Audio] = []
    scores: list[ScoreInfo | None] = []
    snapshots: list[Snapshot] = []
    for number in range(16):
        snapshots.append(stream.snapshot())
        if number == 8:
            stream.restore(snapshots[4])
        if number == 12:
            stream.clear()
        controls = first if number % 8 < 4 else second
        heard.append(render(stream, controls))
        scores.append(stream.score)
        if number in (2, 13):
            heard.extend(patiently(lambda: stream.stems).values())
    return heard, scores


def test_segue_elsewhere_gives_the_same_samples() -> None:
    """Float32 is lossless: the same seed and controls, the same samples, stems and scores."""
    here = SegueEngine()
    style = here.embed_text("minimal techno")
    first = Controls(style=style, bpm=120.0)
    second = Controls(style=here.embed_text("rock band"), key="A minor", fill=True)
    with served(here) as server:
        there = open_engine(server.address("segue"))
        assert np.array_equal(there.embed_text("minimal techno"), style)
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, (48_000, 2))
        assert np.array_equal(there.embed_audio(noise, 48_000), here.embed_audio(noise, 48_000))
        assert there.nearest_terms(style, 3) == here.nearest_terms(style, 3)
        assert there.weights_identity == here.weights_identity
        assert there.info.controls == here.info.controls - HEARING
        assert there.info.parts == here.info.parts
        local, remote = play(here, first, second), play(there, first, second)
        there.close()
    here.close()
    assert len(local[0]) > 16
    for one, other in zip(local[0], remote[0], strict=True):
        assert np.array_equal(one, other)
    assert local[1] == remote[1]
    assert [s and s.events for s in local[1]] == [s and s.events for s in remote[1]]


def test_a_moment_comes_back_from_a_file(tone: tuple[ServerThread, RemoteEngine]) -> None:
    _, engine = tone
    stream = engine.start(1)
    for _ in range(3):
        render(stream, A)
    packed = engine.pack(stream.snapshot())
    assert packed is not None
    expected = render(stream, A)
    stream.restore(engine.unpack(packed))
    assert np.array_equal(render(stream, A), expected)
    forged = packed.arrays[0].copy()
    forged[-1] ^= 1
    for state in (forged, forged[:10], forged[:0]):
        with pytest.raises(SegueError, match="another server"):
            engine.unpack(type(packed)(packed.engine, packed.weights, packed.tree, (state,)))
    with pytest.raises(SegueError, match="belongs to segue"):
        engine.unpack(type(packed)("segue", "", "{}", ()))


def test_audio_is_continued_there() -> None:
    engine = ToneEngine(block_seconds=0.02, continues_audio=True)
    audio = np.linspace(0.0, 0.7, 48_000, dtype=np.float32)[:, None]
    with served(engine) as server:
        there = RemoteEngine(server.address())
        streams = engine.start(5), there.start(5)
        for stream, source in zip(streams, (engine, there), strict=True):
            stream.restore(source.snapshot_after(audio, 48_000, 5))
        assert np.array_equal(streams[0].render(A), render(streams[1], A))
        there.close()


def test_an_upload_over_a_thin_line_is_no_silent_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a new server is to listen to keeps the pings waiting: the line was cut, time after time,
    and the upload begun again.
    """
    monkeypatch.setattr("models.remote.client.line.SILENT_SECONDS", 0.5)
    monkeypatch.setattr("models.remote.client.line.PING_SECONDS", 0.1)
    audio = np.linspace(0.0, 0.7, 3 * 48_000, dtype=np.float32)[:, None]
    engine = ToneEngine(block_seconds=0.02, continues_audio=True)
    with served(engine) as server, thin_line(server.port, mbit=2) as port:
        there = RemoteEngine(server.address().replace(str(server.port), str(port)))
        connection = there.line.connection
        there.snapshot_after(audio, 48_000)
        assert there.line.connection == connection and there.line.connected
        there.close()


def test_snapshots_that_nobody_holds_are_forgotten_there(
    tone: tuple[ServerThread, RemoteEngine],
) -> None:
    server, engine = tone
    stream = engine.start(1)
    kept = []
    for _ in range(50):
        render(stream, A)
        kept.append(stream.snapshot())
    (entry,) = server.server.host.table.entries.values()
    assert len(entry.session.snapshots) >= 50
    assert getattr(kept[-1], "nbytes", 0) > 0  # counted by whoever keeps moments
    del kept[:-1]
    gc.collect()
    until(lambda: len(entry.session.snapshots) < 30)
    stream.restore(kept[-1])
    render(stream, A)  # known still


def test_a_slow_engine_is_waited_for_and_loses_nothing() -> None:
    local = ToneEngine(block_seconds=0.02).start(2)
    expected = [local.render(A) for _ in range(6)]
    engine = ToneEngine(block_seconds=0.02, faults={3: "stall"}, stall_seconds=0.6)
    with served(engine) as server:
        there = RemoteEngine(server.address())
        heard: list[Audio] = []
        stream, pending = there.start(2), 0
        while len(heard) < 6:
            before = stream.snapshot()
            try:
                heard.append(stream.render(A))
            except BlockPendingError:
                pending += 1
                assert stream.snapshot() is before
        assert pending and all(map(np.array_equal, heard, expected))
        there.close()


def test_controls_that_do_not_fit_and_an_engine_that_fails(
    tone: tuple[ServerThread, RemoteEngine],
) -> None:
    server, engine = tone
    stream = engine.start(1)
    render(stream, A)
    with pytest.raises(SegueError, match="numbers"):
        render(stream, Controls(style=np.ones(3, np.float32)))
    first = render(stream, A)
    server.server.host.engine.faults = dict.fromkeys(range(1000), "raise")  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="told to fail"):
        for _ in range(100):
            render(stream, B)
    server.server.host.engine.faults = {}  # type: ignore[attr-defined]
    assert first.shape == render(stream, A).shape


def test_a_cut_line_is_made_anew_and_the_music_goes_on(
    tone: tuple[ServerThread, RemoteEngine],
) -> None:
    server, engine = tone
    local = ToneEngine(block_seconds=0.02).start(4)
    stream = engine.start(4)
    for number in range(40):
        if number in (10, 25):
            (entry,) = server.server.host.table.entries.values()
            assert entry.peer is not None
            server.server._loop.call_soon_threadsafe(entry.peer.cut)  # type: ignore[union-attr]
            until(lambda: not engine.line.connected)
        assert np.array_equal(render(stream, A), local.render(A))
    sentences = [sentence for _, sentence in engine.notices()]
    assert sum("is down: the plan plays on" in s for s in sentences) == 2
    assert sum("is back: the music goes on" in s for s in sentences) == 2


def test_a_server_that_was_started_anew_begins_afresh() -> None:
    server = ServerThread(ToneEngine(block_seconds=0.02))
    engine = RemoteEngine(server.address())
    stream = engine.start(4)
    for _ in range(5):
        render(stream, A)
    moment = stream.snapshot()
    server.stop()
    for _ in range(30):  # what had come is there; then nothing, at once and without harm
        try:
            stream.render(A)
        except BlockPendingError:
            break
    began = time.monotonic()
    with pytest.raises(BlockPendingError):
        stream.render(A)
    assert time.monotonic() - began < 1.0
    again = ServerThread(ToneEngine(block_seconds=0.02), port=server.port)
    with pytest.raises(PlaceLostError, match="begins afresh"):
        render(stream, A)
    assert render(stream, A).any()
    stream.restore(moment)
    with pytest.raises(PlaceLostError):
        render(stream, A)
    engine.close()
    again.stop()


def test_a_server_that_was_started_anew_listens_to_what_was_heard() -> None:
    """It goes on from the sound that was heard last, at the place that the stream has gone back
    to, and not from what was rendered after that."""
    server = ServerThread(ToneEngine(block_seconds=0.1, continues_audio=True))
    engine = RemoteEngine(server.address())
    stream = engine.start(4)
    heard: list[Audio] = []
    for number in range(34):
        heard.append(render(stream, A))
        if number == 29:
            place = stream.snapshot()
    stream.restore(place)
    server.stop()
    until(lambda: not engine.line.connected)
    again = ServerThread(ToneEngine(block_seconds=0.1, continues_audio=True), port=server.port)
    with pytest.raises(PlaceLostError, match="goes on from the sound of the last seconds"):
        render(stream, A)
    here = ToneEngine(block_seconds=0.1, continues_audio=True)
    local = here.start(4)
    local.restore(here.snapshot_after(np.concatenate(heard[:30]), 48_000, 4))
    for _ in range(3):
        assert np.array_equal(render(stream, A), local.render(A))
    engine.close()
    again.stop()


def test_a_place_that_the_server_has_forgotten_is_taken_up_before_it() -> None:
    limits = Limits(snapshots=12)
    with served(ToneEngine(block_seconds=0.02), limits=limits) as server:
        engine = RemoteEngine(server.address())
        stream = engine.start(1)
        kept = []
        for _ in range(40):
            render(stream, A)
            kept.append(stream.snapshot())
        stream.restore(kept[5])
        with pytest.raises(PlaceLostError, match="nearest"):
            render(stream, A)
        assert render(stream, A).any()
        engine.close()


def test_a_session_is_kept_for_a_while_and_makes_room() -> None:
    with served(ToneEngine(block_seconds=0.02), limits=Limits(sessions=2)) as server:
        first, second = RemoteEngine(server.address()), RemoteEngine(server.address())
        with pytest.raises(SegueError, match="its most: try later"):
            RemoteEngine(server.address())
        first.close()
        until(lambda: any(e.peer is None for e in server.server.host.table.entries.values()))
        third = RemoteEngine(server.address())
        render(second.start(0), A)
        render(third.start(0), A)
        second.close()
        third.close()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("remote://127.0.0.1:1/tone", "nothing answers"), ("remote://127.0.0.1/", "no address")],
)
def test_what_cannot_be_reached_is_a_sentence(name: str, sentence: str) -> None:
    with pytest.raises(SegueError, match=sentence):
        open_engine(name)


def test_another_engine_than_the_one_that_plays_is_a_sentence(
    tone: tuple[ServerThread, RemoteEngine],
) -> None:
    with pytest.raises(SegueError, match="plays tone, not segue: ask for that"):
        RemoteEngine(tone[0].address("segue"))


def test_a_token_is_wanted_and_kept(folder: Path) -> None:
    token = "0123456789abcdef"
    with served(ToneEngine(block_seconds=0.02), token=token) as server:
        for wrong in ("", "wrong@"):
            with pytest.raises(SegueError, match="wants another token"):
                RemoteEngine(f"remote://{wrong}127.0.0.1:{server.port}/tone")
        assert not known_servers()
        RemoteEngine(f"remote://{token}@127.0.0.1:{server.port}/tone").close()
        (known,) = known_servers()
        assert (known.name, known.token) == (server.address(), token)
        assert (folder / "servers.json").stat().st_mode & 0o077 == 0
        engine = RemoteEngine(server.address())  # it is known now
        assert token not in engine.info.name
        engine.close()
        assert any("wrong token" in line for line in server.log)


def test_a_certificate_is_made_shown_once_kept_and_defended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "is_loopback", lambda host: False)
    made = credentials.own_certificate(folder / "server", "127.0.0.1")
    assert made == credentials.own_certificate(folder / "server", "127.0.0.1")
    assert made.key.stat().st_mode & 0o077 == 0
    token = credentials.server_token(folder / "server")
    assert len(token) >= 16
    tls = credentials.server_context(made.certificate, made.key)
    with served(ToneEngine(block_seconds=0.02), token=token, tls=tls) as server:
        name = f"remote://{token}@127.0.0.1:{server.port}/tone"
        engine = RemoteEngine(name)
        told = [sentence for _, sentence in engine.notices()]
        assert [made.fingerprint in sentence for sentence in told] == [True]
        assert engine.line.width.audio_format == "flac24"
        assert render(engine.start(0), A).shape == (960, 2)
        engine.close()
        engine = RemoteEngine(server.address())
        assert not engine.notices()
        engine.close()
        port = server.port
    other = credentials.own_certificate(folder / "other", "127.0.0.1")
    tls = credentials.server_context(other.certificate, other.key)
    with served(ToneEngine(block_seconds=0.02), token=token, tls=tls, port=port) as server:
        with pytest.raises(SegueError, match="another certificate than before"):
            RemoteEngine(server.address())
        forget(server.address())
        with pytest.raises(SegueError, match="wants another token"):
            RemoteEngine(server.address())


def test_a_thin_line_gets_a_thinner_format() -> None:
    width = LineWidth("", elsewhere=True)
    for _ in range(3 * GAPS):
        width.add(0.05, 0.01, 0.08)
        assert not width.narrow()  # wide enough
    for _ in range(GAPS):
        width.add(0.1, 0.09, 0.08)
    assert not width.narrow()  # the server is slow, not the line
    for _ in range(GAPS):
        width.add(0.1, 0.01, 0.08)
    assert width.narrow() and width.audio_format == "flac16" and not width.narrow()
    for number in range(3 * GAPS):  # a stutter is no thin line
        width.add(2.0 if number % GAPS == 0 else 0.01, 0.005, 0.08)
    assert not width.narrow()
    fixed = LineWidth("flac24", elsewhere=True)
    for _ in range(GAPS):
        fixed.add(0.1, 0.01, 0.08)
    assert not fixed.narrow() and fixed.audio_format == "flac24"
    assert LineWidth("", elsewhere=False).audio_format == "float32"


def test_a_damaged_list_of_servers_is_an_empty_one(folder: Path) -> None:
    for text in ("", "[1, 2]", '{"a": 1}', "[]", json.dumps([{"name": 3}])):
        (folder / "servers.json").write_text(text, encoding="utf-8")
        assert len(known_servers()) <= 1

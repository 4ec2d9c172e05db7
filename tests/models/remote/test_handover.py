"""Sessions that go on elsewhere: table, record, directory, statistics; another host takes over."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from models.engine.controls import Controls
from models.engine.interface import Audio, Stream
from models.errors import SegueError
from models.remote.cluster.directory import KEEP_SECONDS, SessionDirectory, shard_of
from models.remote.cluster.options import TOO_MANY, ServeOptions, parse_replicas
from models.remote.protocol.limits import Limits
from models.remote.protocol.messages import Block, Place, Run, Started, from_bytes
from models.remote.server.handover import (
    MAX_ANCHORS,
    MAX_STEPS,
    KeptSnapshot,
    SessionRecord,
    SessionRecorder,
    Step,
    follow,
)
from models.remote.server.session import StreamSession
from models.remote.server.session_table import SessionTable
from models.remote.server.shared_renderer import SharedRenderer
from models.remote.server.statistics import (
    HUNG_SECONDS,
    MAX_FAULTS,
    METRICS,
    BlockCount,
    ServerStatistics,
)
from tests.models.remote.test_remote_engine import until
from tests.support.tone_engine import ToneEngine, ToneStream

A, B = Controls(notes=(57,)), Controls(notes=(69,))


class Ended:
    """Session that is told to end."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_the_table_keeps_a_session_whose_line_is_lost_and_ends_the_one_that_waited_longest() -> (
    None
):
    table: SessionTable[Ended, str] = SessionTable(2, keep_seconds=10.0)
    sessions = {key: Ended() for key in "abc"}
    lines = {key: f"line {key}" for key in "ab"}
    for key in "ab":
        table.make_room()
        table.put(key, sessions[key])
        assert table.take(key, lines[key]) is None
    with pytest.raises(SegueError, match="plays for 2 already"):
        table.make_room()
    assert table.take("a", "new") is lines["a"]
    assert not table.leave("a", lines["a"], 1.0)  # not the line that it has now
    assert table.leave("b", lines["b"], 1.0) and table.leave("a", "new", 2.0)
    table.make_room()
    assert sessions["b"].closed and list(table.entries) == ["a"]
    assert table.expire(11.9) == [] and table.expire(12.0) == ["a"]
    assert sessions["a"].closed and not len(table)
    assert not table.leave("a", "new", 20.0)


def record_of(entries: Sequence[Step | KeptSnapshot]) -> SessionRecord:
    record = SessionRecord()
    for entry in entries:
        record.add(entry)
    return record


def step(number: int, after: int | None, controls: Controls = A) -> Step:
    return Step(number, Place(after, seed=3), controls)


def anchor(number: int) -> KeptSnapshot:
    return KeptSnapshot(number, ToneEngine().pack(ToneEngine().start(1).snapshot()))


@pytest.mark.parametrize(
    ("entries", "number", "begins", "steps"),
    [
        ([step(1, None), step(2, 1)], 2, None, [1, 2]),
        ([step(1, None), anchor(1), step(2, 1), step(3, 2)], 3, 1, [2, 3]),
        ([step(1, None), step(2, 1), step(3, 1), step(4, 3)], 4, None, [1, 3, 4]),  # a rewrite
        ([anchor(4), step(5, 4), step(7, 6)], 7, 4, []),  # 6 is unknown: the nearest before it
        ([anchor(4), anchor(9)], 9, 9, []),
        ([anchor(4), anchor(9)], 8, 4, []),
        ([step(5, 7)], 5, "unknown", []),  # damaged: a block does not come before its place
        ([anchor(4)], 3, "unknown", []),
        ([], 1, "unknown", []),
    ],
)
def test_the_way_to_a_snapshot(
    entries: list[Step | KeptSnapshot], number: int, begins: int | str | None, steps: list[int]
) -> None:
    route = record_of(entries).route(number)
    if begins == "unknown":
        assert route is None
        return
    assert route is not None
    assert (route.anchor and route.anchor.number) == begins
    assert [each.number for each in route.steps] == steps
    assert route.number == (number if steps or begins == number else begins)


def test_a_record_stays_small() -> None:
    record = SessionRecord()
    for number in range(1, 2 * MAX_STEPS):
        record.add(Step(number, Place(number - 1), Controls(notes=(57,))))
        if number % 50 == 0:
            record.add(anchor(number))
    assert len(record._steps) == MAX_STEPS and len(record._anchors) <= MAX_ANCHORS
    assert len({id(each.controls) for each in record._steps.values()}) == 1
    assert record.route(record.last) is not None


class Sent:
    """What a session sends."""

    def __init__(self, engine: ToneEngine) -> None:
        self.info = engine.info
        self.blocks: list[Block] = []
        self.started: list[int | None] = []

    def __call__(self, message: object, run: int) -> None:
        if isinstance(message, bytes):
            block = from_bytes(message, self.info)
            assert isinstance(block, Block)
            self.blocks.append(block)
        elif isinstance(message, Started):
            self.started.append(message.snapshot)

    def play(self, session: StreamSession, run: Run) -> list[Audio]:
        """Blocks of a run, as many as it gives credit for."""
        before = len(self.blocks)
        session.start(run)
        until(lambda: len(self.blocks) == before + run.credit)
        return [block.planes[0] for block in self.blocks[before:]]


def test_another_server_goes_on_at_the_very_place() -> None:
    """Also after a rewrite and a clear, and at a place that the first server never sent again."""
    engine = ToneEngine(block_seconds=0.02)
    directory = SessionDirectory()
    recorder = SessionRecorder(
        lambda entry: directory.write("key", "first", entry), engine.pack, lambda: 0.0
    )
    recorder._spacing = 0.0  # a snapshot with each block of some time
    first = StreamSession(engine, Limits(), "one", recorder=recorder)
    sent = Sent(engine)
    first.attach(sent)
    sent.play(first, Run(1, Place(None, seed=3), A, credit=6))
    recorder._spacing = 1e9  # and none from here on
    sent.play(first, Run(2, Place(3, clear=True), B, credit=4))
    place = sent.blocks[7].snapshot
    expected = sent.play(first, Run(3, Place(place), A, credit=4))
    first.close()
    first.join()

    assert directory.claim("key", "first") is None  # it has it
    record = directory.claim("key", "second")
    assert record is not None
    directory.write("key", "first", step(99, 1))  # too late: the session is not its any more
    assert record.last == sent.blocks[-1].snapshot
    second = StreamSession(ToneEngine(block_seconds=0.02), Limits(), "one", record=record)
    there = Sent(engine)
    second.attach(there)
    blocks = there.play(second, Run(4, Place(place), A, credit=4))
    assert there.started == [place]
    assert all(np.array_equal(*pair) for pair in zip(blocks, expected, strict=True))
    assert there.blocks[0].snapshot > record.last  # a number means one place for ever
    assert second.snapshot(2) == follow(engine, record.route(2))  # type: ignore[arg-type]
    with pytest.raises(SegueError, match="does not know that place"):
        second.snapshot(10_000)
    second.close()
    second.join()


def test_a_directory_forgets_what_is_old_and_is_full() -> None:
    now = 0.0
    directory = SessionDirectory(most=3, clock=lambda: now)
    for number, key in enumerate("abcd"):
        now = float(number)
        directory.write(key, "one", step(1, None))
    assert len(directory) == 3 and directory.claim("a", "two") is None
    assert directory.claim("b", "two") is not None
    directory.forget("b", "one")  # not its any more
    assert len(directory) == 3
    directory.forget("b", "two")
    now = KEEP_SECONDS + 2.5
    directory.write("e", "one", step(1, None))
    assert directory.claim("c", "two") is None and directory.claim("d", "two") is not None
    assert {shard_of(key, 4) for key in ("abc", "abd", "abe", "abf")} == {0, 1, 2, 3}


def test_statistics_tell_sessions_blocks_late_ones_and_the_queue() -> None:
    class Session:
        def __init__(self, queue: int, since: float | None = None) -> None:
            self.queue, self.rendering_since = queue, since

    statistics = ServerStatistics()
    for seconds in (0.01, 0.03, 0.05):
        statistics.blocks.add(seconds, lasts=0.04)
    statistics.taken_over = 1
    reading = statistics.read([(Session(3), True), (Session(2), True), (Session(9), False)])
    assert reading.gauges == {
        "segue_sessions": 2.0, "segue_sessions_waiting": 1.0, "segue_queue_blocks": 5.0,
    }  # fmt: skip
    assert reading.counts == {
        "segue_blocks": 3.0, "segue_late_blocks": 1.0, "segue_sessions_taken_over": 1.0,
    }  # fmt: skip
    assert reading.observations == {"segue_block_seconds": [0.01, 0.03, 0.05]}
    again = statistics.read([])
    assert set(again.counts.values()) == {0.0} and again.observations["segue_block_seconds"] == []
    named = {*again.gauges, *again.counts, *again.observations}
    assert named == {metric.name for metric in METRICS}

    assert statistics.illness([Session(0, 100.0)], 100.0 + HUNG_SECONDS - 1) is None
    assert "at one block" in str(statistics.illness([Session(0, 100.0)], 101.0 + HUNG_SECONDS))
    for _ in range(MAX_FAULTS):
        assert statistics.illness([], 0.0) is None
        statistics.blocks.fail()
    assert "in a row" in str(statistics.illness([], 0.0))
    statistics.blocks.add(0.01, 0.04)
    assert statistics.illness([], 0.0) is None


def test_a_session_counts_its_blocks_and_its_faults() -> None:
    engine, count = ToneEngine(block_seconds=0.02, faults={2: "raise"}), BlockCount()
    session, sent = StreamSession(engine, Limits(), "one", count), Sent(engine)
    session.attach(sent)
    sent.play(session, Run(1, Place(), A, credit=2))
    assert session.queue == 0 and session.rendering_since is None
    session.more(1, 3)
    until(lambda: count.faults)
    session.close()
    session.join()
    assert len(count.take()[0]) == 2 and count.faults == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2", (2, 2)), ("1-8", (1, 8)), ("0", ""), ("3-2", ""), ("x", ""), ("1-", "")],
)
def test_replicas_by_their_number(text: str, expected: tuple[int, int] | str) -> None:
    if expected:
        assert parse_replicas(text) == expected
    else:
        with pytest.raises(SegueError, match="no number of replicas"):
            parse_replicas(text)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, ""),
        ({"engine": "magenta-rt2-base", "device": "cuda", "gpus": 1, "streams": 8}, ""),
        ({"min_replicas": 0}, "1 replica or more"),
        ({"min_replicas": 3, "max_replicas": 2}, "1 replica or more"),
        ({"streams": 0}, "streams"),
        ({"streams": "4"}, "must be a int"),
        ({"streams": True}, "must be a int"),
        ({"stream": 4}, "no option 'stream'"),
    ],
)
def test_options_of_a_manifest(given: dict[str, object], fault: str) -> None:
    if fault:
        with pytest.raises(SegueError, match=fault):
            ServeOptions.of(given)
        return
    options = ServeOptions.of(given)
    deployment = options.deployment()
    assert deployment["num_replicas"] == 1
    # One that is too many is told so, and not left waiting.
    assert deployment["max_ongoing_requests"] == options.streams + TOO_MANY


def test_replicas_follow_the_load_where_their_number_may_change() -> None:
    deployment = ServeOptions(min_replicas=1, max_replicas=8, streams=8).deployment()
    assert "num_replicas" not in deployment
    scaling = deployment["autoscaling_config"]
    assert isinstance(scaling, dict)
    assert (scaling["min_replicas"], scaling["max_replicas"]) == (1, 8)
    assert scaling["target_ongoing_requests"] == 6.0  # before all eight are taken


class Together(ToneEngine):
    """Engine that renders up to three streams at once, and waits before it does. sizes: of them."""

    def __init__(self) -> None:
        super().__init__(block_seconds=0.02)
        self.sizes: list[int] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    @property
    def max_together(self) -> int:
        return 3

    def start(self, seed: int = 0) -> ToneStream:
        return PatientStream(self, seed)

    def render_together(self, jobs: Sequence[tuple[Stream, Controls]]) -> list[Audio | Exception]:
        self.sizes.append(len(jobs))
        if any(controls.bpm == 99.0 for _, controls in jobs):
            raise RuntimeError("the whole step failed")
        return [
            SegueError("refused") if controls == B else stream.render(controls)
            for stream, controls in jobs
        ]


class PatientStream(ToneStream):
    """Stream that renders when it is told to."""

    def render(self, controls: Controls) -> Audio:
        assert isinstance(self.engine, Together)
        self.engine.begun.set()
        assert self.engine.go_on.wait(10.0)
        return super().render(controls)


def test_what_is_asked_for_meanwhile_is_rendered_together() -> None:
    engine = Together()
    renderer = SharedRenderer(engine)
    results: dict[int, object] = {}

    def ask(number: int, controls: Controls) -> threading.Thread:
        def work() -> None:
            try:
                results[number] = renderer.render(engine.start(number), controls)
            except Exception as error:
                results[number] = str(error)

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    threads = [ask(0, A)]
    assert engine.begun.wait(10.0)
    for number in range(1, 7):  # in this order: 1, 2, 3 together, then 4, 5, 6
        controls = {2: B, 5: Controls(bpm=99.0)}.get(number, A)
        threads.append(ask(number, controls))
        until(lambda: len(renderer._waiting) == number)  # noqa: B023
    engine.go_on.set()
    for thread in threads:
        thread.join(10.0)
    assert engine.sizes == [3, 3]
    assert results[2] == "refused"
    for number in (0, 1, 3):
        assert np.array_equal(results[number], engine.start(number).render(A))  # type: ignore
    assert {results[number] for number in (4, 5, 6)} == {"the whole step failed"}

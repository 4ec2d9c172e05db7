"""Protocol of the accompaniment: datagrams, settings and batches, by tables."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from app.control.osc.messages import MalformedPacketError, build
from app.control.rtap.batches import BatchAssembler, PacketCounts
from app.control.rtap.messages import (
    WINDOW,
    ContextPacket,
    ControlMessage,
    PacketTest,
    Samples,
    answer,
    chunk,
    flag,
    read,
)
from app.control.rtap.settings import RtapSettings, changed
from models.errors import SegueError

STEP = 1000


def samples(count: int, first: float = 0.0) -> Samples:
    return np.asarray((first + np.arange(count)) / 100_000, np.float32)


def published_packet(batch: int, start: int, total: int, values: Samples) -> bytes:
    """A packet as the published client's library writes it: each argument by itself."""
    tags = b"," + b"iii" + b"f" * len(values)
    tags += b"\0" * (4 - len(tags) % 4)
    body = struct.pack(">iii", batch, start, total)
    return b"/context\0\0\0\0" + tags + body + b"".join(struct.pack(">f", v) for v in values)


def test_a_packet_of_the_published_client_is_read_and_ours_are_the_same_bytes() -> None:
    data = published_packet(7, 5120, 13, samples(301))
    found = read(data)
    assert isinstance(found, ContextPacket)
    assert (found.batch, found.start, found.total) == (7, 5120, 13)
    np.testing.assert_array_equal(found.samples, samples(301))
    assert chunk("/context", (7, 5120, 13), samples(301)) == data


def test_whole_numbers_among_the_samples_are_samples_too() -> None:
    """As Max and JavaScript send 0.0 and 1.0; and Pd a batch's number as a float."""
    tags = b",fiiifi\0"
    data = b"/context\0\0\0\0" + tags + struct.pack(">fiiifi", 3.0, 0, 1, 1, 0.5, 0)
    found = read(data)
    assert isinstance(found, ContextPacket) and found.batch == 3
    assert found.samples.tolist() == [1.0, 0.5, 0.0]


def test_what_is_no_number_is_silence_and_what_is_too_loud_is_clipped() -> None:
    bad = np.array([np.nan, np.inf, 1e30, -0.5], np.float32)
    found = read(chunk("/context", (1, 0, 1), bad))
    assert isinstance(found, ContextPacket)
    assert found.samples.tolist() == [0.0, 0.0, 8.0, -0.5]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 64,
        b"context",
        b"/context\0\0\0\0",
        b"/context\0\0\0\0,iii\0\0\0\0" + struct.pack(">iii", 1, 0, 1),
        b"/context\0\0\0\0,iiis\0\0\0" + struct.pack(">iii", 1, 0, 1) + b"abc\0",
        chunk("/context", (1, 0, 1), samples(8))[:-4],
        chunk("/context", (1, 0, 1), samples(8)) + b"\0\0\0\0",
        chunk("/context", (1, -1, 1), samples(8)),
        chunk("/context", (1, WINDOW - 7, 1), samples(8)),
        chunk("/context", (1, 0, 0), samples(8)),
        chunk("/context", (1, 0, 2**30), samples(8)),
        b"/w\0\0,f\0\0\x7f\x80\0\0",
    ],
)
def test_what_is_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedPacketError):
        read(data)


def test_random_bytes_are_read_or_refused_and_nothing_else() -> None:
    rng = np.random.default_rng(5)
    good = bytearray(chunk("/context", (1, 0, 1), samples(40)))
    for _ in range(2000):
        data = bytearray(good[: int(rng.integers(0, len(good)))])
        for place in rng.integers(0, max(1, len(data)), 4):
            data[place : place + 1] = bytes([int(rng.integers(256))])
        try:
            read(bytes(data))
        except MalformedPacketError:
            pass


def test_an_answer_is_laid_out_as_the_published_server_does() -> None:
    packets = answer("drums", 9, samples(250), 100)
    assert len(packets) == 3
    head = b"/drums\0\0"
    for index, packet in enumerate(packets):
        count = (100, 100, 50)[index]
        tags = b",iii" + b"f" * count
        tags += b"\0" * (4 - len(tags) % 4)
        assert packet.startswith(head + tags + struct.pack(">iii", 9, index, 3))
        values = np.frombuffer(packet, ">f4", count, len(packet) - 4 * count)
        np.testing.assert_array_equal(values, samples(250)[100 * index : 100 * index + count])
    assert flag("/ready") == b"/ready\0\0,T\0\0"
    assert read(chunk("/packet_test", (200,), samples(200))) == PacketTest(200)


@pytest.mark.parametrize(
    ("message", "field", "value"),
    [
        (build("/update_r", [0.5]), "ratio", 0.5),
        (b"/update_r\0\0\0,d\0\0" + struct.pack(">d", 0.125), "ratio", 0.125),
        (build("/w", [-1.0]), "look_ahead", -1.0),
        (build("/w", [0]), "look_ahead", 0.0),
        (build("/update_fade", [0.0]), "fade", 0.0),
        (build("/update_package_size", [10240]), "package", 10240),
        (build("/update_package_size", [512.0]), "package", 512),
        (build("/verbose", [1]), "verbose", True),
        (build("/predict_instruments", [0, 1, 0, 0]), "stems", ("drums",)),
        (build("/predict_instruments", [1.0, 0.0, 0.0, 1.0]), "stems", ("bass", "piano")),
    ],
)
def test_control_messages_set_what_they_say(message: bytes, field: str, value: object) -> None:
    found = read(message)
    assert isinstance(found, ControlMessage)
    settings = changed(RtapSettings(), found.address, found.arguments)
    assert getattr(settings, field) == value and type(getattr(settings, field)) is type(value)


@pytest.mark.parametrize(
    ("address", "arguments"),
    [
        ("/update_r", (0.0,)),
        ("/update_r", (1.5,)),
        ("/update_r", ()),
        ("/update_r", ("much",)),
        ("/w", (2.0,)),
        ("/w", (0.5,)),
        ("/update_fade", (-0.1,)),
        ("/update_package_size", (64,)),
        ("/predict_instruments", (1, 1, 1, 1, 1)),
        ("/nothing", (1,)),
    ],
)
def test_a_wrong_value_is_a_sentence(address: str, arguments: tuple[float | str, ...]) -> None:
    with pytest.raises(SegueError, match=address):
        changed(RtapSettings(), address, arguments)


@pytest.mark.parametrize(
    ("look_ahead", "window"),
    [(-1.0, (-66_150, 0)), (0.0, (0, 66_150)), (1.0, (66_150, 132_300))],
)
def test_the_window_is_where_the_client_writes_it(
    look_ahead: float, window: tuple[int, int]
) -> None:
    """The client writes from curr + w * r * T - fade to curr + (w + 1) * r * T."""
    settings = RtapSettings(look_ahead=look_ahead, fade=0.02)
    start, end = settings.window_after(1_000_000)
    assert (start + 882 - 1_000_000, end - 1_000_000) == window


def packets(batch: int, copies: int = 1) -> list[ContextPacket]:
    """A batch of STEP samples in four packets, the last shorter."""
    starts = range(0, STEP, 300)
    return [
        ContextPacket(batch, start, 4 * copies, samples(min(300, STEP - start), 1 + start))
        for start in starts
    ] * copies


def feed(
    order: list[ContextPacket], copies: int = 1, gap: float = 0.01, wait: float = 1.0
) -> tuple[PacketCounts, list[tuple[int, tuple[tuple[int, int], ...], int]]]:
    """Counts, and (number, missing, skipped) of each batch."""
    assembler = BatchAssembler(PacketCounts())
    now, found = 0.0, []
    for packet in order:
        now += gap
        found += assembler.take(packet, now, STEP, copies)
    found += assembler.expire(now + wait, STEP)
    for batch in found:
        whole = samples(STEP, 1)
        for start, stop in batch.missing:
            whole[start:stop] = 0.0
        np.testing.assert_array_equal(batch.samples, whole)
    return assembler.counts, [(b.number, b.missing, b.skipped) for b in found]


ONE, TWO, FOUR = packets(1), packets(2), packets(4)


@pytest.mark.parametrize(
    ("order", "batches", "counts"),
    [
        ([*ONE, *TWO], [(1, (), 0), (2, (), 0)], {}),
        ([ONE[1], ONE[0], *ONE[2:]], [(1, (), 0)], {"reordered": 1}),
        (
            [ONE[0], ONE[0], *ONE[1:], ONE[3], *TWO],
            [(1, (), 0), (2, (), 0)],
            {"doubled": 2},
        ),
        ([ONE[0], ONE[2], ONE[3]], [(1, ((300, 600),), 0)], {"lost": 1}),
        ([ONE[3]], [(1, ((0, 900),), 0)], {"lost": 3}),
        (
            [*ONE[:2], ONE[3], TWO[0], ONE[2], *TWO[1:]],
            [(1, ((600, 900),), 0), (2, (), 0)],
            {"lost": 1, "late": 1},
        ),
        ([*ONE, *FOUR], [(1, (), 0), (4, (), 2)], {"skipped": 2}),
    ],
)
def test_batches_are_put_together_whatever_the_line_does(
    order: list[ContextPacket], batches: list[tuple[int, object, int]], counts: dict[str, int]
) -> None:
    found, closed = feed(order)
    assert closed == batches
    mishaps = ("lost", "late", "doubled", "reordered", "skipped")
    assert {k: v for k, v in found.as_dict().items() if v and k in mishaps} == counts
    assert found.packets == len(order) and found.batches == len(batches)


def test_a_client_that_begins_again_is_heard_from_its_first_batch() -> None:
    assembler = BatchAssembler(PacketCounts())
    before = [b for p in packets(9) for b in assembler.take(p, 0.0, STEP, 1)]
    after = [b for p in packets(1) for b in assembler.take(p, 3.0, STEP, 1)]
    assert [(b.number, b.restarted) for b in (*before, *after)] == [(9, False), (1, True)]


def test_copies_for_several_stems_are_not_doubled() -> None:
    found, closed = feed([*packets(1, 2), *packets(2, 2)], copies=2)
    assert [each[0] for each in closed] == [1, 2] and not found.doubled and not found.late


def test_a_short_first_batch_is_whole_when_all_its_packets_are_there() -> None:
    assembler = BatchAssembler(PacketCounts())
    (batch,) = assembler.take(ContextPacket(1, 0, 1, samples(200, 1)), 0.0, STEP, 1)
    assert len(batch.samples) == 200 and not batch.missing


def test_the_watchdog_waits_for_five_gaps_and_a_third_of_a_batch() -> None:
    assembler = BatchAssembler(PacketCounts())
    assert assembler.deadline(STEP) == float("inf")
    for number, packet in enumerate(ONE[:3]):
        assembler.take(packet, 0.04 * number, STEP, 1)
    assert assembler.deadline(STEP) == pytest.approx(0.08 + 5 * 0.04)
    assert assembler.deadline(44_100) == pytest.approx(0.08 + 1 / 3)
    assert not assembler.expire(0.25, STEP) and assembler.expire(0.29, STEP)

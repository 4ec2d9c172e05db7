"""Notes of the score as MIDI: which messages at which positions, and when they are sent."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.audio import shared_memory as s
from app.audio.input.clock_filter import ClockFilter
from app.audio.input.clock_map import ClockMap
from app.audio.score_link import ScoreLink
from app.audio.score_port import PortRequest, ScorePort
from app.audio.settings import AudioStatus
from app.control import settings as control_settings
from app.control.score.messages import PartRoute, ScoreMessages, default_routes
from app.control.score.output import STALL_SECONDS, ScoreFollower, ScoreOut
from app.control.score.settings import ScoreSettings
from app.control.settings import ControlSettings
from app.performance.score_log import ScoreLog, ScoreSpan
from models.engine.interface import NoteEvent, ScoreInfo
from models.errors import SegueError
from models.music.score import PARTS

BLOCK = 4800
ROUTES = {"lead": PartRoute(channel=3), "drums": PartRoute(channel=10, port="Rhythm")}


def score(
    *events: tuple[int, str, int, int], held: Sequence[tuple[str, int]] = (), **more: object
) -> ScoreInfo:
    notes = tuple(NoteEvent(*event) for event in events)
    return ScoreInfo(
        events=notes,
        held=tuple(NoteEvent(0, part, pitch, 90) for part, pitch in held),
        **more,  # type: ignore[arg-type]
    )


def sent(messages: ScoreMessages, *spans: ScoreSpan) -> list[tuple[int, str, str]]:
    return [(m.at, m.port, m.data.hex(" ")) for m in messages.follow(spans)]


def test_notes_begin_and_end_where_they_sound() -> None:
    messages = ScoreMessages(ROUTES)
    first = score((100, "lead", 60, 80), (100, "drums", 36, 127), (2500, "drums", 36, 0))
    second = score((300, "lead", 60, 0), held=[("lead", 60)])
    found = sent(
        messages, ScoreSpan(0, 0, BLOCK, first), ScoreSpan(BLOCK, BLOCK, 2 * BLOCK, second)
    )
    assert found == [
        (100, "", "92 3c 50"),
        (100, "Rhythm", "99 24 7f"),
        (2500, "Rhythm", "89 24 00"),
        (BLOCK + 300, "", "82 3c 00"),
    ]
    assert messages.sounding == 0


def test_a_block_that_is_read_in_pieces_is_sent_once() -> None:
    info = score((100, "lead", 60, 80), (2500, "lead", 60, 0), (2500, "lead", 62, 80))
    whole = sent(ScoreMessages(ROUTES), ScoreSpan(0, 0, BLOCK, info))
    pieces = ScoreMessages(ROUTES)
    found = [
        message
        for start in range(0, BLOCK, 400)
        for message in sent(pieces, ScoreSpan(0, start, start + 400, info))
    ]
    assert found == whole and len(whole) == 3


def test_where_the_music_leaps_notes_end_and_held_ones_begin() -> None:
    messages = ScoreMessages(ROUTES)
    sent(messages, ScoreSpan(0, 0, 1000, score((100, "lead", 60, 80))))
    leapt = score(held=[("lead", 67), ("drums", 36)])
    assert sent(messages, ScoreSpan(1000, 1000, 2000, leapt)) == [
        (1000, "", "82 3c 00"),
        (1000, "", "92 43 5a"),  # a drum is not held
    ]


def test_a_note_that_is_struck_again_ends_first() -> None:
    messages = ScoreMessages(ROUTES)
    info = score((100, "lead", 60, 80), (900, "lead", 60, 70))
    assert [data for _, _, data in sent(messages, ScoreSpan(0, 0, BLOCK, info))] == [
        "92 3c 50", "82 3c 00", "92 3c 46",
    ]  # fmt: skip


def test_parts_that_are_off_or_have_no_route_are_not_sent() -> None:
    messages = ScoreMessages({"lead": PartRoute(on=False), "bass": PartRoute(channel=1)})
    info = score((0, "lead", 60, 80), (0, "chords", 60, 80), (0, "bass", 40, 200))
    assert sent(messages, ScoreSpan(0, 0, BLOCK, info)) == [(0, "", "90 28 7f")]


def test_programs_follow_the_instruments_where_they_are_wanted() -> None:
    piano, flute = (score(programs={"lead": n, "bass": 3}) for n in (0, 73))
    spans = [ScoreSpan(0, 0, 10, piano), ScoreSpan(10, 10, 20, piano), ScoreSpan(20, 20, 30, flute)]
    assert sent(ScoreMessages(ROUTES), *spans) == [(0, "", "c2 00"), (20, "", "c2 49")]
    assert sent(ScoreMessages(ROUTES, programs=False), *spans) == []


def test_the_end_leaves_no_note() -> None:
    messages = ScoreMessages(ROUTES)
    sent(messages, ScoreSpan(0, 0, BLOCK, score((0, "lead", 60, 80), (0, "drums", 38, 80))))
    data = [(m.port, m.data.hex(" ")) for m in messages.end(7)]
    assert data == [
        ("", "82 3c 00"), ("Rhythm", "89 26 00"), ("", "b2 7b 00"), ("Rhythm", "b9 7b 00"),
    ]  # fmt: skip
    assert messages.sounding == 0


# -- the reader ------------------------------------------------------------------------------------
def test_the_score_is_sent_once_as_the_reader_goes_on() -> None:
    log = ScoreLog()
    for block in range(4):
        info = score((10, "lead", 60 + block, 80), (900, "lead", 60 + block, 0))
        log.put(block * BLOCK, block * BLOCK, (block + 1) * BLOCK, info)
    follower = ScoreFollower(ScoreMessages(ROUTES))
    found = []
    for read in range(0, 3 * BLOCK - 1000, 333):
        assert follower.moves(read, True, read / 48_000)
        found += follower.advance(log, read, read + 1000)
    assert [at for at, _, _ in found] == [
        block * BLOCK + frame for block in range(3) for frame in (10, 900)
    ]


def test_a_pause_or_a_reader_that_stands_ends_the_notes_and_the_music_goes_on_from_there() -> None:
    follower = ScoreFollower(ScoreMessages(ROUTES))
    log = ScoreLog()
    log.put(0, 0, BLOCK, score((10, "lead", 60, 80)))
    assert follower.moves(0, True, 0.0) and follower.advance(log, 0, 2000)
    assert not follower.moves(100, False, 0.1)
    assert next(data.hex(" ") for _, _, data in follower.cut()) == "82 3c 00"
    assert follower.position is None
    log.put(BLOCK, BLOCK, 2 * BLOCK, score((5, "lead", 62, 80)))
    assert follower.moves(BLOCK, True, 1.0)
    assert follower.advance(log, BLOCK, BLOCK + 2000)[0][0] == BLOCK + 5
    assert follower.moves(BLOCK, True, 1.0 + 0.9 * STALL_SECONDS)
    assert not follower.moves(BLOCK, True, 1.0 + 1.1 * STALL_SECONDS)


# -- the audio process ----------------------------------------------------------------------------
class FakeOut:
    def __init__(self) -> None:
        self.heard: list[tuple[float, str]] = []
        self.closed = False
        self.gone = False

    def send_message(self, message: Sequence[int]) -> None:
        if self.gone:
            raise OSError("pulled")
        self.heard.append((time.monotonic(), bytes(message).hex(" ")))

    def delete(self) -> None:
        self.closed = True


class Device:
    """Ports, and a device whose clock began when this was made."""

    def __init__(self) -> None:
        self.words = np.zeros(s.WORDS, np.int64)
        self.clock = ClockFilter(48_000)
        self.began = time.monotonic()
        self.clock.update(0, self.began)
        self.outs: list[FakeOut] = []
        self.there = True
        self.port = ScorePort(self.clock, ClockMap(self.words), lambda: 0.0, self.open)

    def open(self, api: str, name: str) -> FakeOut:
        if not self.there:
            raise OSError(f"'{name}' is not there")
        self.outs.append(FakeOut())
        return self.outs[-1]

    @property
    def heard(self) -> list[str]:
        return [data for _, data in self.outs[0].heard] if self.outs else []


def until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10.0
    while not true() and time.monotonic() < deadline:
        time.sleep(0.005)
    return true()


REQUEST = PortRequest("UNIX_JACK", (("", ""),))


def test_messages_are_sent_when_their_positions_are_heard_and_not_before() -> None:
    device = Device()
    device.port.choose(REQUEST)
    device.port.put([(4800, "", b"\x90\x3c\x50"), (2400, "", b"\x90\x3e\x50")])
    assert until(lambda: len(device.heard) == 2)
    device.port.stop()
    for (when, _), due in zip(device.outs[0].heard, (0.05, 0.1), strict=False):
        assert when - device.began >= due - 1e-3
    assert device.heard[:2] == ["90 3e 50", "90 3c 50"]
    assert device.heard[2:] == ["80 3e 00", "80 3c 00"] and device.outs[0].closed


def test_a_delay_is_added() -> None:
    device = Device()
    device.port.choose(replace(REQUEST, delay=0.15))
    device.port.put([(0, "", b"\x90\x3c\x50")])
    assert until(lambda: bool(device.heard))
    device.port.stop()
    assert device.outs[0].heard[0][0] - device.began >= 0.149


def test_cancelling_drops_what_waits_and_ends_what_sounds() -> None:
    device = Device()
    device.port.choose(REQUEST)
    device.port.put([(0, "", b"\x90\x3c\x50"), (480_000, "", b"\x90\x40\x50")])
    assert until(lambda: device.heard == ["90 3c 50"])
    device.port.cancel([(0, "", b"\xb0\x7b\x00")])
    assert until(lambda: len(device.heard) == 3)
    assert sorted(device.heard[1:]) == ["80 3c 00", "b0 7b 00"]
    device.port.stop()
    assert len(device.heard) == 3


def test_a_port_that_is_pulled_is_said_and_one_that_is_missing_too() -> None:
    device = Device()
    device.port.choose(REQUEST)
    assert until(lambda: bool(device.outs))
    device.outs[0].gone, device.there = True, False
    device.port.put([(0, "", b"\x90\x3c\x50")])
    assert until(lambda: bool(device.port.reports))
    device.port.stop()
    assert device.port.reports[0] == ("warning", "The score's MIDI port is gone (pulled).")
    absent = Device()
    absent.there = False
    absent.port.choose(PortRequest("UNIX_JACK", (("Synth", "Synth:in"),)))
    assert until(lambda: bool(absent.port.reports))
    absent.port.stop()
    assert "'Synth' could not be opened ('Synth:in' is not there)" in absent.port.reports[0][1]


# -- settings --------------------------------------------------------------------------------------
def test_only_what_is_on_opens_a_port() -> None:
    pipe: list[tuple[object, ...]] = []
    out = ScoreOut(ScoreSettings(), ScoreLog(), AudioStatus, ScoreLink(pipe.append))
    out.apply(ScoreSettings(), "UNIX_JACK", {})
    assert pipe == []
    routes = default_routes() | {"bass": PartRoute(channel=1, port="Synth")}
    out.apply(ScoreSettings(True, routes=routes), "UNIX_JACK", {"Synth": "Synth:in_1"})
    assert pipe[0] == ("score", PortRequest("UNIX_JACK", (("", ""), ("Synth", "Synth:in_1"))))
    out.stop()
    assert pipe[-1] == ("score", None)


def test_settings_are_kept_and_damaged_ones_refused(tmp_path: Path) -> None:
    routes = default_routes() | {"lead": PartRoute(False, 7, "Synth")}
    given = ControlSettings(score=ScoreSettings(True, -12.5, False, routes))
    control_settings.save(tmp_path, given)
    assert control_settings.load(tmp_path) == given
    path = tmp_path / control_settings.FILE_NAME
    kept = json.loads(path.read_text())
    damages: tuple[object, ...] = (
        {"routes": {"lead": {"on": True, "channel": 17, "port": ""}}},
        {"routes": {"lead": {"on": 1, "channel": 1, "port": ""}}},
        {"routes": {"lead": {"on": True, "channel": 1}}},
        {"routes": []},
        {"delay_ms": "much"},
        {"delay_ms": 1e9},
        [],
    )
    for damage in damages:
        path.write_text(json.dumps(kept | {"score": damage}))
        with pytest.raises(SegueError, match="damaged"):
            control_settings.load(tmp_path)
    del kept["score"]
    path.write_text(json.dumps(kept))
    assert control_settings.load(tmp_path).score == ScoreSettings()
    assert set(ScoreSettings().routes) == set(PARTS)

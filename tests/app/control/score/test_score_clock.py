"""MIDI clock out: clocks where the beats are heard, positions where the music leaps."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from app.audio import shared_memory as s
from app.audio.input.clock_filter import ClockFilter
from app.audio.input.clock_map import ClockMap
from app.audio.score_link import ScoreLink
from app.audio.score_port import PortRequest, ScorePort
from app.audio.settings import AudioStatus
from app.control.score.clock import ClockMessages
from app.control.score.messages import ScoreMessages
from app.control.score.output import ScoreFollower, ScoreOut
from app.control.score.settings import ScoreSettings, read_score
from app.performance.score_log import ScoreLog, ScoreSpan
from models.engine.interface import ScoreInfo
from tests.app.control.score.test_score_output import FakeOut, until

BLOCK = 4800
CLOCK = "f8"


def span(block: int, beat: float, tempo: float = 120.0, at: int = 0) -> ScoreSpan:
    """A block of a tenth of a second whose beat at frame `at` is given."""
    info = ScoreInfo(tempo=tempo, beat=beat, bars_at=at)
    return ScoreSpan(block * BLOCK, block * BLOCK, (block + 1) * BLOCK, info)


def sent(clock: ClockMessages, *spans: ScoreSpan) -> list[tuple[int, str]]:
    return [(m.at, m.data.hex(" ")) for m in clock.follow(spans)]


def test_24_clocks_a_beat_from_the_start_on() -> None:
    found = sent(ClockMessages(""), *(span(n, n * 0.2) for n in range(10)))
    assert found[:2] == [(0, "fa"), (0, CLOCK)]
    clocks = [at for at, data in found if data == CLOCK]
    assert clocks == list(range(0, 48_000, 1000))  # 120 beats a minute


@pytest.mark.parametrize("piece", [100, 333, 4800])
def test_a_block_that_is_read_in_pieces_has_each_clock_once(piece: int) -> None:
    whole = span(0, 0.01, 133.7, at=77)
    expected = sent(ClockMessages(""), whole)
    clock, found = ClockMessages(""), []
    for start in range(0, BLOCK, piece):
        found += sent(clock, replace(whole, start=start, stop=min(start + piece, BLOCK)))
    assert found == expected


def test_it_joins_at_the_next_sixteenth_with_its_position() -> None:
    found = sent(ClockMessages("DAW"), *(span(n, 7.3 + n * 0.2) for n in range(3)))
    before = [data for _, data in found[: [d for _, d in found].index("fb")]]
    assert before[-1] == "f2 1e 00" and set(before[:-1]) == {CLOCK}  # 7.5 beats: 30 sixteenths
    at = found[[d for _, d in found].index("fb")][0]
    assert at == round(0.2 * 24_000)


def test_a_leap_stops_and_continues_elsewhere_and_the_clocks_go_on() -> None:
    clock = ClockMessages("")
    sent(clock, span(0, 0.0))
    found = sent(clock, span(1, 260.1))
    assert found[0] == (BLOCK, "fc")
    data = [d for _, d in found]
    assert data[data.index("fb") - 1] == "f2 11 08"  # 260.25 beats: 1041 sixteenths
    assert data.count(CLOCK) >= 4


def test_what_is_swung_does_not_sway_the_clock() -> None:
    """Every other sixteenth comes a third late; the score says where its steps are heard."""
    clock, spans = ClockMessages(""), []
    for step in range(64):
        begins = step * 6000 + (2000 if step % 2 else 0)
        info = ScoreInfo(tempo=120.0, beat=step / 4, bars_at=0)
        spans.append(ScoreSpan(begins, begins, begins + (4000 if step % 2 else 8000), info))
    clocks = [at for at, data in sent(clock, *spans) if data == CLOCK]
    assert set(np.diff(clocks)) == {1000} and clocks[0] == 0


def test_a_tempo_that_glides_bends_the_clock_without_a_leap() -> None:
    clock, spans, beat = ClockMessages(""), [], 0.0
    for block in range(200):
        tempo = 120.0 + 0.2 * min(block, 100)
        spans.append(span(block, beat, tempo))
        beat += 0.1 * tempo / 60.0
    found = sent(clock, *spans)
    assert [data for _, data in found if data != CLOCK] == ["fa"]
    clocks = [at for at, data in found if data == CLOCK]
    assert abs(len(clocks) - 24 * beat) <= 1
    assert np.diff(clocks)[-10:] == pytest.approx(60 * 48_000 / (140.0 * 24), abs=1)
    assert np.all(np.diff(clocks) > 800) and np.all(np.diff(clocks) < 1050)


def test_music_without_beats_has_no_clock_and_a_pause_stops_it() -> None:
    clock = ClockMessages("")
    assert sent(clock, ScoreSpan(0, 0, BLOCK, ScoreInfo())) == [] == clock.end(0)
    sent(clock, span(0, 0.0))
    assert [m.data for m in clock.end(5)] == [b"\xfc"] and clock.end(5) == []


def test_the_follower_sends_it_with_the_notes_and_stops_it_at_a_pause() -> None:
    log = ScoreLog()
    log.put(0, 0, BLOCK, span(0, 0.0).score)
    follower = ScoreFollower(ScoreMessages({}), ClockMessages("DAW"))
    assert follower.moves(0, True, 0.0)
    found = follower.advance(log, 0, 2500)
    assert [(at, port, data.hex()) for at, port, data in found] == [
        (0, "DAW", "fa"), (0, "DAW", CLOCK), (1000, "DAW", CLOCK), (2000, "DAW", CLOCK),
    ]  # fmt: skip
    assert follower.cut() == [(0, "DAW", b"\xfc")]


def test_the_port_sends_one_byte_when_its_time_has_come() -> None:
    clock, out = ClockFilter(48_000), FakeOut()
    clock.update(0, began := time.monotonic())
    words = np.zeros(s.WORDS, np.int64)
    port = ScorePort(clock, ClockMap(words), lambda: 0.0, lambda api, name: out)
    port.choose(PortRequest("UNIX_JACK", (("", ""),)))
    port.put([(2400, "", b"\xf8"), (0, "", b"\xf2\x01\x00"), (0, "", b"\xfb")])
    assert until(lambda: len(out.heard) == 3)
    port.stop()
    assert [data for _, data in out.heard] == ["f2 01 00", "fb", CLOCK]
    assert out.heard[2][0] - began >= 0.049


def test_the_settings_name_its_port() -> None:
    assert ScoreSettings(clock=True, clock_port="DAW").ports == ("DAW",)  # the clock alone
    assert ScoreSettings(on=True, clock=True, clock_port="DAW").ports == ("", "DAW")
    pipe: list[tuple[object, ...]] = []
    out = ScoreOut(ScoreSettings(), ScoreLog(), AudioStatus, ScoreLink(pipe.append))
    out.apply(ScoreSettings(clock=True), "UNIX_JACK", {})
    assert pipe[0] == ("score", PortRequest("UNIX_JACK", (("", ""),)))
    out.stop()
    read = read_score({"on": True, "clock": True, "clock_port": "DAW"})
    assert (read.clock, read.clock_port) == (True, "DAW")
    assert read_score({}).clock is False
    with pytest.raises(TypeError):
        read_score({"clock": 1})

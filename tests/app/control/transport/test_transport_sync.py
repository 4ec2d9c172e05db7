"""Play and tempo shared with JACK's transport or an Ableton Link session."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.control.settings import ControlSettings, load, save
from app.control.transport.helper import HelperProcess, start_helper
from app.control.transport.jack_helper import TICKS, Timebase
from app.control.transport.link_helper import take
from app.control.transport.sync import TransportSync
from app.parameters.catalogue import build_registry, set_engine_controls
from models.errors import SegueError
from tests.support import jack as jack_support


class FakeHelper:
    def __init__(self) -> None:
        self.reports: deque[Mapping[str, object]] = deque()
        self.sent: list[dict[str, object]] = []
        self.stopped = False

    def send(self, words: Mapping[str, object]) -> None:
        self.sent.append(dict(words))

    def stop(self) -> None:
        self.stopped = True


class Rig:
    def __init__(self, mode: str) -> None:
        self.registry = build_registry()
        set_engine_controls(self.registry, frozenset({"bpm"}))
        self.registry.set("tempo", 100.0)
        self.helper, self.said = FakeHelper(), list[str]()
        self.modes: list[str] = []
        self.sync = TransportSync(
            self.registry, lambda level, sentence: self.said.append(sentence), self._start
        )
        self.sync.apply(mode)

    def _start(self, mode: str) -> FakeHelper:
        self.modes.append(mode)
        return self.helper

    def hear(self, **words: object) -> None:
        self.helper.reports.append(words)
        self.sync.tick()

    @property
    def now(self) -> tuple[object, object]:
        return self.registry.get("transport.play"), self.registry.get("tempo")


def test_nothing_is_started_where_it_is_off() -> None:
    rig = Rig("off")
    rig.registry.set("transport.play", True)
    rig.sync.beat(1.0, 120.0)
    assert rig.modes == [] == rig.helper.sent
    assert ControlSettings().transport == "off"


def test_following_jack() -> None:
    rig = Rig("jack_follow")
    rig.registry.set("transport.play", True)
    rig.hear(playing=False, tempo=None)  # what stands already stops nobody
    assert rig.now == (True, 100.0)
    rig.hear(playing=True, tempo=124.004)
    assert rig.now == (True, 124.0)
    rig.hear(playing=False, tempo=124.004)
    assert rig.now == (False, 124.0)
    rig.registry.set("transport.play", True)
    rig.registry.set("tempo", 90.0)
    assert rig.helper.sent == []  # who follows does not lead
    rig.hear(playing=True, tempo=5000.0)
    assert rig.now == (True, 90.0)
    assert "rolling" in rig.sync.state


def test_leading_jack() -> None:
    rig = Rig("jack_lead")
    assert rig.helper.sent == [{"tempo": 100.0}, {"playing": False}]
    rig.helper.sent.clear()
    rig.registry.set("transport.play", True)
    rig.registry.set("tempo", 90.0)
    rig.sync.beat(12.5, 90.0)
    assert rig.helper.sent == [{"playing": True}, {"tempo": 90.0}, {"bar_at": 12.5, "tempo": 90.0}]
    rig.hear(playing=False, tempo=140.0)  # who leads does not follow
    assert rig.now == (True, 90.0)


def test_link_goes_both_ways_and_nothing_goes_round() -> None:
    rig = Rig("link")
    rig.hear(playing=False, tempo=100.0, peers=0)
    rig.helper.sent.clear()
    rig.hear(playing=True, tempo=131.5, peers=2)
    assert rig.now == (True, 131.5)
    assert rig.helper.sent == []
    assert rig.sync.state == "Link, 2 more: rolling, 131.5 bpm"
    rig.registry.set("tempo", 128.0)
    rig.registry.set("transport.play", False)
    assert rig.helper.sent == [{"tempo": 128.0}, {"playing": False}]
    rig.hear(playing=False, tempo=128.0, peers=2)
    assert rig.now == (False, 128.0)
    assert len(rig.helper.sent) == 2


def test_a_fault_is_told_and_another_mode_ends_the_helper() -> None:
    rig = Rig("jack_follow")
    rig.hear(fault="JACK is not there.")
    assert rig.said == ["JACK is not there."] == [rig.sync.state]
    rig.sync.apply("off")
    assert rig.helper.stopped
    assert rig.sync.state == ""


def test_the_setting_is_kept(tmp_path: Path) -> None:
    save(tmp_path, ControlSettings(transport="jack_lead"))
    assert load(tmp_path).transport == "jack_lead"
    with pytest.raises(SegueError, match="choose one of"):
        ControlSettings(transport="midi")


def test_bars_of_the_timebase() -> None:
    base = Timebase(48_000)
    base.set_tempo(120.0, 0.0)
    at = SimpleNamespace(frame=24_000 * 9 + 12_000)
    base.fill(at)  # type: ignore[arg-type]
    assert (at.bar, at.beat, at.tick) == (3, 2, TICKS / 2)
    assert (at.bar_start_tick, at.beats_per_minute, at.valid) == (8 * TICKS, 120.0, 0x10)
    base.align(24_000 * 8 + 2_000, 60.0)  # a bar is heard a little later than was thought
    assert base.beats(24_000 * 8 + 2_000) == 8.0
    assert base.beats(24_000 * 8 + 50_000) == 9.0
    at.frame = 0
    base.align(10_000_000, 120.0)
    base.fill(at)  # type: ignore[arg-type]
    assert at.bar >= 1


class FakeLink:
    """What the helper uses of LinkPython."""

    def __init__(self, peers: int) -> None:
        self.peers, self.done = peers, list[tuple[str, object]]()

    def numPeers(self) -> int:  # noqa: N802 - of LinkPython
        return self.peers

    def clock(self) -> SimpleNamespace:
        return SimpleNamespace(micros=lambda: 5_000_000)

    def captureSessionState(self) -> SimpleNamespace:  # noqa: N802
        note = self.done.append
        return SimpleNamespace(
            setTempo=lambda tempo, at: note(("tempo", tempo)),
            setIsPlaying=lambda on, at: note(("playing", on)),
            forceBeatAtTime=lambda beat, at, quantum: note(("bar", at)),
        )

    def commitSessionState(self, state: object) -> None:  # noqa: N802
        self.done.append(("commit", None))


def test_bars_of_a_session_are_moved_only_while_nobody_else_is_in_it() -> None:
    alone, among = FakeLink(0), FakeLink(1)
    words = {"bar_at": time.monotonic() + 2.0}
    take(alone, words)
    take(among, words)
    assert among.done == []
    (name, at), _ = alone.done
    assert name == "bar"
    assert isinstance(at, int)
    assert at == pytest.approx(7_000_000, abs=500_000)
    take(among, {"tempo": 90.0, "playing": 1})
    assert among.done == [("tempo", 90.0), ("playing", True), ("commit", None)]


def until(true: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("mode", "module", "words"), [("link", "link", "GPL"), ("jack_follow", "jack", "JACK-Client")]
)
def test_a_package_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: str, module: str, words: str
) -> None:
    (tmp_path / f"{module}.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    missing = start_helper(mode)
    until(lambda: missing.reports)
    missing.stop()
    assert words in str(missing.reports[0]["fault"])


def test_a_helper_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(SegueError, match="from Segue's sources"):
        start_helper("jack_follow")
    with pytest.raises(SegueError, match="cannot be started"):
        HelperProcess("jack_helper.py", python="/there/is/no/python")


@pytest.mark.skipif(bool(jack_support.missing()), reason=jack_support.missing())
def test_with_a_real_jack_one_leads_and_one_follows() -> None:
    pytest.importorskip("jack")
    with jack_support.JackServer():
        leader, follower = start_helper("jack_lead"), start_helper("jack_follow")
        try:
            until(lambda: leader.reports and follower.reports)
            leader.send({"bar_at": time.monotonic() + 0.5, "tempo": 97.0})
            leader.send({"playing": True})
            until(lambda: {"playing": True, "tempo": 97.0} in follower.reports)
            leader.send({"tempo": 131.0})
            until(lambda: {"playing": True, "tempo": 131.0} in follower.reports)
            leader.send({"playing": False})
            until(lambda: {"playing": False, "tempo": 131.0} in follower.reports)
        finally:
            leader.stop()
            follower.stop()

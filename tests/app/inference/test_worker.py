"""The worker's thread with the audio process, playing into nothing in real time; the soak."""

from __future__ import annotations

import json
import os
import signal
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pytestqt.qtbot import QtBot

from app.audio.output import NULL_DEVICE, AudioOutput, AudioSettings
from app.cli import plan_check as check
from app.cli.devices import devices
from app.cli.soak import soak
from app.inference.worker import BlockReport, Incident, TimelineMark, Worker, WorkerStatus
from app.performance.moment import Moment
from app.recording.capture_thread import CaptureThread
from models.engine.controls import Controls
from models.engine.interface import Audio, Engine
from models.engine.prompts import Prompt
from models.errors import BlockPendingError, SegueError
from tests.support.tone_engine import ToneEngine, ToneStream, tone_frequency

RATE = 48_000
QUIET = Controls(mute=frozenset({"drums"}), notes=(57,))
OTHER = Controls(mute=frozenset({"drums"}), notes=(69,))


class Band:
    """A worker, its output and what it told."""

    def __init__(
        self,
        engine: Callable[[], Engine],
        qtbot: QtBot,
        stand_in: Callable[[], Engine] | None = None,
    ) -> None:
        self.qtbot = qtbot
        self.output = AudioOutput(AudioSettings(device=NULL_DEVICE))
        self.worker = Worker(engine, self.output, seed=5, stand_in=stand_in)
        self.blocks: list[BlockReport] = []
        self.marks: list[TimelineMark] = []
        self.incidents: list[Incident] = []
        self.statuses: list[WorkerStatus] = []
        self.worker.block_ready.connect(self.blocks.append)
        self.worker.marked.connect(self.marks.append)
        self.worker.incident.connect(self.incidents.append)
        self.worker.status_changed.connect(self.statuses.append)

    def start(self, controls: Controls = QUIET) -> None:
        self.output.start()
        with self.qtbot.waitSignal(self.worker.engine_ready, timeout=10_000):
            self.worker.start()
        self.worker.submit(controls, (Prompt(text="sine"),))
        self.until(lambda: self.worker.status().plan_seconds > 2.0)
        self.worker.play()
        self.until(lambda: self.output.ring.read > 0)

    def until(self, true: Callable[[], bool], seconds: float = 15.0) -> None:
        self.qtbot.waitUntil(true, timeout=round(seconds * 1000))

    def heard(self, seconds: float) -> None:
        stop = self.output.ring.read + seconds * RATE
        self.until(lambda: self.output.ring.read >= stop)

    def frequency(self, frames: int = 9600) -> float:
        end = self.output.tap.end
        last = self.output.tap.follow(end - frames)[1][:frames, 0]
        return float(np.count_nonzero(np.diff(np.signbit(last))) / 2 * RATE / frames)

    def stop(self) -> None:
        self.worker.stop()
        assert self.worker.wait(10_000)
        self.output.stop()


@pytest.fixture
def band(qtbot: QtBot) -> Iterator[Callable[..., Band]]:
    before = set(threading.enumerate())
    bands: list[Band] = []

    def make(engine: Callable[[], Engine] | None = None, **options: Any) -> Band:
        bands.append(Band(engine or (lambda: ToneEngine(**options)), qtbot))
        return bands[-1]

    yield make
    for one in bands:
        one.stop()
    left = [t for t in set(threading.enumerate()) - before if not t.name.startswith("Dummy")]
    assert left == []


def test_it_plays_answers_marks_and_tells(band: Callable[..., Band]) -> None:
    one = band(render_seconds=0.02)
    one.start()
    one.heard(0.5)
    assert one.frequency() == pytest.approx(220, abs=8)
    one.worker.submit(OTHER, mark="up")
    one.until(lambda: one.worker.status().knob_to_sound_ms is not None)
    one.heard(0.4)
    assert one.frequency() == pytest.approx(440, abs=8)
    status = one.worker.status()
    assert status.state == "playing" and status.engine == "tone"
    assert status.audio.underruns == 0 and status.discontinuities == 0
    assert 0 < status.render_ms < 240 and status.real_time_factor > 1
    assert [mark.text for mark in one.marks] == ["up"]
    assert any(block.rewritten for block in one.blocks)
    assert not one.blocks[-1].samples.flags.writeable
    assert len(one.statuses) > 3
    assert one.incidents == []
    read = one.output.ring.read
    steered = one.worker.performance.between(0, read)
    assert {tone_frequency(block.controls) for block in steered} == {220.0, 440.0}
    assert steered[0].prompts == (Prompt(text="sine"),)


def test_transport_moments_hold_and_panic(band: Callable[..., Band]) -> None:
    one = band()
    one.start()
    one.heard(0.5)
    kept: list[Any] = []
    one.worker.moment_ready.connect(lambda key, moment: kept.append((key, moment)))
    one.worker.request_moment("a")
    one.until(lambda: bool(kept))
    one.worker.pause()
    one.until(lambda: one.worker.status().audio.gain == 0.0)
    place = one.output.ring.read
    one.qtbot.wait(100)
    assert one.output.ring.read == place and one.worker.status().state == "paused"
    one.worker.play()
    one.heard(0.3)
    one.worker.clear()
    one.worker.go_to(one.output.ring.read - RATE // 4)
    one.until(lambda: len(one.marks) >= 1)
    one.worker.hold(True)
    one.until(lambda: one.worker.status().state == "holding")
    one.heard(0.5)
    one.worker.hold(False)
    one.worker.go_to_moment(kept[0][1])
    one.until(lambda: one.marks[-1].kind == "moment")
    assert one.worker._planner is not None and one.worker._planner.moments.positions()
    one.worker.panic()
    one.until(lambda: one.marks[-1].kind == "panic", 5.0)
    assert one.worker.status().audio.gain == 0.0
    one.worker.submit(OTHER)
    one.worker.play()
    one.until(lambda: one.worker.status().audio.gain == 1.0)
    one.heard(0.3)
    assert one.frequency() == pytest.approx(440, abs=8)
    assert one.worker.status().audio.underruns == 0


def test_prompts_become_styles_off_the_gui_lane(band: Callable[..., Band], tmp_path: Path) -> None:
    one = band()
    ready: dict[str, Any] = {}
    failed: dict[str, str] = {}
    one.worker.style_ready.connect(lambda key, style: ready.update({key: style}))
    one.worker.style_failed.connect(lambda key, why: failed.update({key: why}))
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "loop.wav", 0.1 * rng.standard_normal((RATE, 2)), RATE)
    one.worker.embed_text("a", "old")
    one.worker.embed_text("a", "flute")  # asked before the engine is there; the newest wins
    one.worker.embed_text("b", "  ")
    one.worker.embed_audio("c", str(tmp_path / "loop.wav"))
    one.worker.embed_audio("d", str(tmp_path / "none.wav"))
    one.worker.embed_audio("e", rng.standard_normal(RATE), RATE)
    one.start()
    one.until(lambda: len(ready) + len(failed) >= 5)
    assert set(ready) == {"a", "c", "e"} and set(failed) == {"b", "d"}
    assert np.array_equal(ready["a"], ToneEngine().embed_text("flute"))
    assert "there is no file" in failed["d"]


@pytest.mark.parametrize("fault", ["raise", "nan", "stall"])
def test_faults_are_not_heard(band: Callable[..., Band], fault: Any) -> None:
    engine = ToneEngine(stall_seconds=1.5)
    one = band(lambda: engine)
    one.start()
    planner = one.worker._planner
    assert planner is not None and isinstance(planner.stream, ToneStream)
    engine.faults = {planner.stream.calls + 1: fault}
    one.heard(2.5 if fault == "stall" else 1.0)
    status = one.worker.status()
    assert status.audio.underruns == 0 and status.discontinuities == 0
    assert status.recoveries == (fault != "stall")
    assert bool(one.incidents) == (fault != "stall")
    assert np.isfinite(one.output.tap.follow(0)[1]).all()


def test_the_audio_process_dies_while_it_records(band: Callable[..., Band], tmp_path: Path) -> None:
    one = band()
    capture_thread = CaptureThread(one.output, performance=one.worker.performance)
    one.start()
    with capture_thread:
        capture_thread.record(tmp_path / "a.wav")
        one.heard(0.4)
        assert one.output.pid is not None
        os.kill(one.output.pid, signal.SIGKILL)
        one.heard(0.6)
        result = capture_thread.stop_recording()
    assert result is not None and result.seconds > 0.9
    sound = soundfile.read(result.path)[0][:, 0]
    bend = np.abs(np.diff(sound[2000:], n=2))
    edges = np.flatnonzero(bend > 0.01)
    assert len(edges) == 0 or np.ptp(edges) < 200  # one cut, where it died, and nothing else
    assert one.worker.status().audio.restarts == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [(SegueError("the weights are missing: fetch them."), "fetch them"), (OSError("x"), "OSError")],
)
def test_an_engine_that_cannot_be_opened(
    band: Callable[..., Band], error: Exception, words: str
) -> None:
    def fail() -> Engine:
        raise error

    one = band(fail)
    with one.qtbot.waitSignal(one.worker.engine_failed, timeout=5000) as failed:
        one.worker.start()
    assert words in failed.args[0]
    one.until(lambda: one.worker.isFinished())
    assert one.worker.status().state == "failed"
    one.worker.play()  # nothing happens, nothing breaks


def options(seconds: float, engine: str) -> Namespace:
    """Arguments of the soak, into no device."""
    return Namespace(minutes=seconds / 60, json=True, engine=engine, audio_device=NULL_DEVICE)


def test_soak_counts_and_returns_0(
    tone_engine: str, capsys: pytest.CaptureFixture[str], qapp: Any
) -> None:
    code = soak(options(3.0, tone_engine))
    report = json.loads(capsys.readouterr().out)
    assert report["underruns"] == report["xruns"] == report["discontinuities"] == 0
    assert report["heard_seconds"] == pytest.approx(3.0, abs=0.5)
    assert report["knob_turns"] == 2 and report["plan_seconds_min"] > 1.0
    assert code == 0


def test_soak_tells_of_underruns(
    tone_engine: str, capsys: pytest.CaptureFixture[str], qapp: Any, monkeypatch: Any
) -> None:
    slow = ToneEngine(block_seconds=0.1, render_seconds=0.16)
    monkeypatch.setattr("models.registry.open_engine", lambda name, device: slow)
    code = soak(options(2.0, tone_engine))
    report = json.loads(capsys.readouterr().out)
    assert report["underruns"] > 0 and code == 1


def test_what_tells_a_break_from_what_was_limited() -> None:
    rng = np.random.default_rng(0)
    planned = rng.uniform(-1, 1, (48_000, 2)).astype(np.float32)
    assert check.breaks(check.outside(planned, planned, 1.0)) == 0
    assert check.breaks(check.outside(planned, planned * np.float32(0.8), 0.7)) == 0
    heard = planned.copy()
    heard[1000:1100] = planned[3000:3100]
    heard[30_000:30_001] = 0.0
    assert check.breaks(check.outside(planned, heard, 1.0)) == 2


def test_devices_prints_both_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert devices(Namespace()) == 0
    out = capsys.readouterr().out
    assert "audio outputs:" in out and "MIDI inputs:" in out


def test_a_file_is_continued_beside_the_music(band: Callable[..., Band], tmp_path: Path) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 220 * np.arange(48_000) / 48_000)
    soundfile.write(tmp_path / "end.wav", np.stack([tone, tone], axis=1), 48_000)
    (tmp_path / "text.wav").write_text("no sound")
    one = band(continues_audio=True)
    continued: list[str] = []
    one.worker.continued.connect(continued.append)
    one.start()
    one.heard(0.3)
    one.worker.continue_from(str(tmp_path / "text.wav"))
    one.until(lambda: bool(one.incidents))
    assert "cannot be read as audio" in one.incidents[0].sentence and not continued
    for _ in range(3):  # a hand that drops it thrice gets it once more often than not, never thrice
        one.worker.continue_from(str(tmp_path / "end.wav"))
    one.until(lambda: bool(continued))
    one.heard(0.6)
    assert set(continued) == {str(tmp_path / "end.wav")}
    assert [mark.text for mark in one.marks][-1] == "end"
    read = one.output.ring.read
    files = [b.continue_from for b in one.worker.performance.between(0, read) if b.continue_from]
    assert str(tmp_path / "end.wav") in files
    assert one.worker.status().audio.underruns == 0 and len(one.incidents) == 1


def test_an_engine_that_cannot_continue_says_so(band: Callable[..., Band], tmp_path: Path) -> None:
    one = band()
    one.start()
    one.worker.continue_from(str(tmp_path / "end.wav"))
    one.until(lambda: bool(one.incidents))
    assert one.incidents[0].sentence == "tone cannot go on from audio."


def test_the_worker_refuses_a_moment_of_other_weights(band: Callable[..., Band]) -> None:
    """And takes up one that it packed itself, at the very sample."""
    one = band()
    one.start()
    one.heard(0.5)
    kept: list[Moment] = []
    one.worker.moment_ready.connect(lambda key, moment: kept.append(moment))
    one.worker.request_moment("a")
    one.until(lambda: bool(kept))
    assert kept[0].snapshot is None and kept[0].packed is not None
    other = replace(kept[0], packed=replace(kept[0].packed, weights="others"))
    one.worker.go_to_moment(other)
    one.until(lambda: bool(one.incidents))
    assert "other weights" in one.incidents[-1].sentence and not one.marks
    one.worker.go_to_moment(replace(kept[0], position=-1))
    one.until(lambda: one.marks[-1].kind == "moment" if one.marks else False)
    place = one.marks[-1].position
    one.until(lambda: one.output.ring.read > place)
    steered = one.worker.performance.between(0, one.output.ring.read)
    assert all(block.moment is None for block in steered), "it is of no performance of now"


def test_an_engine_of_this_machine_takes_over(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.inference.takeover.LISTEN_SECONDS", 0.1)
    monkeypatch.setattr("app.inference.takeover.DEAD_SECONDS", 0.3)
    monkeypatch.setattr("app.inference.takeover.LEFT_SECONDS", 2.0)  # the test need not wait
    there, here = ToneEngine(block_seconds=0.1), ToneEngine(block_seconds=0.1, name="here")
    object.__setattr__(there.info, "remote", True)
    render, dead = ToneStream.render, threading.Event()

    def cut_off(stream: ToneStream, controls: Controls) -> Audio:
        if dead.is_set() and stream.engine is there:
            raise BlockPendingError("not yet")
        return render(stream, controls)

    monkeypatch.setattr(ToneStream, "render", cut_off)
    band = Band(lambda: there, qtbot, lambda: here)
    band.start()
    dead.set()
    with qtbot.waitSignal(band.worker.engine_ready, timeout=15_000) as ready:
        pass
    assert ready.args[0].name == "here"
    band.until(lambda: there.closed)
    read = band.output.ring.read
    band.until(lambda: band.output.ring.read > read + 3 * RATE)
    assert band.worker.status().engine == "here"
    assert band.worker.status().audio.underruns == 0
    assert [incident.level for incident in band.incidents] == ["warning"]
    band.stop()
    assert here.closed

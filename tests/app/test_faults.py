"""Faults with the real parts: what is heard, what is said, and what is not lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pytestqt.qtbot import QtBot

from app.audio.output import NULL_DEVICE, AudioOutput, AudioSettings
from app.inference.moments import MomentStore
from app.inference.runtime import trim_heap
from app.inference.worker import Worker
from app.parameters import catalogue
from app.performance.moment import Moment
from app.recording.capture_thread import CaptureThread
from app.session import preferences
from app.session.storage import Autosave, load_moments
from models.engine.controls import Controls
from tests.benchmarks.stage import hour
from tests.support.tone_engine import ToneEngine, ToneStream

RATE = 48_000
ROOT = Path(__file__).resolve().parents[2]
QUIET = Controls(mute=frozenset({"drums"}), notes=(57,))


class Stage:
    """A worker that plays into nothing in real time."""

    def __init__(self, engine: ToneEngine, qtbot: QtBot) -> None:
        self.engine, self.qtbot = engine, qtbot
        self.said: list[tuple[str, str]] = []
        self.output = AudioOutput(AudioSettings(device=NULL_DEVICE))
        self.worker = Worker(lambda: engine, self.output, seed=5)
        self.worker.incident.connect(lambda i: self.said.append((i.level, i.sentence)))

    def __enter__(self) -> Stage:
        self.output.start()
        with self.qtbot.waitSignal(self.worker.engine_ready, timeout=10_000):
            self.worker.start()
        self.worker.submit(QUIET)
        self.until(lambda: self.worker.status().plan_seconds > 2.0)
        self.worker.play()
        self.until(lambda: self.output.status().gain >= 1.0)
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.stop()
        assert self.worker.wait(10_000)
        self.output.stop()

    def until(self, true: Callable[[], bool], seconds: float = 15.0) -> None:
        self.qtbot.waitUntil(true, timeout=round(1000 * seconds))

    def heard(self, seconds: float) -> None:
        stop = self.output.ring.read + seconds * RATE
        self.until(lambda: self.output.ring.read >= stop)

    def fail_next(self, fault: str) -> None:
        planner = self.worker._planner
        assert planner is not None and isinstance(planner.stream, ToneStream)
        self.engine.faults = {planner.stream.calls + 1: fault}  # type: ignore[dict-item]


def test_an_engine_that_stalls_for_5_s_fades_and_comes_back(qtbot: QtBot) -> None:
    engine = ToneEngine(stall_seconds=5.0)
    with Stage(engine, qtbot) as stage:
        began = stage.output.tap.end
        stage.fail_next("stall")
        stage.until(lambda: stage.output.status().underruns == 1, 8.0)
        assert stage.output.ring.read - began > 1.5 * RATE  # all that was planned was played
        stage.until(lambda: stage.output.status().gain >= 1.0, 8.0)
        stage.heard(0.5)
        status = stage.output.status()
        _, heard = stage.output.tap.follow(max(began, stage.output.tap.end - 4 * RATE))
    assert status.underruns == 1
    # What was heard has no edge: it faded out where the plan ended, and in again.
    bend = np.abs(np.diff(heard[:, 0].astype(np.float64), n=2))
    assert bend.max() < 5e-3
    assert np.abs(heard).max() > 0.05


def test_a_full_disk_does_not_stop_the_music(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC from the recorder's file after 100 kB; the capture keeps what the file does not."""
    from app.recording import files

    room = [100_000]
    write = os.write
    said: list[tuple[str, str]] = []

    def full(number: int, data: bytes) -> int:
        target = str(Path(f"/proc/self/fd/{number}").readlink()) if sys.platform == "linux" else ""
        if target.endswith("take.wav"):
            room[0] -= len(data)
            if room[0] < 0:
                raise OSError(28, "No space left on device")
        return write(number, data)

    with Stage(ToneEngine(), qtbot) as stage:
        small = _small_disk(tmp_path)
        folder = small if small is not None else tmp_path
        if small is None:
            monkeypatch.setattr(files.os, "write", full)
        capture_thread = CaptureThread(
            stage.output, on_incident=lambda level, text: said.append((level, text))
        )
        try:
            with capture_thread:
                capture_thread.record(folder / "take.wav")
                start = stage.output.tap.end
                stage.until(
                    lambda: (
                        capture_thread.recording is not None
                        and bool(capture_thread.recording.stopped_because)
                    )
                )
                stage.heard(0.3)
                result = capture_thread.stop_recording()
                low, high = capture_thread.capture_range()
            status = stage.output.status()
            assert result is not None and "full" in result.stopped_because
            assert [level for level, _ in said].count("error") == 1
            sound, _ = soundfile.read(folder / "take.wav", dtype="float32")
            assert len(sound) > 10_000
            assert low <= start and high - start > len(sound)
            assert status.underruns == 0 and status.playing
        finally:
            if small is not None:
                subprocess.run(["umount", str(small)], check=True)


def _small_disk(folder: Path) -> Path | None:
    """A tmpfs of 512 kB, where the system lets us."""
    place = folder / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return place if done.returncode == 0 else None


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """The instrument was killed while it recorded: its folder, and frames heard until then."""
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    folder = tmp_path / "Segue"
    folder.mkdir()
    preferences.save(folder / "preferences.json", preferences.Preferences(device=NULL_DEVICE))
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.support.instrument", str(tmp_path / "take.wav")],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    heard, deadline = 0, time.monotonic() + 60.0
    for line in child.stdout:
        heard = int(line) if line.strip().isdigit() else heard
        if heard > 2.5 * RATE or time.monotonic() > deadline:
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    for line in child.stdout.read().split():
        heard = int(line) if line.isdigit() else heard
    child.stdout.close()
    yield folder, heard


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="XDG folders")
def test_the_instrument_is_killed_while_it_records(killed: tuple[Path, int]) -> None:
    folder, heard = killed
    assert heard > 2.5 * RATE
    sound, rate = soundfile.read(folder.parent / "take.wav", dtype="float32")
    assert rate == RATE and len(sound) >= heard - RATE
    assert np.abs(sound).max() > 0.05
    registry = catalogue.build_registry()
    found = Autosave(folder / "autosave").left_over(registry)
    assert len(found) == 1
    assert any(prompt.text == "Kora" for prompt in found[0].document.prompts)
    kept, lost = load_moments(found[0].path, found[0].document)
    assert lost == "" and len(kept) == 1, "the scene's place in the music as well"


def test_holes_that_moments_leave_are_given_back() -> None:
    kept = [np.ones(16_000, np.uint8) for _ in range(6000)]
    del kept[1::4], kept[1::3], kept[1::2]  # every fourth is left, with 48 kB free behind it
    before = hour.resident_mb()
    if not trim_heap():
        pytest.skip("this system's C library keeps no holes that it could be asked for")
    assert len(kept) == 1500 and before - hour.resident_mb() > 40.0


def test_moments_stay_within_their_memory_and_thin_out_with_age() -> None:
    block, size = 11_520, 50_000
    moments = MomentStore(budget_bytes=100 * size)
    lowest = None
    for number in range(2000):
        moments.add(Moment(number * block, np.zeros(size, np.uint8)))
        assert moments.bytes <= 100 * size
        if number > 200:
            lowest = min(lowest or moments.bytes, moments.bytes)
    assert lowest is not None and lowest >= 98 * size  # level, not a saw
    gaps = np.diff(moments.positions())
    assert moments.positions()[0] == 0
    assert np.median(gaps[-10:]) < np.median(gaps[:10]) / 4
    nearest = moments.at(1999 * block)
    assert nearest is not None and nearest.position == 1999 * block

"""Files that are whole at any instant, the capture, the recorder, what was steered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from app.audio.output import AudioOutput, AudioSettings
from app.performance.file import read_performance
from app.performance.log import PerformanceLog
from app.recording import files
from app.recording.capture import Capture
from app.recording.capture_thread import CaptureThread
from app.recording.recorder import Recorder
from models.engine.controls import Controls
from models.engine.prompts import Prompt
from models.errors import SegueError

Samples = NDArray[np.float32]
ROOT = Path(__file__).resolve().parents[3]
RATE = 48_000


def noise(frames: int, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    return (0.2 * rng.standard_normal((frames, 2))).astype(np.float32)


def load(path: Path) -> Samples:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE
    return np.asarray(samples, np.float32)


class Tap:
    """What an output's tap tells, without an output."""

    def __init__(self) -> None:
        self.end = 0
        self.output: Any = SimpleNamespace(tap=self)

    def follow(self, position: int) -> tuple[int, Samples]:
        return position, np.zeros((self.end - position, 2), np.float32)


# Files


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_24", 2e-7),
        ("a.wav", "PCM_16", 2e-5),
        ("a.wav", "FLOAT", 0.0),
        ("a.flac", "PCM_24", 2e-7),
        ("a.flac", "PCM_16", 4e-5),
    ],
)
def test_a_file_holds_what_was_written(
    tmp_path: Path, name: str, subtype: str, tolerance: float
) -> None:
    sound = noise(30_001)
    file = files.create(tmp_path / name, subtype)
    for at in range(0, len(sound), 1234):
        file.write(sound[at : at + 1234])
    file.close()
    got = load(tmp_path / name)
    assert got.shape == sound.shape
    assert np.abs(got - sound).max() <= tolerance


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_file_plays_after_every_flush_without_being_closed(tmp_path: Path, name: str) -> None:
    sound = noise(60_000)
    file = files.create(tmp_path / name)
    for at in range(0, len(sound), 20_000):
        file.write(sound[at : at + 20_000])
        file.flush()
        copy = tmp_path / f"copy{name}"
        copy.write_bytes((tmp_path / name).read_bytes())
        got = load(copy)
        assert at + 20_000 - 2 * 4096 <= len(got) <= at + 20_000
        assert np.abs(got - sound[: len(got)]).max() < 2e-7
    file.close()


def test_a_wav_beyond_4_gib_becomes_rf64(tmp_path: Path) -> None:
    file = files.WavFile(tmp_path / "long.wav", "PCM_16")
    file.frames = 2**30 + 5  # only the header counts here
    file.flush()
    os.truncate(file.path, 80 + 4 * file.frames)  # a hole, not a byte on the disk
    info = soundfile.info(tmp_path / "long.wav")
    assert (info.format, info.frames) == ("RF64", 2**30 + 5)
    file.frames = 3
    file.close()


@pytest.mark.parametrize(
    ("name", "subtype", "words"),
    [
        ("a.mp3", None, "neither .wav nor .flac"),
        ("a.flac", "FLOAT", "cannot hold"),
        ("there.wav", None, "is there already"),
        ("no/such/folder.wav", None, "cannot be written"),
        ("no/such/folder.flac", None, "cannot be written"),
    ],
)
def test_files_that_cannot_be_made(
    tmp_path: Path, name: str, subtype: str | None, words: str
) -> None:
    (tmp_path / "there.wav").write_bytes(b"precious")
    with pytest.raises(SegueError, match=words):
        files.create(tmp_path / name, subtype)
    assert (tmp_path / "there.wav").read_bytes() == b"precious"


# Capture


def test_capture_keeps_the_last_seconds_and_no_more() -> None:
    capture = Capture(seconds=1.0, chunk=10_000)
    sound = noise(200_000)
    for at in range(0, len(sound), 777):
        capture.add(at, sound[at : at + 777])
    start, stop = capture.range
    assert stop == 200_000 and RATE <= stop - start <= RATE + 20_000
    assert np.abs(capture.copy(start, stop) - sound[start:stop]).max() < 2e-5
    assert capture.copy(0, start + 10).shape == (10, 2)
    assert len(capture._chunks) <= 6


def test_capture_holds_music_in_less_than_its_samples_take() -> None:
    capture = Capture(seconds=4.0, chunk=48_000)
    at = np.arange(5 * RATE) / RATE
    tone = (0.3 * np.sin(2 * np.pi * 220 * at) * np.exp(-(at % 0.5) * 6)).astype(np.float32)
    sound = np.stack([tone, 0.7 * tone], axis=1)
    for start in range(0, len(sound), 4_000):
        capture.add(start, sound[start : start + 4_000])
    start, stop = capture.range
    samples = np.rint(sound[start:stop] * 32768)
    assert np.array_equal(np.rint(capture.copy(start, stop) * 32768), samples)
    assert capture.nbytes < 0.7 * 4 * (stop - start)


def test_capture_fills_gaps_and_starts_anew_after_long_ones(tmp_path: Path) -> None:
    capture = Capture(seconds=1.0, chunk=10_000)
    capture.add(5000, noise(100))
    capture.add(5200, noise(100, 1))
    assert capture.range == (5000, 5300)
    assert not capture.copy(5100, 5200).any() and capture.copy(5200, 5300).any()
    capture.add(9_000_000, noise(100))
    assert capture.range == (9_000_000, 9_000_100)
    assert capture.save(tmp_path / "a.flac", 9_000_020, 9_000_050) == (9_000_020, 9_000_050)
    assert len(load(tmp_path / "a.flac")) == 30
    with pytest.raises(SegueError, match="nothing of that is kept"):
        capture.save(tmp_path / "b.wav", 0, 100)


# What was steered


def test_the_log_holds_what_was_heard_and_reads_back(tmp_path: Path) -> None:
    log = PerformanceLog()
    log.begin("tone", 7, 0, "1a2b")
    fast, slow = Controls(bpm=140.0), Controls(bpm=90.0, mute=frozenset({"drums"}))
    flute = (Prompt("flute", weight=0.5),)
    for block in range(10):
        log.put(block * 1000, 1000, fast)
    for block in range(4, 8):  # rewritten before it was heard
        log.put(block * 1000, 1000, slow, flute, clear=block == 4)
    log.put(8000, 1000, slow, flute, moment=2000)
    log.save(tmp_path / "a.jsonl", 1500, 9000)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert lines[0] == {"t": 0.0, "engine": "tone", "seed": 7, "weights": "1a2b", "bpm": 140.0}
    assert lines[1]["t"] == pytest.approx(2500 / RATE, abs=1e-6)
    assert lines[1]["bpm"] == 90.0 and lines[1]["clear"] is True
    assert lines[1]["prompts"] == [{"text": "flute", "weight": 0.5}]
    assert lines[2] == {
        "t": pytest.approx(6500 / RATE, abs=1e-6),
        "moment": pytest.approx(500 / RATE),
    }
    assert lines[3] == {"t": pytest.approx(7500 / RATE, abs=1e-6), "end": True}
    assert read_performance(tmp_path / "a.jsonl").seed == 7


def test_the_log_forgets_what_nobody_will_ask_for(tmp_path: Path) -> None:
    log = PerformanceLog()
    log.begin("tone", 7, 0)
    for block in range(10):
        log.put(block * 1000, 1000, Controls(bpm=100.0 + block))
    whole = log.between(4500, 10_000)
    log.forget(4500)
    assert log.between(0, 10_000) == whole and whole[0].position == 4000
    log.forget(4500)
    log.forget(0)
    log.save(tmp_path / "a.jsonl", 4500, 10_000)
    assert read_performance(tmp_path / "a.jsonl").changes[0].controls["bpm"] == 104.0
    log.put(10_000, 1000, Controls())
    assert [block.position for block in log.between(9000, 20_000)] == [9000, 10_000]


@pytest.mark.parametrize("recording", [False, True])
def test_the_keeper_lets_the_log_forget_what_is_not_kept(tmp_path: Path, recording: bool) -> None:
    """An hour of a night: the steering goes back as far as the capture, or what is recorded."""
    log = PerformanceLog()
    log.begin("tone", 7, 0)
    tap = Tap()
    capture_thread = CaptureThread(tap.output, performance=log, capture_seconds=20.0)
    if recording:
        capture_thread.record(tmp_path / "take.wav", subtype="PCM_16")
    for second in range(90):
        log.put(second * RATE, RATE, Controls(bpm=60.0 + second))
        tap.end += RATE
        capture_thread._follow()
    first = capture_thread.capture_range()[0]
    assert first == 60 * RATE
    assert [block.position for block in log.between(first, first + 1)] == [first]
    result = capture_thread.stop_recording()
    assert not log.between(0, 50 * RATE) or recording
    if recording:
        assert result is not None and result.performance is not None
        changes = read_performance(result.performance).changes
        assert [change.controls["bpm"] for change in changes[:90]] == [60.0 + n for n in range(90)]


# The recorder


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_killed_recording_plays_up_to_a_second_before(tmp_path: Path, name: str) -> None:
    """A process records what comes in real time, and is killed."""
    script = textwrap.dedent(
        f"""
        import sys, time
        import numpy as np
        from pathlib import Path
        from app.performance.log import PerformanceLog
        from app.recording.recorder import Recorder
        from models.engine.controls import Controls
        log = PerformanceLog()
        log.begin("tone", 1, 0)
        log.put(0, 11520, Controls(bpm=120.0))
        recorder = Recorder(Path({str(tmp_path / name)!r}), 0, log)
        began, at = time.monotonic(), 0
        while True:
            now = int((time.monotonic() - began) * 48000)
            t = np.arange(at, now) / 48000
            wave = (0.3 * np.sin(2 * np.pi * 220 * t)).astype(np.float32)
            recorder.feed(at, np.stack([wave, wave], axis=1))
            at = now
            print(now, flush=True)
            time.sleep(0.05)
        """
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    heard = 0
    for line in child.stdout:
        heard = int(line)
        if heard > 2.3 * RATE:
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    rest = child.stdout.read().split()
    child.stdout.close()
    heard = int(rest[-1]) if rest else heard
    got = load(tmp_path / name)
    assert len(got) >= heard - RATE
    expected = 0.3 * np.sin(2 * np.pi * 220 * np.arange(len(got)) / RATE)
    assert np.abs(got[:, 0] - expected).max() < 1e-5
    assert read_performance(tmp_path / "a.jsonl").changes[0].controls["bpm"] == 120.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_full_disk_ends_the_recording_and_loses_nothing(small_disk: Path, name: str) -> None:
    said: list[tuple[str, str]] = []
    log = PerformanceLog()
    log.begin("tone", 1, 0)
    log.put(0, 1000, Controls(bpm=120.0))
    sound = noise(300_000)
    recorder = Recorder(
        small_disk / name, 0, log, report=lambda level, text: said.append((level, text))
    )
    for at in range(0, len(sound), 6000):
        recorder.feed(at, sound[at : at + 6000])
        time.sleep(0.02)
    assert "full" in recorder.status.stopped_because
    result = recorder.finish()
    assert "full" in result.stopped_because
    assert [level for level, _ in said if level == "error"] == ["error"]
    assert any("capture" in text for _, text in said)
    got = load(small_disk / name)
    assert len(got) > 100_000 and len(got) >= result.seconds * RATE - 1
    assert np.abs(got - sound[: len(got)]).max() < 2e-7


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_disk_that_is_full_from_the_start_is_left_as_it_was(small_disk: Path, name: str) -> None:
    fill(small_disk, 0)
    for _ in range(2):
        with pytest.raises(SegueError, match="the disk is full"):
            Recorder(small_disk / name, 0)
    assert [path.name for path in small_disk.iterdir()] == ["filled"]


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_recording_of_nothing_leaves_nothing(small_disk: Path, name: str) -> None:
    """There was room for a header, and then none."""
    said: list[str] = []
    log = PerformanceLog()
    log.begin("tone", 1, 0)
    recorder = Recorder(small_disk / name, 0, log, report=lambda level, text: said.append(text))
    fill(small_disk, 0)
    recorder.feed(0, noise(60_000))
    result = recorder.finish()
    if result.seconds:  # the rest of the header's page
        assert len(load(small_disk / name)) >= result.seconds * RATE - 1
        return
    assert [path.name for path in small_disk.iterdir()] == ["filled"]
    assert "nothing of it is kept" in said[-1] and "capture" in said[-1]


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_limit_of_file_size_is_no_full_disk(tmp_path: Path, name: str) -> None:
    resource = pytest.importorskip("resource")
    said: list[str] = []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    recorder = Recorder(tmp_path / name, 0, report=lambda level, text: said.append(text))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
        recorder.feed(0, noise(100_000))
        result = recorder.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "largest size" in result.stopped_because and "full" not in said[-1]
    assert (str(tmp_path / name) in said[-1]) == bool(result.seconds)
    left = list(tmp_path.iterdir())
    assert bool(left) == bool(result.seconds)
    if left:
        assert len(load(left[0])) >= result.seconds * RATE - 1


def fill(folder: Path, room: int) -> None:
    """Leave `room` bytes on a small disk."""
    with (folder / "filled").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() - room)


def test_a_full_disk_refuses_the_capture_and_keeps_it(small_disk: Path, tmp_path: Path) -> None:
    capture = Capture(20.0)
    capture.add(0, noise(600_000))
    with pytest.raises(SegueError, match="full"):
        capture.save(small_disk / "a.wav")
    assert list(small_disk.iterdir()) == []
    capture.save(tmp_path / "a.wav")
    assert len(load(tmp_path / "a.wav")) == 600_000


def test_gaps_become_silence_and_the_past_is_not_taken_twice(tmp_path: Path) -> None:
    sound = noise(10_000)
    recorder = Recorder(tmp_path / "a.wav", 100, subtype="FLOAT")
    recorder.feed(0, sound[:1000])
    recorder.feed(500, sound[500:2000])
    recorder.feed(3000, sound[3000:4000])
    result = recorder.finish()
    got = load(tmp_path / "a.wav")
    assert result.seconds == pytest.approx(3900 / RATE) and result.performance is None
    assert np.array_equal(got[:1900], sound[100:2000])
    assert not got[1900:2900].any()
    assert np.array_equal(got[2900:], sound[3000:4000])


def test_the_keeper_records_what_is_heard(tmp_path: Path) -> None:
    """Through the audio process, playing into nothing in real time."""
    sound = noise(4 * RATE)
    sound[: RATE // 10] = 0.0
    with AudioOutput(AudioSettings(device="null")) as output:
        output.ring.append(sound)
        log = PerformanceLog()
        log.begin("tone", 3, 0)
        log.put(0, 4 * RATE, Controls(bpm=100.0))
        with CaptureThread(output, performance=log) as capture_thread:
            capture_thread.record(tmp_path / "take.wav", subtype="FLOAT")
            with pytest.raises(SegueError, match="stop it first"):
                capture_thread.record(tmp_path / "other.wav")
            output.set_volume(0.1)  # not recorded
            output.set_playing(True)
            deadline = time.monotonic() + 20.0
            while output.tap.end < 2 * RATE and time.monotonic() < deadline:
                time.sleep(0.02)
            assert (
                capture_thread.recording is not None
                and not capture_thread.recording.stopped_because
            )
            result = capture_thread.stop_recording()
            assert result is not None and capture_thread.recording is None
            assert capture_thread.stop_recording() is None
            saved = capture_thread.save_capture(tmp_path / "after.flac", RATE, RATE + 5000)
    take = load(result.path)
    assert len(take) >= 2 * RATE and result.seconds == pytest.approx(len(take) / RATE)
    # Where nothing is limited it is what was planned, bit for bit.
    same = np.abs(take - sound[: len(take)]).max(axis=1) < 1e-6
    assert same.mean() > 0.97 and np.abs(take).max() <= 0.97 + 1e-6
    assert saved.seconds == pytest.approx(5000 / RATE)
    assert np.abs(load(saved.path) - take[RATE : RATE + 5000]).max() < 1e-4
    assert result.performance is not None and saved.performance is not None
    assert read_performance(result.performance).changes[0].controls["bpm"] == 100.0

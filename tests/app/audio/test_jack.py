"""Sound through a real JACK server: played, captured back, compared; and things that break."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.audio import devices
from app.audio.output import AudioEvent, AudioOutput, AudioSettings
from app.audio.processes import priority
from models.errors import SegueError
from tests.support import jack

Samples = NDArray[np.float32]
RATE = 48_000
BUFFER = 1024
"""Large, so that a test machine that does something else now and then is not late."""

needs_jack = pytest.mark.skipif(bool(jack.missing()), reason=jack.missing() or "-")


def sine(seconds: float, hz: float = 220.0) -> Samples:
    wave = 0.25 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return np.repeat(wave[:, None], 2, axis=1).astype(np.float32)


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def server() -> Iterator[jack.JackServer]:
    with jack.JackServer(BUFFER) as running:
        yield running


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", f"segue-none-{os.getpid()}")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")


def played(output: AudioOutput, seconds: float, start: int = 0) -> bool:
    return until(lambda: output.ring.read >= start + seconds * RATE, 15.0)


@needs_jack
def test_what_is_planned_comes_out_of_jack_bit_for_bit(
    server: jack.JackServer, tmp_path: Path
) -> None:
    sound = sine(6.0)
    with AudioOutput(AudioSettings(buffer_frames=BUFFER)) as output:
        output.ring.append(sound)
        recording = server.capture(tmp_path / "heard.wav", 3)
        time.sleep(0.5)
        output.set_playing(True)
        assert recording.wait(15) == 0
        status = output.status()
        imported = {name.partition(".")[0] for name in output.modules()}
    assert status.device.startswith("system (JACK") and status.running and not status.is_null
    assert status.underruns == 0 and status.worst_callback_ms > 0
    assert 0.2 < status.peak[0] < 0.26
    assert not imported & {"torch", "PySide6", "shiboken6", "scipy"}
    heard = jack.load(tmp_path / "heard.wav")
    start = int(np.argmax(np.abs(heard[:, 0]) > 0)) + 1000  # behind the fade
    piece = heard[start : start + RATE]
    assert status.xruns or np.abs(np.diff(piece[:, 0], n=2)).max() < 2.5e-4
    if not status.xruns:
        found = [
            lag
            for lag in range(900, 1200)
            if np.abs(piece[:64] - sound[lag : lag + 64]).max() < 1e-6
        ]
        assert found and np.abs(piece - sound[found[0] : found[0] + len(piece)]).max() < 1e-6


@needs_jack
def test_the_audio_process_is_killed_and_the_music_goes_on(server: jack.JackServer) -> None:
    events: list[AudioEvent] = []
    sound = sine(8.0)
    with AudioOutput(AudioSettings(buffer_frames=BUFFER)) as output:
        output.on_event = events.append
        output.ring.append(sound)
        output.set_playing(True)
        assert played(output, 0.5)
        pid = output.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        place = output.ring.read
        assert played(output, 1.0, place)
        assert time.monotonic() - killed < 5.0
        assert output.pid != pid
        assert output.status().restarts == 1 and output.status().underruns == 0
        assert [event.kind for event in events].count("restart") == 1
        start, tapped = output.tap.follow(0)
    # Nothing is missing in what is recorded but the fade at either end of the gap.
    assert start == 0
    differs = np.abs(tapped - sound[: len(tapped)]).max(axis=1) > 1e-6
    assert np.count_nonzero(differs) < 2 * 960 + 200


@needs_jack
def test_jack_dies_and_comes_back(server: jack.JackServer) -> None:
    events: list[AudioEvent] = []
    with AudioOutput(AudioSettings(buffer_frames=BUFFER)) as output:
        output.on_event = events.append
        output.ring.append(sine(8.0))
        output.set_playing(True)
        assert played(output, 0.3)
        server.kill()
        place = output.ring.read
        assert until(lambda: output.status().is_null and output.status().running, 12.0)
        assert output.ring.read - place < RATE  # the place was kept
        assert played(output, 0.3, place)  # and the music goes on, unheard
        server.start()
        assert until(lambda: not output.status().is_null and output.status().running, 12.0)
        place = output.ring.read
        if output.ring.depth < RATE:
            output.ring.append(sine(2.0))
        assert played(output, 0.3, place)
    sentences = [event.sentence for event in events if event.kind == "device"]
    assert any("stopped" in sentence for sentence in sentences)
    assert any("no audio device" in sentence or "unheard" in sentence for sentence in sentences)
    assert "JACK" in sentences[-1]
    assert len(sentences) <= 6  # it does not repeat itself every second
    restarts = [event.sentence for event in events if event.kind == "restart"]
    assert all("the JACK server ended" in sentence for sentence in restarts)


@needs_jack
def test_devices_are_listed_and_changed_while_playing(server: jack.JackServer) -> None:
    events: list[AudioEvent] = []
    with AudioOutput(AudioSettings(device="null")) as output:
        output.on_event = events.append
        output.ring.append(sine(8.0))
        output.set_playing(True)
        assert played(output, 0.2) and output.status().is_null
        found = [device for device in output.devices(rescan=True) if "JACK" in device.host]
        assert found and found[0].channels == 2 and found[0].sample_rate == RATE
        output.apply(AudioSettings(device=found[0].label, buffer_frames=BUFFER))
        assert until(lambda: output.status().device == found[0].label)
        place = output.ring.read
        assert played(output, 0.3, place)
        output.apply(AudioSettings(device="gone (Nowhere)", buffer_frames=BUFFER))
        assert until(lambda: any("is not there" in event.sentence for event in events))
        assert "JACK" in output.status().device  # the default takes over
        place = output.ring.read
        assert played(output, 0.3, place)
        assert output.status().restarts == 0 and output.status().underruns == 0


def test_without_a_device_it_plays_into_nothing_in_real_time(no_server: None) -> None:
    with AudioOutput() as output:
        output.ring.append(sine(4.0))
        output.set_playing(True)
        assert until(lambda: output.ring.read > 0)
        if not output.status().is_null:
            pytest.skip("this machine has an audio device")
        began, place = time.monotonic(), output.ring.read
        assert played(output, 1.0, place)
        assert 0.8 < time.monotonic() - began < 1.6
        position = output.position_now()
        assert abs(position - output.ring.read) < RATE / 2
        output.set_volume(0.5)
        assert until(lambda: 0.10 < output.status().peak[0] < 0.14)
        assert output.silence()
        read = output.ring.read
        time.sleep(0.1)
        assert output.ring.read == read and not output.playing


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_nothing_is_left_when_the_parent_is_killed(tmp_path: Path) -> None:
    import subprocess

    script = (
        "import time\n"
        "from app.audio.output import AudioOutput, AudioSettings\n"
        "if __name__ == '__main__':\n"
        "    output = AudioOutput(AudioSettings(device='null'))\n"
        "    output.start()\n"
        "    print(output.pid, output._memory.name, flush=True)\n"
        "    time.sleep(60)\n"
    )
    file = tmp_path / "parent.py"
    file.write_text(script)
    root = str(Path(__file__).resolve().parents[3])
    parent = subprocess.Popen(
        [sys.executable, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert parent.stdout is not None
    pid, name = parent.stdout.readline().split()
    time.sleep(0.5)
    parent.kill()
    parent.wait()
    parent.stdout.close()

    def gone() -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        return state == "Z"

    assert until(gone, 10.0)
    assert until(lambda: not Path(f"/dev/shm/{name}").exists(), 10.0)


def test_stopping_lets_go_of_everything() -> None:
    before = set(threading.enumerate())
    output = AudioOutput(AudioSettings(device="null"))
    output.start()
    assert until(lambda: output.status().running)
    pid = output.pid
    output.stop()
    output.stop()
    assert set(threading.enumerate()) == before
    assert pid is not None and output.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not output.status().running  # may still be asked


@pytest.mark.parametrize(
    ("wanted", "index"), [(None, 1), ("b (H)", 1), ("a", 0), ("a (H)", 0), ("c", None)]
)
def test_which_device_is_meant(wanted: str | None, index: int | None) -> None:
    found = [
        devices.AudioDevice("a", "H", 2, RATE, index=0),
        devices.AudioDevice("b", "H", 2, RATE, is_default=True, index=1),
    ]
    picked = devices.find_device(found, wanted)
    assert (picked.index if picked else None) == index
    assert devices.find_device([], wanted) is None


@pytest.mark.parametrize("wrong", [{"sample_rate": 10}, {"buffer_frames": 1}])
def test_settings_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(SegueError, match="choose"):
        AudioSettings(**wrong)  # type: ignore[arg-type]


def test_a_scan_without_a_server_is_no_error(no_server: None) -> None:
    assert all(device.channels > 0 for devices in devices.list_devices() for device in devices)


def test_a_priority_that_is_claimed_is_there() -> None:
    """In a thread of its own, as it would stay with the one that asks."""
    if not hasattr(os, "sched_getscheduler"):
        pytest.skip("only Linux tells")
    found: list[tuple[bool, int]] = []

    def ask() -> None:
        found.append((priority.raise_thread_priority(), os.sched_getscheduler(0)))
        found.append((priority.raise_thread_priority(), os.sched_getscheduler(0)))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert all(granted == (policy != os.SCHED_OTHER) for granted, policy in found)

"""Which outputs there are, and whether that may have changed. Audio lane and a scanner process.

PortAudio sees devices only when it starts, and starting it anew would stop the sound. So a look
at the devices happens in a process of its own that ends at once (`scan`), and only when asked or
when something cheap to look at (`signature`) has changed: opening and closing clients of the JACK
server every few seconds would disturb what plays.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from app.audio.settings import AudioDevice
from models.errors import SegueError

NO_PORTAUDIO = (
    "the PortAudio library is missing: install it (Debian and Ubuntu: apt install libportaudio2)"
)


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep the C libraries below PortAudio from writing to the terminal. For small processes."""
    try:
        saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:
        yield
        return
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def portaudio() -> Any:
    """The sounddevice module. SegueError where there is no PortAudio on this machine."""
    try:
        with quiet_stderr():
            import sounddevice
    except (OSError, ImportError) as error:
        raise SegueError(f"{NO_PORTAUDIO}.") from error
    return sounddevice


def look_again() -> None:
    """Start PortAudio anew, so that it sees what was plugged in. Only while no stream is open."""
    sounddevice = portaudio()
    with quiet_stderr():
        sounddevice._terminate()
        sounddevice._initialize()


def query() -> list[AudioDevice]:
    """The outputs that PortAudio saw when it started."""
    sounddevice = portaudio()
    hosts = sounddevice.query_hostapis()
    default = default_index(sounddevice)
    found = []
    for index, device in enumerate(sounddevice.query_devices()):
        if device["max_output_channels"] < 1:
            continue
        found.append(
            AudioDevice(
                name=device["name"],
                host=hosts[device["hostapi"]]["name"],
                channels=int(device["max_output_channels"]),
                sample_rate=int(device["default_samplerate"]),
                is_default=index == default,
                index=index,
            )
        )
    return found


def default_index(sounddevice: Any) -> int:
    """The default output: of a JACK server if one is running, else PortAudio's own; -1: none.

    Where a JACK server runs it is there to be played through, and ALSA's default is often no more
    than a detour to it.
    """
    hosts = sounddevice.query_hostapis()
    jack = [host for host in hosts if host["name"].startswith("JACK")]
    index = int(sounddevice.default.device[1])
    if index >= 0 and not any(host["default_output_device"] >= 0 for host in jack):
        return index
    for host in (*jack, *hosts):
        if host["default_output_device"] >= 0:
            return int(host["default_output_device"])
    return -1


def pick(devices: Sequence[AudioDevice], wanted: str | None) -> AudioDevice | None:
    """The device that is meant by a label, or by the name alone; the default for None."""
    if wanted is None:
        return next((d for d in devices if d.is_default), devices[0] if devices else None)
    for device in devices:
        if device.label == wanted:
            return device
    return next((d for d in devices if d.name == wanted), None)


def scan(pipe: Connection) -> None:
    """Send the outputs, or the sentence that says why there are none, and end. A whole process."""
    try:
        pipe.send(query())
    except SegueError as error:
        pipe.send(str(error))
    except Exception as error:
        pipe.send(f"the audio devices could not be listed: {error}.")
    finally:
        pipe.close()


def signature() -> tuple[str, ...]:
    """Something that changes when a device is plugged in on Linux; empty where nothing cheap does.

    ALSA's list of cards, and the sockets and segments by which a JACK or PipeWire server shows.
    """
    if not sys.platform.startswith("linux"):
        return ()
    signs = []
    with contextlib.suppress(OSError):
        signs.append(Path("/proc/asound/cards").read_text())
    for folder, pattern in (("/dev/shm", "jack_*_0"), ("/dev/shm", "jack-shm-registry*")):
        with contextlib.suppress(OSError):
            signs.extend(sorted(str(path) for path in Path(folder).glob(pattern)))
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        with contextlib.suppress(OSError):
            signs.extend(sorted(str(path) for path in Path(runtime).glob("p*/native")))
    return tuple(signs)

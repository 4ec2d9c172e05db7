"""Audio devices, and detection of changes to them.

PortAudio lists devices only when it is initialised, and doing that again would stop the sound. So
devices are listed in a process of its own (`scan`), and only on request or when `fingerprint` has
changed: opening JACK clients every few seconds would disturb what plays.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

from app.audio.settings import AudioDevice
from models.errors import SegueError
from models.runtime.quiet import quiet_stderr

NO_PORTAUDIO = (
    "the PortAudio library is missing: install it (Debian and Ubuntu: apt install libportaudio2)"
)


def portaudio() -> ModuleType:
    """The sounddevice module. SegueError where there is no PortAudio on this machine."""
    try:
        with quiet_stderr():
            import sounddevice
    except (OSError, ImportError) as error:
        raise SegueError(f"{NO_PORTAUDIO}.") from error
    module: ModuleType = sounddevice
    return module


def reinitialize() -> None:
    """Initialise PortAudio again to see new devices. Only while no stream is open."""
    sounddevice = portaudio()
    with quiet_stderr():
        sounddevice._terminate()
        sounddevice._initialize()


def query() -> list[AudioDevice]:
    """Outputs that PortAudio saw when it was initialised."""
    return _query("output", 1)


def query_inputs() -> list[AudioDevice]:
    """Inputs that PortAudio saw when it was initialised."""
    return _query("input", 0)


def _query(kind: str, side: int) -> list[AudioDevice]:
    sounddevice = portaudio()
    hosts = sounddevice.query_hostapis()
    default = default_index(sounddevice, kind, side)
    found = []
    for index, device in enumerate(sounddevice.query_devices()):
        channels = int(device[f"max_{kind}_channels"])
        if channels < 1:
            continue
        found.append(
            AudioDevice(
                name=device["name"],
                host=hosts[device["hostapi"]]["name"],
                channels=channels,
                sample_rate=int(device["default_samplerate"]),
                is_default=index == default,
                index=index,
            )
        )
    return found


def default_index(sounddevice: ModuleType, kind: str = "output", side: int = 1) -> int:
    """Index of the default device: of a running JACK server, else PortAudio's own; -1: none.

    ALSA's default is often a detour to a JACK server that runs.

    Args:
        sounddevice: the module.
        kind: "output" or "input".
        side: index of that kind in PortAudio's pair of defaults.

    """
    default = f"default_{kind}_device"
    hosts = sounddevice.query_hostapis()
    jack = [host for host in hosts if host["name"].startswith("JACK")]
    index = int(sounddevice.default.device[side])
    if index >= 0 and not any(host[default] >= 0 for host in jack):
        return index
    for host in (*jack, *hosts):
        if host[default] >= 0:
            return int(host[default])
    return -1


def find_device(devices: Sequence[AudioDevice], label: str | None) -> AudioDevice | None:
    """Device of a label or name; the default for None."""
    if label is None:
        return next((d for d in devices if d.is_default), devices[0] if devices else None)
    for device in devices:
        if device.label == label:
            return device
    return next((d for d in devices if d.name == label), None)


def scan(pipe: Connection) -> None:
    """Body of the scanner process: send outputs and inputs, or a sentence why there are none."""
    try:
        pipe.send((query(), query_inputs()))
    except SegueError as error:
        pipe.send(str(error))
    except Exception as error:
        pipe.send(f"the audio devices could not be listed: {error}.")
    finally:
        pipe.close()


def list_devices(timeout: float = 10.0) -> tuple[list[AudioDevice], list[AudioDevice]]:
    """Outputs and inputs that there are now, listed by a process of its own.

    Blocks for about half a second. SegueError where PortAudio is missing.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    scanner = context.Process(target=scan, args=(there,), name="audio scan", daemon=True)
    scanner.start()
    there.close()
    found: tuple[list[AudioDevice], list[AudioDevice]] | str = (
        "the audio devices could not be listed in time."
    )
    try:
        if here.poll(timeout):
            found = here.recv()
    except (EOFError, OSError):
        found = "listing the audio devices failed: try again."
    finally:
        here.close()
        scanner.join(1.0)
        if scanner.is_alive():
            scanner.kill()
            scanner.join()
        scanner.close()
    if isinstance(found, str):
        raise SegueError(found)
    return found


def fingerprint() -> tuple[str, ...]:
    """Fingerprint of the devices on Linux: ALSA's cards, and files of JACK and PipeWire servers.

    Empty on other systems.
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

"""Faults of a finished bundle: no disk space, no permissions, no network. Linux, as root.

    python -m tests.support.bundle_faults BUNDLE [--pictures FOLDER] [--seconds N] [--only NAME ...]

Each fault is real: a home that belongs to another user, a file system of a megabyte or two that is
full or fills up, a download whose program is killed, whose server goes away, or whose disk is full.
The bar is the same for each: a sentence, and the program plays on. Sound is judged from the audio
process's memory as in `bundle_trial`; sentences of commands are compared; those of the window are
left in pictures, to be looked at. The exit code is 1 where a fault was not borne.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
from safetensors.numpy import save

from models.magenta_rt2.checkpoint import files
from tests.models.magenta_rt2.hub_server import Hub, serving
from tests.support.bundle_trial import AtTurn, display, free_port, play, program_for
from tests.support.jack import JackServer

NOBODY: Final = "65534"
SMALL: Final = "magenta-rt2-small"
MEGABYTE: Final = 1_000_000


class FaultError(Exception):
    """A fault that was not borne; its words say how."""


def need(true: bool, otherwise: str) -> None:
    if not true:
        raise FaultError(otherwise)


@contextlib.contextmanager
def small_disk(megabytes: float) -> Iterator[Path]:
    """A file system in memory with room for so much."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        size = f"size={round(megabytes * 1024)}k"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(place: Path) -> None:
    """Take all that is left of a file system."""
    with contextlib.suppress(OSError), (place / "full").open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)


class Trial:
    """A bundle, where the pictures go, and how long it plays with each fault."""

    def __init__(self, bundle: Path, pictures: Path, seconds: float) -> None:
        self.bundle, self.pictures, self.seconds = bundle, pictures, seconds

    def in_the_window(
        self, name: str, home: Path, port: int, at_turn: AtTurn, user: str | None = None
    ) -> Any:
        """Play for a while with this home; a picture every third turn of the knob."""
        xvfb, screen = display()
        try:
            with JackServer():
                environment = {key: value for key, value in os.environ.items() if "JACK" in key}
                environment |= {"HOME": str(home), "DISPLAY": screen}

                def turn(number: int, send: Callable[[str, float], object]) -> None:
                    at_turn(number, send)
                    if number % 3 == 2:
                        target = self.pictures / f"{name}-{number:02d}.png"
                        picture = ["import", "-window", "root", "-display", screen, str(target)]
                        subprocess.Popen(picture)

                log = self.pictures / f"{name}.log"
                command = program_for(self.bundle, user)
                result = play(command, environment, port, self.seconds, log, turn)
        finally:
            xvfb.terminate()
            xvfb.wait(10)
        print(f"      {result}", flush=True)
        need(result["first_sound_seconds"] is not None, "no sound came")
        # Underruns are only told: `bundle_trial` judges them, on a quiet machine.
        heard = result["heard_seconds"]
        need(heard > self.seconds / 2, f"only {heard} s of {self.seconds:.0f} s sounded")
        need(result["exit"] == 0, f"it ended with {result['exit']}")
        return result

    def command(self, home: Path, *words: str, **more: str) -> tuple[int, str, str]:
        """A sub-command, in an environment without a PATH; exit code and what it said."""
        done = subprocess.run(
            [str(self.bundle / "segue"), *words],
            env={"HOME": str(home), "LC_ALL": "C.UTF-8"} | more,
            cwd=home,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def still_plays(self, home: Path, **more: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "still.wav"
            code, _, said = self.command(home, "render", str(target), "--seconds", "2", **more)
            need(code == 0, f"render ended with {code}: {said}")
            sound, _ = soundfile.read(target)
            need(float(np.abs(sound).max()) > 1e-3, "what was rendered is silent")

    def refused(self, words: str, said: tuple[int, str, str]) -> None:
        """One line that says so, the exit code of a mistake, and no traceback."""
        code, _, error = said
        lines = error.strip().splitlines()
        print(f"      {lines[-1] if lines else 'nothing said'}", flush=True)
        need(code == 2 and bool(lines) and words in lines[-1], f"{code}: {error[-600:]}")
        need("Traceback" not in error, "a traceback was shown")


def read_only_home(trial: Trial) -> None:
    """Neither settings nor recordings can be written, nor sessions kept."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        port = free_port(home)
        home.chmod(0o555)

        def turn(number: int, send: Callable[[str, float], object]) -> None:
            if number == 4:
                send("/segue/record", 1.0)
            if number == 8:
                send("/segue/capture/save", 1.0)

        trial.in_the_window("read-only-home", home, port, turn, NOBODY)
        left = [path.name for path in home.rglob("*") if path.is_file()]
        need(left == ["control.json"], f"a home that may not be written holds {left}")


def full_disk(trial: Trial) -> None:
    """The home is on a disk without a byte left."""
    with small_disk(1.0) as home:
        port = free_port(home)
        fill(home)

        def turn(number: int, send: Callable[[str, float], object]) -> None:
            if number == 4:
                send("/segue/record", 1.0)
            if number == 8:
                send("/segue/capture/save", 1.0)

        trial.in_the_window("full-disk", home, port, turn)


def disk_fills(trial: Trial) -> None:
    """The disk fills up in the middle of a recording: what was recorded is kept, and is whole."""
    with small_disk(12.0) as home:  # a take has six sound files
        port = free_port(home)

        def turn(number: int, send: Callable[[str, float], object]) -> None:
            if number == 1:
                send("/segue/record", 1.0)

        trial.in_the_window("disk-fills", home, port, turn)
        kept = sorted(home.rglob("mix.*"))
        sounds = [path for path in kept if path.suffix in (".wav", ".flac")]
        need(len(sounds) == 1, f"of the recording there is left {[path.name for path in kept]}")
        sound, rate = soundfile.read(sounds[0], always_2d=True)
        print(f"      {sounds[0].name}: {len(sound) / rate:.1f} s kept", flush=True)
        need(len(sound) / rate > 4.0, "little of the recording is left")
        need(float(np.abs(sound[-rate:]).max()) > 1e-3, "the end of the recording is silent")


def released() -> dict[str, bytes]:
    """Files of the released names; the checkpoint takes several pieces of the transfer's 10 MB."""
    random = np.random.default_rng(5)
    content = {path: random.bytes(3000) for path in files.SHARED}
    for path in (*files.CHECKPOINTS.values(), files.CODEC_ENCODER):
        count = 10 * MEGABYTE if "small" in path else 1000
        content[path] = save({"params/x": random.standard_normal(count).astype(np.float32)})
    return content


def downloads(trial: Trial) -> None:
    """Killed, cut off, without room; then gone on with where it stopped."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fetch = ("models", "fetch", SMALL, "--accept")
        content = released()
        with serving(Hub(content)) as hub:
            hub.stall_after = 25 * MEGABYTE
            process = subprocess.Popen(
                [str(trial.bundle / "segue"), *fetch],
                env={"HOME": str(home), "HF_ENDPOINT": hub.address},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            need(hub.stalled.wait(60), "the program asked for nothing")
            arriving = home / ".local/share/Segue/models" / f".{SMALL}.arriving"
            deadline = time.monotonic() + 30
            while sum(path.stat().st_size for path in arriving.rglob("*.part")) < 9 * MEGABYTE:
                need(time.monotonic() < deadline, "what had been sent did not reach the disk")
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            hub.go_on.set()
            arrived = sum(path.stat().st_size for path in arriving.rglob("*.part"))
            print(f"      killed after {arrived / MEGABYTE:.1f} MB", flush=True)
            _, listed, _ = trial.command(home, "models")
            need(f"{SMALL}" in listed and "to be fetched" in listed, listed)
            trial.still_plays(home)
        trial.refused("cannot be reached", trial.command(home, *fetch, HF_ENDPOINT=hub.address))
        trial.still_plays(home)
        with serving(Hub(content)) as hub:
            with small_disk(1.0) as disk:
                moved = {"SEGUE_MODELS": str(disk), "HF_ENDPOINT": hub.address}
                trial.refused("free some space", trial.command(home, *fetch, **moved))
                fill(disk)
                trial.refused(str(disk), trial.command(home, *fetch, **moved))
                trial.still_plays(home, **moved)
            hub.requests.clear()
            code, _, said = trial.command(home, *fetch, HF_ENDPOINT=hub.address)
            need(code == 0, said)
            first = next(asked for path, asked in hub.requests if path == files.CHECKPOINTS[SMALL])
            need(first == f"bytes={arrived}-", f"gone on with {first}, not after {arrived}")
        code, _, said = trial.command(home, "models", "verify", SMALL)
        need(code == 0, said)


FAULTS: Final[dict[str, Callable[[Trial], None]]] = {
    "read-only-home": read_only_home,
    "full-disk": full_disk,
    "disk-fills": disk_fills,
    "downloads": downloads,
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Do to a bundle what users' machines do.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--pictures", type=Path, help="where pictures and logs go")
    parser.add_argument("--seconds", type=float, default=24.0, help="play so long with each")
    parser.add_argument("--only", nargs="+", choices=tuple(FAULTS), default=tuple(FAULTS))
    chosen = parser.parse_args()
    pictures = chosen.pictures or Path(tempfile.mkdtemp(prefix="segue-faults-"))
    pictures.mkdir(parents=True, exist_ok=True)
    if os.geteuid() or not shutil.which("import"):
        sys.exit("segue: this mounts small disks and takes pictures: run it as root, with "
                 "ImageMagick installed.")  # fmt: skip
    trial = Trial(chosen.bundle.resolve(), pictures.resolve(), chosen.seconds)
    failed = 0
    for name in chosen.only:
        print(f"      {name}: {FAULTS[name].__doc__}", flush=True)
        try:
            FAULTS[name](trial)
        except FaultError as fault:
            failed += 1
            print(f"FAIL  {name}: {fault}", flush=True)
        else:
            print(f"ok    {name}", flush=True)
    print(f"pictures in {pictures}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

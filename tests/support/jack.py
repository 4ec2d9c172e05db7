"""Private JACK server with the dummy driver.

It gives PortAudio a real device and real callbacks on a machine without a sound card, and lets what
was played be captured back (`capture`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
import soundfile
from numpy.typing import NDArray

PROGRAMS = ("jackd", "jack_lsp", "jack_rec", "pidof")


def missing() -> str:
    """Why there can be no server here; '' if there can."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed (Debian: apt install jackd2)"
    return ""


class JackServer:
    """`with JackServer() as server:` sets the environment so that clients find it."""

    def __init__(self, period: int = 256, rate: int = 48_000, channels: tuple[int, int] = (2, 2)):
        """channels: that the driver records and plays."""
        self.name = ""
        self._claim: IO[str] | None = None
        self.period = period
        self.rate = rate
        self.channels = channels
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> JackServer:
        self.name, self._claim = _claim_name()
        for key, value in {
            "JACK_DEFAULT_SERVER": self.name,
            "JACK_NO_START_SERVER": "1",
            "JACK_NO_AUDIO_RESERVATION": "1",
        }.items():
            self._before[key] = os.environ.get(key)
            os.environ[key] = value
        try:
            self.start()
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._restore()

    def _restore(self) -> None:
        for key, before in self._before.items():
            if before is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = before
        self._before.clear()
        if self._claim is not None:
            self._claim.close()  # gives the lock on the name back
            self._claim = None

    def start(self) -> None:
        forget_dead_servers()
        # As on a stage, where the system allows it; -r makes JACK wait its turn like anybody else.
        scheduling = ["-R", "-P", "20"] if may_hurry() else ["-r"]
        command = ["jackd", *scheduling, "-d", "dummy", "-r", str(self.rate)]
        command += ["-p", str(self.period)]
        command += ["-C", str(self.channels[0]), "-P", str(self.channels[1])]
        assert self._claim is not None
        with tempfile.TemporaryFile() as said:
            # It holds the lock on its name too: should it outlive us, the next run takes another.
            self._process = _spawn(command, said, keep=(self._claim.fileno(),))
            deadline = time.monotonic() + 40.0
            while time.monotonic() < deadline and self._process.poll() is None:
                if self.ports():
                    return
                time.sleep(0.1)
            self.kill()
            said.seek(0)
            text = said.read().decode(errors="replace").strip()
        raise RuntimeError(f"jackd did not start; it said:\n{text}")

    def stop(self) -> None:
        """In good order, so that it gives its place in JACK's table of servers back."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5.0)
        self.kill()

    def kill(self) -> None:
        """As if it had crashed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def ports(self) -> list[str]:
        """The ports of all clients."""
        done = subprocess.run(["jack_lsp"], capture_output=True, text=True, check=False)
        return done.stdout.split() if done.returncode == 0 else []

    def outputs(self, timeout: float = 5.0) -> list[str]:
        """The two ports from which PortAudio plays, once they are there."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = [port for port in self.ports() if "PortAudio" in port and "out" in port]
            if len(found) >= 2:
                return found[:2]
            time.sleep(0.05)
        raise RuntimeError(f"PortAudio's ports did not appear: {self.ports()}")

    def capture(self, path: Path, seconds: float) -> subprocess.Popen[bytes]:
        """Start to record what PortAudio plays; wait for the process, then `load`."""
        command = ["jack_rec", "-f", str(path), "-d", str(int(seconds)), "-b", "24", "-B", "96000"]
        return _spawn([*command, *self.outputs()])


def loop_back(server: JackServer, timeout: float = 5.0) -> None:
    """Connect what PortAudio plays to what it records, instead of the system's inputs."""
    deadline = time.monotonic() + timeout
    inputs: list[str] = []
    while not inputs and time.monotonic() < deadline:
        inputs = [port for port in server.ports() if "PortAudio" in port and ":in" in port]
        time.sleep(0.05)
    for number, port in enumerate(inputs):
        for source in ("system:capture_1", "system:capture_2"):
            subprocess.run(["jack_disconnect", source, port], capture_output=True, check=False)
        played = server.outputs()[number]
        subprocess.run(["jack_connect", played, port], capture_output=True, check=True)


def may_hurry() -> bool:
    """Whether the system lets a process go before others (SCHED_RR)."""
    try:
        before = os.sched_getscheduler(0), os.sched_getparam(0)
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
        os.sched_setscheduler(0, *before)
    except (OSError, AttributeError):
        return False
    return True


_table_users: int | None = None
"""File descriptor of a lock that test processes share while they may be clients of JACK."""


def forget_dead_servers() -> None:
    """Remove JACK's table of servers if it holds none but dead ones. Once in a process, and first.

    The table has eight places, and a server that was killed keeps its place until another of the
    same name comes: on a machine where the tests were cut off a few times no server could start.
    Only once, and before this process is anybody's client: JACK's library keeps the table that it
    opened first, so a table removed later leaves this process with one that no server writes. For
    the same reason it stays while another process runs tests.
    """
    global _table_users
    if _table_users is not None or missing():
        return
    import fcntl  # not on Windows, where there is no such server either

    path = Path(tempfile.gettempdir(), f"segue-test-{os.getuid()}.lock")
    _table_users = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(_table_users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        fcntl.flock(_table_users, fcntl.LOCK_SH)
        return
    _remove_dead_table()
    fcntl.flock(_table_users, fcntl.LOCK_SH)


def _remove_dead_table() -> None:
    alive = subprocess.run(["pidof", "jackd", "jackdbus"], capture_output=True, check=False)
    if alive.returncode == 0:
        return
    for path in Path("/dev/shm").glob("jack*"):
        if path.is_socket() or path.is_file():
            with contextlib.suppress(OSError):
                path.unlink()


def _claim_name() -> tuple[str, IO[str]]:
    """One of a few names that no other process uses now, and the lock that holds it.

    Few, because a name that comes again takes the place of its dead namesake in JACK's table.
    """
    import fcntl  # not on Windows, where there is no such server either

    for number in range(6):
        name = f"segue-test-{os.getuid()}-{number}"  # another user's lock could not be opened
        lock = Path(tempfile.gettempdir(), f"{name}.lock").open("w")  # noqa: SIM115
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        return name, lock
    raise RuntimeError("six JACK servers of the tests run already: wait, or stop one of them")


_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that a process gets when its parent ends."""
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _spawn(
    command: list[str], said: IO[bytes] | None = None, keep: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    """Start it before others where the system lets us: a busy machine must not make JACK late.

    On Linux it ends with this process, even one that is killed.
    """

    def prepare() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        with contextlib.suppress(OSError, AttributeError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))

    return subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL if said is None else said,
        stderr=subprocess.DEVNULL if said is None else said,
        pass_fds=keep,
        preexec_fn=prepare,
    )


def load(path: Path) -> NDArray[np.float32]:
    """What `capture` wrote, float32 (n, 2)."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 48_000
    return np.asarray(samples, np.float32)

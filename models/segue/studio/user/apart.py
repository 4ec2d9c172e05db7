"""Reading of instruments in a process of its own: decoding holds up no music, and a file that makes
a decoder crash or hang ends no more than that process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import SegueError
from models.music.user_instruments import UserInstrumentName, parse_user_instrument
from models.segue.studio.user.regions import Built

LIMIT: Final = 180.0
"""Seconds after which an instrument is given up."""
NICE: Final = 10
ADDRESSES: Final = 6_000_000_000
"""Bytes that the process may ask for: a file that wants more is a sentence."""


class InstrumentReader:
    """Reader of one instrument at a time, in a process that gives way by `nice`."""

    def __init__(self, nice: int = NICE) -> None:
        self.nice = nice
        self._process: BaseProcess | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def __call__(self, parsed: UserInstrumentName, serial: int, drums: bool) -> Built:
        """As `open_instrument`, elsewhere. Blocks.

        Raises:
            SegueError: the instrument cannot be played, or `stop` was called.

        """
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe(duplex=False)
        process = context.Process(
            target=_read,
            args=(there, str(parsed), serial, drums, self.nice),
            name="instrument",
            daemon=True,
        )
        with self._lock:
            if self._stopped:
                raise SegueError("the window is closed: open it again.")
            self._process = process
            process.start()
        there.close()
        try:
            return _received(here, parsed)
        except (EOFError, OSError) as error:
            raise SegueError(
                f"{parsed.label} makes its reader crash: give another file."
            ) from error
        finally:
            here.close()
            with self._lock:
                self._process = None
            process.join(0.5)
            if process.is_alive():
                process.kill()
                process.join()

    def stop(self) -> None:
        """Give up what is being read, and read nothing more."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()


def _received(here: Connection, parsed: UserInstrumentName) -> Built:
    deadline = time.monotonic() + LIMIT
    while not here.poll(0.2):
        if time.monotonic() > deadline:
            raise SegueError(f"{parsed.label} takes too long to read: give a smaller one.")
    kind, *rest = here.recv()
    if kind == "error":
        raise SegueError(rest[0])
    sound, remarks, shapes = rest
    samples: dict[int, NDArray[np.float32]] = {}
    for number, shape in shapes:
        samples[number] = np.frombuffer(here.recv_bytes(), np.float32).reshape(shape)
    return Built(sound, samples, remarks)


def _read(there: Connection, name: str, serial: int, drums: bool, nice: int) -> None:
    """The process: read an instrument and send it, sample by sample."""
    with contextlib.suppress(AttributeError, OSError):
        os.nice(nice)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # there is none on Windows

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    from models.segue.studio.user.opening import open_instrument

    try:
        parsed = parse_user_instrument(name)
        assert parsed is not None
        built = open_instrument(parsed, serial, drums)
    except SegueError as error:
        there.send(("error", str(error)))
        return
    except Exception as error:
        there.send(("error", f"{name} cannot be played ({error}): give another file."))
        return
    shapes = [(number, planes.shape) for number, planes in built.samples.items()]
    there.send(("built", built.sound, built.remarks, shapes))
    for planes in built.samples.values():
        there.send_bytes(np.ascontiguousarray(planes).data.cast("B"))

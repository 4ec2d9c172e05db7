"""Child process of the instrument, started with the spawn method, and the pipe to it."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Concatenate, Final, Generic, ParamSpec

END_SECONDS: Final = 4.0

Arguments = ParamSpec("Arguments")


class ChildProcess(Generic[Arguments]):
    """Handle on a process that may be started again after it has ended.

    `send` may be called from any thread; everything else is for one thread at a time.

    Args:
        name: of the process.
        body: what it runs, a function of a module: takes its end of the pipe, and what `start` got.

    """

    def __init__(self, name: str, body: Callable[Concatenate[Connection, Arguments], None]) -> None:
        self._name, self._body = name, body
        self._lock = threading.RLock()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def start(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        """Start it. OSError where the system has no room for another process."""
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(
            target=self._body, args=(there, *args), kwargs=kwargs, name=self._name, daemon=True
        )
        try:
            process.start()
        except OSError:
            here.close()
            raise
        finally:
            there.close()
        with self._lock:
            self._process, self._pipe = process, here

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        """None while it runs, and where it was never started."""
        return None if self._process is None else self._process.exitcode

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def send(self, message: object) -> None:
        """Send a message; lost where it has ended."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._pipe is not None:
                self._pipe.send(message)

    def poll(self, seconds: float = 0.0) -> bool:
        """Whether there is something to `receive`, which may be its end; waits so long for it."""
        return self._pipe is not None and self._pipe.poll(seconds)

    def receive(self) -> object:
        """The next message. EOFError or OSError where it has ended."""
        if self._pipe is None:
            raise EOFError
        return self._pipe.recv()

    def kill(self) -> None:
        """End it at once, where it runs."""
        if self._process is not None:
            self._process.kill()

    def end(self, message: object) -> None:
        """Send its last message and wait until it has ended; kill it where it does not."""
        if self._process is None:
            return
        self.send(message)
        self._process.join(END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.release()

    def release(self) -> None:
        """Let go of a process that has ended."""
        with self._lock:
            pipe, self._pipe = self._pipe, None
            process, self._process = self._process, None
        if pipe is not None:
            pipe.close()
        if process is not None:
            process.close()

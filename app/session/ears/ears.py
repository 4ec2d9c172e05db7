"""Ears: the instrument's handle on the process that hears the input.

The process is started when a send is first opened, and started again where it dies or hangs.
Without a send there is none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Final, Protocol

from app.audio.processes.child import ChildProcess
from app.audio.shared_memory import Layout
from app.session.ears import process
from app.session.ears.messages import ALIVE, STOP, EarWarning

POLL_SECONDS: Final = 0.5
DEATHS: Final = 3
"""Deaths within DEATH_SPAN seconds after which it is started again only after a while."""
DEATH_SPAN: Final = 20.0
RETRY_SECONDS: Final = 2.0
START_SECONDS: Final = 60.0
"""Seconds that it may take to begin: a loaded machine reads its modules slowly."""
HUNG_SECONDS: Final = 15.0
"""Seconds without a heartbeat after which it is taken to hang."""

AGAIN: Final = "the process that hears the input ended: it was started again and listens afresh."
HUNG: Final = (
    "the process that hears the input did not answer: it was started again and listens afresh."
)
FAILED: Final = "the input cannot be heard ({}): end other programs; the music goes on."


class EarLink(Protocol):
    """What takes the news of an ear, in the thread of `Ears`."""

    def take(self, news: object) -> None:
        """Take what an ear found."""

    def forget(self) -> None:
        """The process has ended; nothing is known any more."""


class Ears:
    """Handle on the process. `ask` and `stop` may be called from any thread.

    Args:
        shared: name and layout of the shared memory, see `AudioOutput.shared`.
        report: takes level and sentence, in another thread.
        body: what the process runs, as `process.run`.
        patience: seconds without a heartbeat after which it is taken to hang.

    """

    def __init__(
        self,
        shared: tuple[str, Layout],
        report: Callable[[str, str], object],
        body: Callable[[Connection, str, Layout], None] = process.run,
        patience: float = HUNG_SECONDS,
    ) -> None:
        self._shared, self._report, self._patience = shared, report, patience
        self._process = ChildProcess("segue ears", body)
        self._links: list[EarLink] = []
        self._requests: dict[type, object] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Process id, for diagnosis; None while there is none."""
        return self._process.pid

    def add(self, link: EarLink) -> None:
        """Let a link take the news, before anything is asked for."""
        self._links.append(link)

    def ask(self, request: object, *, wanted: bool) -> None:
        """Send a request; the newest of a type also to a process that is started again.

        wanted: whether the process is needed for it, if there is none yet.
        """
        with self._lock:
            self._requests[type(request)] = request
            self._process.send(request)
            if wanted and self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._run, name="ears", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the process."""
        self._stopping.set()
        self._process.send(STOP)
        if self._thread is not None:
            self._thread.join()

    # The thread.

    def _run(self) -> None:
        deaths: list[float] = []
        while not self._stopping.is_set():
            try:
                self._process.start(*self._shared)
            except OSError as error:
                self._report("warning", FAILED.format(error.strerror or error))
                self._stopping.wait(RETRY_SECONDS)
                continue
            with self._lock:
                for request in self._requests.values():
                    self._process.send(request)
            hung = self._receive()
            if hung:
                self._process.kill()
            self._process.end(STOP)
            for link in self._links:
                link.forget()
            if self._stopping.is_set():
                return
            now = time.monotonic()
            deaths = [t for t in deaths if now - t < DEATH_SPAN] + [now]
            self._report("warning", HUNG if hung else AGAIN)
            self._stopping.wait(0.0 if len(deaths) <= DEATHS else RETRY_SECONDS)

    def _receive(self) -> bool:
        """Take the news until the process ends or hangs; whether it hangs."""
        deadline = time.monotonic() + max(START_SECONDS, self._patience)
        try:
            while not self._stopping.is_set():
                if self._process.poll(POLL_SECONDS):
                    self._take(self._process.receive())
                    deadline = time.monotonic() + self._patience
                elif time.monotonic() > deadline:
                    return True
        except (EOFError, OSError):
            pass
        return False

    def _take(self, news: object) -> None:
        if news == ALIVE:
            return
        if isinstance(news, EarWarning):
            self._report("warning", news.sentence)
        for link in self._links:
            link.take(news)

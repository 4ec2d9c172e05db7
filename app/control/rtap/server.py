"""Server of the accompaniment protocol: a thread that receives, and one that plays.

    /context packets -> `batches` (put together) -> play (a function) -> packets of the answer

The receiving thread reads, counts and obeys control messages; the playing thread hears each batch
in turn and sends the window that it is answered with. Where it is behind, older batches are heard
but not answered (`/batch_dropped`). Answers go to one client whose address is fixed at the start,
and nothing else is ever sent.
"""

from __future__ import annotations

import math
import queue
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from app.control.osc.messages import MalformedPacketError, split
from app.control.rtap.batches import BatchAssembler, ContextBatch, PacketCounts
from app.control.rtap.messages import (
    MAX_DATAGRAM,
    ContextPacket,
    ControlMessage,
    PacketTest,
    Samples,
    answer,
    chunk,
    flag,
    read,
)
from app.control.rtap.settings import RtapSettings, changed
from models.errors import SegueError

BUFFER: Final = 4 * 1024 * 1024
"""Bytes that the system keeps for a burst, as the published server asks for."""
LOOK: Final = 0.05
"""Seconds between two looks whether the server is to stop."""
PACE: Final = 0.001
"""Seconds between two packets of an answer, so that a client's buffer holds them."""
KEPT: Final = 4096  # latencies
COMPLAINTS: Final = 1.0
"""Seconds between two sentences about what was refused."""


class WindowPlayer(Protocol):
    """What hears the context and plays the answers; used by the playing thread alone."""

    def reset(self) -> None:
        """Forget the context."""

    def hear(self, batch: ContextBatch, step: int) -> int:
        """Take a batch in; the samples of the context so far."""

    def window(self, start: int, end: int, stems: tuple[str, ...]) -> Mapping[str, Samples]:
        """float32 (end - start,) of each stem: samples `start` to `end` of the context's time."""


@dataclass(frozen=True)
class _BatchTask:
    """A batch with the settings at its end; None for a reset."""

    batch: ContextBatch | None
    settings: RtapSettings


class RtapServer:
    """Server: `start`, `stop`.

    Args:
        player: hears and plays.
        host: address of the interface to listen on.
        port: 0 takes a free one.
        client: address and port to which answers go.
        only: whether packets from other addresses than the client's are refused.
        log: takes a line.

    """

    def __init__(
        self,
        player: WindowPlayer,
        host: str,
        port: int,
        client: tuple[str, int],
        *,
        only: bool = False,
        log: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.host, self.port, self.client = host, port, client
        self.settings = RtapSettings()
        self.counts = PacketCounts()
        self.latencies: deque[float] = deque(maxlen=KEPT)
        """Seconds from a batch's last packet to the answer's first."""
        self._player, self._only, self._log = player, only, log
        self._assembler = BatchAssembler(self.counts)
        self._tasks: queue.Queue[_BatchTask | None] = queue.Queue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._stopping = False
        self._complained = -math.inf

    def start(self) -> None:
        """Listen, and tell the client. SegueError where the address cannot be bound."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        each = socket.socket(family, socket.SOCK_DGRAM)
        try:
            for side in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                each.setsockopt(socket.SOL_SOCKET, side, BUFFER)
            each.bind((self.host, self.port))
        except OSError as error:
            each.close()
            raise SegueError(
                f"rtap cannot listen on {self.host}, port {self.port} ({error.strerror}): choose "
                "another with --port."
            ) from error
        each.settimeout(LOOK)
        self._socket, self.port = each, each.getsockname()[1]
        for run in (self._receive, self._play):
            thread = threading.Thread(target=run, name=f"rtap{run.__name__}", daemon=True)
            thread.start()
            self._threads.append(thread)
        self._send(flag("/ready"))

    def stop(self) -> None:
        """End both threads and close the port."""
        self._stopping = True
        self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        if self._socket is not None:
            self._socket.close()

    def figures(self) -> dict[str, float]:
        """The counts, and the latency's median and 95th percentile in seconds."""
        found: dict[str, float] = dict(self.counts.as_dict())
        if self.latencies:
            found["latency_p50"], found["latency_p95"] = (
                round(float(np.percentile(self.latencies, part)), 4) for part in (50, 95)
            )
        return found

    # The receiving thread.

    def _receive(self) -> None:
        assert self._socket is not None
        while not self._stopping:
            wait = self._assembler.deadline(self.settings.step) - time.monotonic()
            self._socket.settimeout(min(LOOK, max(0.001, wait)))
            try:
                data, peer = self._socket.recvfrom(MAX_DATAGRAM)
            except TimeoutError:
                data = b""
            except OSError:  # such as a client that is not there: the next one may be
                time.sleep(0.001)
                continue
            now = time.monotonic()
            if data:
                self._take(data, peer[0], now)
            self._queue(self._assembler.expire(now, self.settings.step))

    def _take(self, data: bytes, address: str, now: float) -> None:
        if self._only and address != self.client[0]:
            self.counts.refused += 1
            return
        try:
            found = [read(message) for _, message in split(data)]
        except MalformedPacketError:
            self.counts.malformed += 1
            return
        for each in found:
            if isinstance(each, ContextPacket):
                step, copies = self.settings.step, len(self.settings.stems)
                self._queue(self._assembler.take(each, now, step, copies))
            elif isinstance(each, PacketTest):
                noise = np.random.default_rng().random(each.numbers, np.float32)
                self._send(chunk("/packet_test_response", (each.numbers,), noise))
            else:
                self._obey(each, now)

    def _obey(self, message: ControlMessage, now: float) -> None:
        if message.address in ("/reset", "/load_model"):
            self._assembler.forget()
            self._tasks.put(_BatchTask(None, self.settings))
        elif message.address == "/predict":
            self._queue(self._assembler.close(now, self.settings.step))
        elif message.address == "/print":
            self._log(summary(self.figures()))
        else:
            try:
                self.settings = changed(self.settings, message.address, message.arguments)
            except SegueError as error:
                self.counts.unknown += 1
                if now - self._complained >= COMPLAINTS:
                    self._complained = now
                    self._log(str(error))

    def _queue(self, batches: list[ContextBatch]) -> None:
        for batch in batches:
            with self._lock:
                self._waiting += 1
            self._tasks.put(_BatchTask(batch, self.settings))

    # The playing thread.

    def _play(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                if task.batch is None:
                    self._player.reset()
                else:
                    self._answer(task.batch, task.settings)
            except Exception as error:  # whatever comes in, the next batch is answered
                self._log(f"a batch was not answered: {error or type(error).__name__}")
            finally:
                if task.batch is not None:
                    with self._lock:
                        self._waiting -= 1

    def _answer(self, batch: ContextBatch, settings: RtapSettings) -> None:
        position = self._player.hear(batch, settings.step)
        if not settings.stems:
            return
        if self._waiting > 1:
            self.counts.dropped += 1
            self._send(chunk("/batch_dropped", (batch.number,), np.zeros(0, np.float32)))
            return
        start, end = settings.window_after(position)
        played = self._player.window(start, end, settings.stems)
        delay = time.monotonic() - batch.closed
        self.latencies.append(delay)
        for stem, samples in played.items():
            for packet in answer(stem, batch.number, samples, settings.package):
                self._send(packet)
                time.sleep(PACE)
        self.counts.answered += 1
        self._send(flag("/server_predicted"))
        if settings.verbose:
            lost = sum(stop - start for start, stop in batch.missing)
            self._log(
                f"batch {batch.number}: {len(batch.samples)} samples, {lost} missing; answered "
                f"after {1000 * delay:.0f} ms"
            )

    def _send(self, packet: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(packet, self.client)
        except OSError:  # the client is not there; it is asked for nothing
            pass


def summary(figures: Mapping[str, float]) -> str:
    """The counts as a sentence."""
    names = ("lost", "late", "doubled", "reordered", "skipped", "malformed", "unknown", "refused")
    told = ", ".join(f"{figures[name]:g} {name}" for name in names)
    text = (
        f"{figures['batches']:g} batches in {figures['packets']:g} packets: {told}; "
        f"{figures['answered']:g} answered, {figures['dropped']:g} dropped"
    )
    if "latency_p50" in figures:
        text += (
            f"; answered after {1000 * figures['latency_p50']:.0f} ms (median), "
            f"{1000 * figures['latency_p95']:.0f} ms (95 %)"
        )
    return text

"""Session of a client on the server: its stream, its snapshots, and the thread that renders.

A session outlives its line: a client that was cut off finds its snapshots again. `attach` gives it
a line to send on, `detach` takes it away; rendering stops at the credit that the client gave.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeAlias

from models.engine.interface import Engine, Snapshot, Stream, block_fault
from models.errors import SegueError
from models.remote.protocol.limits import Limits
from models.remote.protocol.messages import (
    Block,
    Fault,
    Message,
    Place,
    Run,
    Started,
    following,
    pack_block,
)
from models.remote.server.handover import SessionRecord, SessionRecorder, Step, follow
from models.remote.server.shared_renderer import SharedRenderer
from models.remote.server.snapshot_store import SnapshotStore
from models.remote.server.statistics import BlockCount

Send: TypeAlias = "Callable[[Message | bytes, int], None]"
"""Sends a message or a block of a run, from any thread; blocks of older runs may be dropped."""

JOIN_SECONDS: Final = 10.0


class StreamSession:
    """Session. Its methods may be called from any thread."""

    def __init__(
        self,
        engine: Engine,
        limits: Limits,
        name: str,
        count: BlockCount | None = None,
        recorder: SessionRecorder | None = None,
        record: SessionRecord | None = None,
        renderer: SharedRenderer | None = None,
    ) -> None:
        """recorder: writes what another server needs to go on. record: what one wrote before.
        renderer: of all sessions of the engine.
        """
        self.engine, self.limits, self.name = engine, limits, name
        self._count, self._recorder, self._record = count or BlockCount(), recorder, record
        self._renderer = renderer or SharedRenderer(engine)
        first = 1 if record is None else record.last + 1
        self.snapshots = SnapshotStore(limits.session_bytes, limits.snapshots, first)
        self.blocks = 0
        self.rendering_since: float | None = None
        self._stream: Stream | None = None
        self._at: Snapshot | None = None  # where the stream is
        self._place = Place()  # the same, as a place
        self._wake = threading.Condition()
        self._send: Send | None = None
        self._next: Run | None = None
        self._run: Run | None = None
        self._credit = 0
        self._index = 0
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"session {name}", daemon=True)
        self._thread.start()

    # Any thread.

    def attach(self, send: Send) -> None:
        """Use a line; what was going on for an older one ends."""
        with self._wake:
            self._send, self._run, self._next = send, None, None

    def detach(self, send: Send) -> bool:
        """Give a line up; False where a newer one is in use."""
        with self._wake:
            if self._send != send:
                return False
            self._send, self._run, self._next = None, None, None
            return True

    def start(self, run: Run) -> None:
        """Begin a run; it ends the one before."""
        with self._wake:
            self._next = run
            self._credit = min(run.credit, self.limits.ahead)
            self._wake.notify()

    def more(self, number: int, credit: int) -> None:
        """Let a run go on up to `credit` blocks, within `Limits.ahead` of those rendered."""
        with self._wake:
            run = self._next or self._run
            if run is not None and run.number == number:
                index = 0 if run is self._next else self._index
                self._credit = max(self._credit, min(credit, index + self.limits.ahead))
                self._wake.notify()

    @property
    def queue(self) -> int:
        """Blocks that were asked for and are not rendered yet."""
        with self._wake:
            if self._next is not None:
                return self._credit
            return max(0, self._credit - self._index) if self._run is not None else 0

    def snapshot(self, number: int) -> Snapshot:
        """A snapshot by its number. SegueError where it is forgotten."""
        if self._find(number) == number:
            with self._wake:
                snapshot = self.snapshots.get(number)
        else:
            snapshot = None
        if snapshot is None:
            raise SegueError("the server does not know that place in the music any more.")
        return snapshot

    def keep(self, snapshot: Snapshot) -> tuple[int, int]:
        """Keep a snapshot from elsewhere; its number and the bytes that it adds."""
        with self._wake:
            number, size = self.snapshots.put(snapshot)
        if self._recorder is not None:
            self._recorder.keep(number, snapshot)
        return number, size

    def _find(self, number: int) -> int | None:
        """The nearest snapshot up to a number that is known, here or by the record."""
        with self._wake:
            found = self.snapshots.before(number)
        route = None if self._record is None or found == number else self._record.route(number)
        if route is None or (found is not None and route.number <= found):
            return found
        snapshot = follow(self.engine, route)
        with self._wake:
            self.snapshots.put_back(route.number, snapshot)
        return route.number

    def release(self, numbers: tuple[int, ...]) -> None:
        """Forget snapshots."""
        with self._wake:
            for number in numbers:
                self.snapshots.release(number)

    def close(self) -> None:
        """End the session; its thread ends after the block that it renders."""
        with self._wake:
            self._closed, self._send = True, None
            self._wake.notify()

    def join(self) -> None:
        """Wait for the thread."""
        self._thread.join(JOIN_SECONDS)

    # The session's thread.

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._closed and not self._due():
                    self._wake.wait()
                if self._closed:
                    return
                fresh, self._next = self._next, None
                if fresh is not None:
                    self._run, self._index = fresh, 0
                run, send = self._run, self._send
            if run is None or send is None:
                continue
            try:
                if fresh is not None:
                    self._go_to(run, send)
                self._render(run, send)
            except SegueError as error:
                self._fail(run, send, Fault(run.number, str(error), refused=True))
            except Exception as error:  # whatever an engine may raise
                self._count.fail()
                sentence = f"the engine failed ({type(error).__name__}: {error})"
                self._fail(run, send, Fault(run.number, sentence))

    def _due(self) -> bool:
        if self._next is not None:
            return True
        return self._run is not None and self._index < self._credit

    def _go_to(self, run: Run, send: Send) -> None:
        """Put the stream where a run begins, or at the last place before it that is known."""
        place, found = run.place, None
        if place.snapshot is not None:
            found = self._find(place.snapshot)
            with self._wake:
                snapshot = None if found is None else self.snapshots.get(found)
        if self._stream is None or place.snapshot is None or found is None:
            self._stream = self.engine.start(place.seed)
        if found is not None and snapshot is not self._at:
            self._stream.restore(snapshot)
        if place.clear:
            self._stream.clear()
        self._at = None
        self._place = Place(found, place.seed, place.clear)
        send(Started(run.number, found), run.number)

    def _render(self, run: Run, send: Send) -> None:
        stream = self._stream
        assert stream is not None
        began = self.rendering_since = time.perf_counter()
        controls = run.controls if self._index == 0 else following(run.controls)
        samples = self._renderer.render(stream, controls)
        fault = block_fault(samples, self.engine.info)
        if fault is not None:
            raise RuntimeError(fault)
        stems = stream.stems if run.stems else {}
        planes = (samples, *(stems[part] for part in self.engine.info.parts if part in stems))
        self._at = stream.snapshot()
        with self._wake:
            number, size = self.snapshots.put(self._at)
        seconds = time.perf_counter() - began
        block = Block(run.number, self._index, number, size, planes, stream.score, seconds)
        self.blocks += 1
        self._count.add(seconds, self.engine.info.block_seconds)
        if self._recorder is not None:  # before the client knows of it
            self._recorder.rendered(Step(number, self._place, controls), self._at, seconds)
        self._place = Place(number, self._place.seed)
        self.rendering_since = None
        send(pack_block(block, self.engine.info.sample_rate, run.audio_format), run.number)
        with self._wake:
            self._index += 1

    def _fail(self, run: Run, send: Send, fault: Fault) -> None:
        self.rendering_since = None
        self._stream = self._at = None  # it may be in any state
        with self._wake:
            if self._run is run:
                self._run = None
        send(fault, run.number)

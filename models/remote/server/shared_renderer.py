"""Renders blocks of several sessions at once, where the engine can."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from models.engine.controls import Controls
from models.engine.interface import Audio, Engine, Stream


@dataclass(eq=False)
class _WaitingBlock:
    """A block that is asked for, and then what became of it."""

    stream: Stream
    controls: Controls
    result: Audio | Exception | None = None


class SharedRenderer:
    """Renderer of an engine's blocks. Its method may be called from any thread.

    What is asked for while blocks are rendered is rendered together after them. So nobody waits for
    others to come, and the busier the engine is, the more streams share its reading of the weights.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._most = engine, engine.max_together
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # of whoever renders, for himself and for those who wait
        self._waiting: list[_WaitingBlock] = []

    def render(self, stream: Stream, controls: Controls) -> Audio:
        """The next block of a stream, as `Stream.render`; raises what that does."""
        if self._most == 1:
            return stream.render(controls)
        job = _WaitingBlock(stream, controls)
        with self._lock:
            self._waiting.append(job)
        while job.result is None:
            with self._turn:
                if job.result is None:
                    self._render_waiting()
        if isinstance(job.result, Exception):
            raise job.result
        return job.result

    def _render_waiting(self) -> None:
        with self._lock:
            jobs, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        results: list[Audio | Exception]
        try:
            if len(jobs) == 1:  # a step of one stream may be faster than a batch of one
                results = [jobs[0].stream.render(jobs[0].controls)]
            else:
                results = self._engine.render_together([(j.stream, j.controls) for j in jobs])
        except Exception as error:  # whatever an engine may raise
            results = [error] * len(jobs)
        for job, result in zip(jobs, results, strict=True):
            job.result = result

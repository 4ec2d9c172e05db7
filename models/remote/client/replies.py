"""Replies to requests of a client: waited for in any thread, completed by the line's."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeAlias

from models.remote.protocol.messages import Answer

Reply: TypeAlias = "Future[tuple[Answer, bytes]]"


@dataclass(eq=False)
class _Expected:
    """A reply, and what of it has come."""

    reply: Reply
    answer: Answer | None = None
    content: bytearray = field(default_factory=bytearray)


class Replies:
    """Replies that are waited for, by the numbers of their requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected: dict[int, _Expected] = {}

    def expect(self, number: int) -> Reply:
        """Wait for the reply to a request; it is cancelled where the line goes down."""
        reply: Reply = Future()
        with self._lock:
            self._expected[number] = _Expected(reply)
        return reply

    def forget(self, number: int) -> None:
        """Wait no more."""
        with self._lock:
            self._expected.pop(number, None)

    def cancel(self) -> None:
        """The line is down: nothing comes of what it was asked."""
        with self._lock:
            expected, self._expected = self._expected, {}
        for each in expected.values():
            each.reply.cancel()

    def answered(self, answer: Answer) -> None:
        """An answer has come; its content follows."""
        with self._lock:
            expected = self._expected.get(answer.number)
        if expected is not None:
            expected.answer = answer
            if not answer.size:
                self._complete(expected, answer)

    def add(self, number: int, content: bytes) -> None:
        """A piece of a content has come; one that nobody waits for is dropped."""
        with self._lock:
            expected = self._expected.get(number)
        if expected is None or expected.answer is None:
            return
        expected.content.extend(content)
        if len(expected.content) >= expected.answer.size:
            self._complete(expected, expected.answer)

    def _complete(self, expected: _Expected, answer: Answer) -> None:
        if not expected.reply.done():
            expected.reply.set_result((answer, bytes(expected.content)))

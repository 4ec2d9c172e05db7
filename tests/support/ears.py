"""Ears that are called by hand, without a process: what they say travels pickled all the same."""

from __future__ import annotations

import pickle
from collections.abc import Callable

from app.audio.shared_memory import Layout
from app.session.ears.ear import Ear
from app.session.ears.ears import Ears


class EarsByHand(Ears):
    """`hear` makes the ears listen once; `rest` makes them forget; `sent` is what
    came through the pipe.

    Args:
        make: makes the ears, given what takes their news.
        report: takes level and sentence.

    """

    def __init__(
        self, make: Callable[[Callable[[object], object]], Ear], report: Callable[[str, str], None]
    ) -> None:
        super().__init__(("", Layout()), report)
        self.sent: list[bytes] = []
        self.ear = make(self._carry)

    def _carry(self, news: object) -> None:
        self.sent.append(pickle.dumps(news))
        self._take(pickle.loads(self.sent[-1]))

    def ask(self, request: object, *, wanted: bool) -> None:
        self.ear.configure(pickle.loads(pickle.dumps(request)))

    def hear(self) -> None:
        self.ear.listen()

    def rest(self) -> None:
        self.ear.rest()

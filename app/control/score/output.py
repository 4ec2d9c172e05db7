"""Score output: the notes that are heard go to MIDI ports, in time with the sound.

A thread reads the score of what the audio process is about to play, as soon as it cannot change any
more, and hands messages with their plan positions to that process, which sends them when their
positions are heard (`app.audio.score_port`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from app.audio.score_link import ScoreLink
from app.audio.score_port import PortRequest, Timed
from app.audio.settings import AudioStatus
from app.control.score.clock import ClockMessages
from app.control.score.messages import ScoreMessages, TimedMessage
from app.control.score.settings import ScoreSettings
from app.performance.score_log import ScoreLog

POLL_SECONDS: Final = 0.008
LOGGED: Final = 720
"""Frames by which what the plan's writer no longer changes is in the score log later than in the
plan."""
STALL_SECONDS: Final = 0.4
"""The reader stands for so long: notes are ended."""


class ScoreOut:
    """Follows the reader of the plan. Used from the GUI thread.

    Args:
        settings: what is sent.
        scores: of the plan.
        status: of the audio process.
        link: to the audio process.

    """

    def __init__(
        self,
        settings: ScoreSettings,
        scores: ScoreLog,
        status: Callable[[], AudioStatus],
        link: ScoreLink,
    ) -> None:
        self.settings = settings
        self._scores, self._status, self._link = scores, status, link
        self._ports: dict[str, str] = {}
        self._api = ""
        self._request: PortRequest | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def apply(self, settings: ScoreSettings, api: str, ports: Mapping[str, str]) -> None:
        """Send by these settings; api and ports (plain to full name) as there are now."""
        request = None
        if (settings.on or settings.clock) and api:
            names = tuple((port, ports.get(port, port)) for port in settings.ports)
            request = PortRequest(api, names, settings.delay_ms / 1000.0)
        if (settings, request) == (self.settings, self._request):
            return
        self._end()
        self.settings, self._request = settings, request
        self._link.choose(request)
        if request is not None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="score out", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End all notes and close the ports."""
        self._end()
        if self._request is not None:
            self._request = None
            self._link.choose(None)

    def _end(self) -> None:
        if self._thread is not None:
            self._stopping.set()
            self._thread.join(2.0)
            self._thread = None

    def _run(self) -> None:
        settings = self.settings
        clock = ClockMessages(settings.clock_port) if settings.clock else None
        routes = settings.routes if settings.on else {}
        follower = ScoreFollower(ScoreMessages(routes, settings.programs), clock)
        while not self._stopping.wait(POLL_SECONDS):
            status = self._status()
            moves = follower.moves(status.read, status.playing, time.monotonic())
            if not moves:
                if follower.position is not None:
                    self._link.cancel(follower.cut())
                continue
            stop = status.read + self._link.settled + 2 * status.plan_buffer - LOGGED
            messages = follower.advance(self._scores, status.read, stop)
            if messages:
                self._link.put(messages)
        self._link.cancel(follower.cut())


class ScoreFollower:
    """Place up to which the score was sent. Pure logic. position: None while nothing plays."""

    def __init__(self, messages: ScoreMessages, clock: ClockMessages | None = None) -> None:
        self.position: int | None = None
        self._messages, self._clock = messages, clock
        self._read, self._since = -1, 0.0

    def moves(self, read: int, playing: bool, now: float) -> bool:
        """Whether the reader, at `read` at the time `now`, goes on."""
        if read != self._read:
            self._read, self._since = read, now
        return playing and now - self._since < STALL_SECONDS

    def advance(self, scores: ScoreLog, read: int, stop: int) -> list[Timed]:
        """Messages of what is heard up to a plan position."""
        start = read if self.position is None else self.position
        if stop <= start:
            return []
        self.position = stop
        spans = scores.between(start, stop)
        clock = [] if self._clock is None else self._clock.follow(spans)
        return _plain([*self._messages.follow(spans), *clock])

    def cut(self) -> list[Timed]:
        """Messages that end all notes at once; what comes next begins at the reader."""
        self.position = None
        clock = [] if self._clock is None else self._clock.end(0)
        return _plain([*self._messages.end(0), *clock])


def _plain(messages: Iterable[TimedMessage]) -> list[Timed]:
    """As the audio process takes them, which does not know this module."""
    return [(message.at, message.port, message.data) for message in messages]

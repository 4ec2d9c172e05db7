"""Transport sync: play and tempo shared with JACK's transport or an Ableton Link session. No Qt."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from app.control.transport.helper import start_helper
from app.parameters.registry import Change, Registry
from models.errors import SegueError

MODES: Final = ("off", "jack_follow", "jack_lead", "link")
SOURCE: Final = "transport"
SAME_TEMPO: Final = 0.01
"""Difference in beats per minute below which tempos are the same."""


class TransportHelper(Protocol):
    """What is used of `HelperProcess`."""

    reports: deque[Mapping[str, object]]

    def send(self, words: Mapping[str, object]) -> None: ...
    def stop(self) -> None: ...


class TransportSync:
    """Connects a helper process with the registry. Used from the GUI thread.

    state: what the page shows, '' while it is off. start: starts the helper of a mode.
    """

    def __init__(
        self,
        registry: Registry,
        incident: Callable[[str, str], None],
        start: Callable[[str], TransportHelper] = start_helper,
    ) -> None:
        self.mode, self.state = MODES[0], ""
        self._registry, self._incident, self._start = registry, incident, start
        self._helper: TransportHelper | None = None
        self._playing: bool | None = None  # there, as far as is known
        self._tempo: float | None = None
        self._unsubscribe = registry.subscribe(self._on_change)

    def apply(self, mode: str) -> None:
        """Use a mode of MODES from now on."""
        if mode == self.mode:
            return
        self._end()
        self.mode, self.state = mode, ""
        self._playing = self._tempo = None
        if mode == MODES[0]:
            return
        try:
            self._helper = self._start(mode)
        except SegueError as error:
            self.state = str(error)
            self._incident("warning", self.state)
            return
        self.state = "Connecting …"
        if mode != "jack_follow":
            self._send_tempo()
            if mode == "jack_lead":
                self._send(playing=bool(self._registry.get("transport.play")))

    def stop(self) -> None:
        """End the helper, and listen to nothing any more."""
        self._unsubscribe()
        self._end()

    def tick(self) -> None:
        """Take what the helper has said. Called some fifty times a second."""
        while self._helper is not None and self._helper.reports:
            self._take(self._helper.reports.popleft())

    def beat(self, when: float, bpm: float) -> None:
        """A bar is heard at a time by time.monotonic, at a tempo."""
        if self.mode in ("jack_lead", "link"):
            self._send(bar_at=when, **({} if self.mode == "link" else {"tempo": bpm}))

    def _end(self) -> None:
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.stop()

    def _send(self, **words: object) -> None:
        if self._helper is not None:
            self._helper.send(words)

    def _send_tempo(self) -> None:
        tempo = self._registry.get("tempo")
        if isinstance(tempo, float):
            self._tempo = tempo
            self._send(tempo=tempo)

    def _take(self, words: Mapping[str, object]) -> None:
        fault = words.get("fault")
        if isinstance(fault, str):
            self.state = fault
            self._incident("warning", fault)
            return
        playing, tempo, peers = bool(words.get("playing")), words.get("tempo"), words.get("peers")
        known = isinstance(tempo, int | float)
        where = "JACK's transport" if self.mode != "link" else f"Link, {peers} more"
        runs = "rolling" if playing else "stopped"
        self.state = f"{where}: {runs}" + (f", {tempo:.1f} bpm" if known else ", no tempo")
        if self.mode == "jack_lead":
            return
        if known:
            self._take_tempo(float(tempo))  # type: ignore[arg-type]  # known
        if playing != self._playing and (playing or self._playing is not None):
            self._playing = playing  # before, as the change comes back
            self._registry.set("transport.play", playing, SOURCE)
        self._playing = playing

    def _take_tempo(self, tempo: float) -> None:
        parameter = self._registry["tempo"]
        same = self._tempo is not None and abs(tempo - self._tempo) < SAME_TEMPO
        if same or not parameter.low <= tempo <= parameter.high:
            return
        self._tempo = tempo
        self._registry.set("tempo", round(tempo, 2), SOURCE)

    def _on_change(self, change: Change) -> None:
        if self._helper is None or self.mode == "jack_follow" or change.source == SOURCE:
            return
        if change.name == "tempo":
            self._send_tempo()
        elif change.name == "transport.play":
            self._playing = bool(change.value)
            self._send(playing=self._playing)

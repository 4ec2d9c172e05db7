"""MIDI messages of the score: the notes that sound, as messages at plan positions. Pure logic.

A note that sounds where the music leaps (a splice of the plan, a moment) ends there; one that the
new music is holding begins there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from app.performance.score_log import ScoreSpan, notes_of
from models.engine.interface import ScoreInfo
from models.errors import SegueError
from models.music.score import PARTS

NOTE_ON: Final = 0x90
NOTE_OFF: Final = 0x80
CONTROL: Final = 0xB0
PROGRAM: Final = 0xC0
ALL_NOTES_OFF: Final = 123
DEFAULT_CHANNELS: Final = {"drums": 10, "bass": 1, "chords": 2, "lead": 3, "extra": 4}
"""Channels 1 to 16; 10 is that of the drums in General MIDI."""


@dataclass(frozen=True)
class PartRoute:
    """Where a part's notes go. on: whether they are sent. channel: 1 to 16. port: plain name of a
    MIDI output, '' for our own virtual one.
    """

    on: bool = True
    channel: int = 1
    port: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.channel <= 16:
            raise SegueError(f"{self.channel} is no MIDI channel; give one from 1 to 16.")


def default_routes() -> dict[str, PartRoute]:
    """Each part on a channel of its own, to the virtual port."""
    return {part: PartRoute(channel=DEFAULT_CHANNELS[part]) for part in PARTS}


class TimedMessage(NamedTuple):
    """MIDI message that is due when the plan position `at` is heard. port: as in `PartRoute`."""

    at: int
    port: str
    data: bytes


class ScoreMessages:
    """Notes that are on outside, and the messages that follow them.

    Args:
        routes: of the parts; a part that is not listed is not sent.
        programs: whether General MIDI programs are sent where a part's instrument changes.

    """

    def __init__(self, routes: Mapping[str, PartRoute], programs: bool = True) -> None:
        self._routes = {part: route for part, route in routes.items() if route.on}
        self._programs = programs
        self._on: dict[tuple[str, int], int] = {}
        self._sent: dict[tuple[str, int], int] = {}
        """Program of each port and channel."""

    @property
    def sounding(self) -> int:
        """Number of notes that are on."""
        return len(self._on)

    def follow(self, spans: Iterable[ScoreSpan]) -> list[TimedMessage]:
        """Messages of what is heard next, in the order of their positions."""
        out: list[TimedMessage] = []
        for span in spans:
            self._follow(span, out)
        return out

    def end(self, at: int) -> list[TimedMessage]:
        """Note-offs for all notes that are on, then all notes off on every channel in use."""
        out: list[TimedMessage] = []
        for part, pitch in list(self._on):
            self._note(part, pitch, 0, at, out)
        places = sorted({(route.port, route.channel) for route in self._routes.values()})
        out += [
            TimedMessage(at, port, bytes((CONTROL | channel - 1, ALL_NOTES_OFF, 0)))
            for port, channel in places
        ]
        return out

    def _follow(self, span: ScoreSpan, out: list[TimedMessage]) -> None:
        self._programs_of(span.score, span.start, out)
        held, events = notes_of(span)
        for part, pitch in [key for key in self._on if key not in held]:
            self._note(part, pitch, 0, span.start, out)
        for (part, pitch), note in held.items():
            # Drum hits are too short to be held.
            if part != "drums" and (part, pitch) not in self._on:
                self._note(part, pitch, note.velocity, span.start, out)
        for event in events:
            self._note(event.part, event.pitch, event.velocity, span.position + event.frame, out)

    def _note(self, part: str, pitch: int, velocity: int, at: int, out: list[TimedMessage]) -> None:
        route = self._routes.get(part)
        if route is None or not 0 <= pitch <= 127:
            return
        status = route.channel - 1
        if self._on.pop((part, pitch), None) is not None:
            # Also where the note is struck again while it sounds.
            out.append(TimedMessage(at, route.port, bytes((NOTE_OFF | status, pitch, 0))))
        if velocity:
            self._on[part, pitch] = at
            velocity = min(127, velocity)
            out.append(TimedMessage(at, route.port, bytes((NOTE_ON | status, pitch, velocity))))

    def _programs_of(self, score: ScoreInfo, at: int, out: list[TimedMessage]) -> None:
        if not self._programs:
            return
        for part, program in score.programs.items():
            route = self._routes.get(part)
            if route is None:
                continue
            place = route.port, route.channel
            if self._sent.get(place) != program:
                self._sent[place] = program
                out.append(
                    TimedMessage(at, route.port, bytes((PROGRAM | route.channel - 1, program)))
                )

"""What the monitor keeps and lets through. GUI lane; pure, no Qt.

The hub keeps the last thousand messages; `take` copies what is new since the last look. In a flood
some were pushed out in between: they are counted, not shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.control.hub import Heard
from app.control.parameters import Change

KEPT: Final = 2000
TYPES: Final = ("notes", "controllers", "bend and pressure", "programs", "system", "OSC")
_TYPE_OF: Final = {
    "note_on": "notes",
    "note_off": "notes",
    "cc": "controllers",
    "bend": "bend and pressure",
    "pressure": "bend and pressure",
    "aftertouch": "bend and pressure",
    "program": "programs",
}


@dataclass(frozen=True)
class Line:
    """One line. when: seconds. type: one of TYPES. out: it was sent, not received."""

    when: float
    port: str
    out: bool
    type: str
    words: str


def line_of(heard: Heard) -> Line:
    """A MIDI message as a line."""
    if heard.message is None:
        return Line(heard.when, heard.port, heard.out, "system", "no MIDI")
    kind = _TYPE_OF.get(heard.message.kind, "system")
    return Line(heard.when, heard.port, heard.out, kind, heard.message.text)


class MonitorLog:
    """Lines, the newest last, at most `KEPT`; filters apply to what is shown, not to what is kept.

    port "" and type "" let everything through.
    """

    def __init__(self) -> None:
        self.lines: deque[Line] = deque(maxlen=KEPT)
        self.paused = False
        self.port = ""
        self.type = ""
        self.missed = 0
        self._last: Heard | None = None
        self._seen: list[Line] | None = None

    def take(self, monitor: Sequence[Heard]) -> int:
        """Copy what is new; how many that were. While paused nothing is kept."""
        fresh: list[Heard] = []
        found = False
        for heard in reversed(monitor):
            if heard is self._last:
                found = True
                break
            fresh.append(heard)
        if self._last is not None and not found and fresh:
            self.missed += 1
        if fresh:
            self._last = fresh[0]
        if self.paused or not fresh:
            return 0
        self._add([line_of(heard) for heard in reversed(fresh)])
        return len(fresh)

    def add_change(self, change: Change, when: float) -> bool:
        """A parameter that OSC has moved; other hands are no business of the monitor."""
        if self.paused or not change.source.startswith("osc:"):
            return False
        peer = change.source[len("osc:") :]
        value = "auto" if change.value is None else change.value
        words = f"{change.name} = {value:.4g}" if isinstance(value, float) else (
            f"{change.name} = {value}"
        )  # fmt: skip
        self._add([Line(when, peer, False, "OSC", words)])
        return True

    def _add(self, lines: list[Line]) -> None:
        self.lines.extend(lines)
        self._seen = None

    def set_filter(self, port: str, kind: str) -> None:
        if (port, kind) != (self.port, self.type):
            self.port, self.type = port, kind
            self._seen = None

    def clear(self) -> None:
        self.lines.clear()
        self.missed = 0
        self._seen = None

    def seen(self) -> list[Line]:
        """The lines that pass the filters."""
        if self._seen is None:
            self._seen = [
                line
                for line in self.lines
                if self.port in ("", line.port) and self.type in ("", line.type)
            ]
        return self._seen

    def ports(self) -> list[str]:
        """All ports that were heard of."""
        return sorted({line.port for line in self.lines})

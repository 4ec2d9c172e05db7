"""What the monitor keeps and lets through. GUI lane; pure, no Qt.

Hub and OSC keep rings of what came last; `take` copies what is new since the last look. In a flood
some were pushed out in between: that is said, they are not shown. Nothing is put into words before
it is painted, so what a flood costs does not depend on its size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from app.control.hub import MidiLogEntry
from app.control.midi.message import encode
from app.control.osc.inbox import Packet

MAX_ENTRIES: Final = 2000
MAX_PER_POLL: Final = 400
"""Entries that one look copies at most, the newest: more than a second's worth of reading."""
MAX_SYSEX_BYTES: Final = 24
"""Bytes of a long message that are shown."""
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

Entry: TypeAlias = MidiLogEntry | Packet


@dataclass(frozen=True)
class Line:
    """One line. when: seconds. type: one of TYPES. out: it was sent, not received.

    more: the bytes of a MIDI message, or what became of an OSC packet. bad: it was dropped.
    """

    when: float
    port: str
    out: bool
    type: str
    text: str
    detail: str = ""
    dropped: bool = False


def port_of(entry: Entry) -> str:
    """Who sent it, or was told."""
    return entry.sender if isinstance(entry, Packet) else entry.port


def type_of(entry: Entry) -> str:
    """One of TYPES."""
    if isinstance(entry, Packet):
        return "OSC"
    return "system" if entry.message is None else _TYPE_OF.get(entry.message.kind, "system")


def line_of(entry: Entry) -> Line:
    """In words."""
    head = (entry.when, port_of(entry))
    if isinstance(entry, Packet):
        return Line(*head, False, "OSC", entry.text, entry.status_text, entry.dropped)
    if entry.message is None:
        return Line(*head, entry.out, "system", "no MIDI", _hex(entry.raw), True)
    raw = _hex(encode(entry.message))
    text = "sysex" if entry.message.kind == "sysex" else entry.message.text
    return Line(*head, entry.out, type_of(entry), text, raw)


def _hex(data: Iterable[int]) -> str:
    octets = bytes(data)
    detail = f" … {len(octets)} bytes" if len(octets) > MAX_SYSEX_BYTES else ""
    return f"{octets[:MAX_SYSEX_BYTES].hex(' ').upper()}{detail}"


class _RingReader:
    """What is new in a ring since the last look at it."""

    def __init__(self) -> None:
        self._last: Any = None

    def new(self, ring: Sequence[Any]) -> tuple[list[Any], bool]:
        """Entries, the newest last, and whether some were lost in between."""
        # A copy at once: the OSC thread may be adding.
        ring = tuple(ring)
        fresh: list[Any] = []
        for entry in reversed(ring):
            if entry is self._last:
                break
            if len(fresh) == MAX_PER_POLL:
                self._last = ring[-1]
                return fresh[::-1], True
            fresh.append(entry)
        else:
            lost = self._last is not None and bool(fresh)
            self._last = ring[-1] if ring else self._last
            return fresh[::-1], lost
        self._last = ring[-1]
        return fresh[::-1], False


class MonitorLog:
    """Log entries, the newest last, at most `MAX_ENTRIES`, and the filters of what is displayed.

    port "" and type "" let everything through.
    """

    def __init__(self) -> None:
        self.lines: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self.paused = False
        self.port = ""
        self.type = ""
        self.missed = 0
        self._midi, self._osc = _RingReader(), _RingReader()
        self._visible: list[Entry] | None = None

    def take(self, monitor: Sequence[MidiLogEntry], packets: Sequence[Packet] = ()) -> int:
        """Copy what is new; how many that were. While paused nothing is kept."""
        midi, lost = self._midi.new(monitor)
        osc, lost_too = self._osc.new(packets)
        self.missed += lost + lost_too
        if self.paused or not (midi or osc):
            return 0
        fresh = sorted([*midi, *osc], key=lambda each: each.when) if osc else midi
        self.lines.extend(fresh)
        self._visible = None
        return len(fresh)

    def set_filter(self, port: str, kind: str) -> None:
        if (port, kind) != (self.port, self.type):
            self.port, self.type = port, kind
            self._visible = None

    def clear(self) -> None:
        self.lines.clear()
        self.missed = 0
        self._visible = None

    def visible_entries(self) -> list[Entry]:
        """The entries that pass the filters."""
        if self._visible is None:
            self._visible = [
                each
                for each in self.lines
                if self.port in ("", port_of(each)) and self.type in ("", type_of(each))
            ] if self.port or self.type else list(self.lines)  # fmt: skip
        return self._visible

    def ports(self) -> list[str]:
        """All ports that were heard of."""
        return sorted({port_of(each) for each in self.lines})

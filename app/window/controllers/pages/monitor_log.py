"""Log of the MIDI and OSC monitor, with filters. No Qt.

Hub and OSC server keep rings of their latest entries; `take` copies the new ones. Entries that were
overwritten in a flood are counted as missed. Text is formatted only when it is painted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from app.control.hub import MidiLogEntry
from app.control.midi.message import encode
from app.control.osc.inbox import Packet

MAX_ENTRIES: Final = 2000
MAX_PER_POLL: Final = 400
"""Newest entries that one `take` copies."""
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

T = TypeVar("T")
Entry: TypeAlias = MidiLogEntry | Packet


@dataclass(frozen=True)
class Line:
    """A line of the monitor.

    when: seconds. type: one of TYPES. out: sent, not received. detail: the bytes of a MIDI message,
    or the outcome of an OSC packet. dropped: it was not applied.
    """

    when: float
    port: str
    out: bool
    type: str
    text: str
    detail: str = ""
    dropped: bool = False


def port_of(entry: Entry) -> str:
    """Port of a MIDI message, or the other end of an OSC packet."""
    return entry.sender if isinstance(entry, Packet) else entry.port


def type_of(entry: Entry) -> str:
    """Type of an entry, one of TYPES."""
    if isinstance(entry, Packet):
        return "OSC"
    return "system" if entry.message is None else _TYPE_OF.get(entry.message.kind, "system")


def line_of(entry: Entry) -> Line:
    """Line that displays an entry."""
    head = (entry.when, port_of(entry))
    if isinstance(entry, Packet):
        return Line(*head, entry.out, "OSC", entry.text, entry.status_text, entry.dropped)
    if entry.message is None:
        return Line(*head, entry.out, "system", "no MIDI", _hex(entry.raw), True)
    raw = _hex(encode(entry.message))
    text = "sysex" if entry.message.kind == "sysex" else entry.message.text
    return Line(*head, entry.out, type_of(entry), text, raw)


def _hex(data: Iterable[int]) -> str:
    octets = bytes(data)
    detail = f" … {len(octets)} bytes" if len(octets) > MAX_SYSEX_BYTES else ""
    return f"{octets[:MAX_SYSEX_BYTES].hex(' ').upper()}{detail}"


class _RingReader(Generic[T]):
    """Reader of the new entries in a ring."""

    def __init__(self) -> None:
        self._last: T | None = None

    def new(self, ring: Sequence[T]) -> tuple[list[T], bool]:
        """New entries, the newest last, and whether some were missed."""
        # A copy, because the OSC thread may be appending.
        ring = tuple(ring)
        fresh: list[T] = []
        missed = self._last is not None and bool(ring)
        for entry in reversed(ring):
            if entry is self._last or len(fresh) == MAX_PER_POLL:
                missed = entry is not self._last
                break
            fresh.append(entry)
        self._last = ring[-1] if ring else self._last
        return fresh[::-1], missed


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
        self._midi, self._osc = _RingReader[MidiLogEntry](), _RingReader[Packet]()
        self._sent = _RingReader[Packet]()
        self._visible: list[Entry] | None = None

    def take(
        self, monitor: Sequence[MidiLogEntry], packets: Sequence[Packet] = (),
        sent: Sequence[Packet] = (),
    ) -> int:  # fmt: skip
        """Copy new entries and return their number. While paused they are skipped."""
        midi, lost = self._midi.new(monitor)
        osc, lost_too = self._osc.new(packets)
        went, lost_as_well = self._sent.new(sent)
        self.missed += lost + lost_too + lost_as_well
        if self.paused or not (midi or osc or went):
            return 0
        fresh: list[Entry] = [*midi, *osc, *went]
        if osc or went:
            fresh.sort(key=lambda each: each.when)
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
        """Entries that pass the filters."""
        if self._visible is None:
            self._visible = [
                each
                for each in self.lines
                if self.port in ("", port_of(each)) and self.type in ("", type_of(each))
            ] if self.port or self.type else list(self.lines)  # fmt: skip
        return self._visible

    def ports(self) -> list[str]:
        """Ports of all entries."""
        return sorted({port_of(each) for each in self.lines})

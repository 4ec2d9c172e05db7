"""Incident log: messages of the program with their times."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from app.files import write_text

LEVELS: Final = ("info", "warning", "error")


@dataclass(frozen=True)
class LogEntry:
    """Message. when: seconds since the epoch. count: repetitions in a row."""

    when: float
    level: str
    sentence: str
    count: int = 1

    def line(self) -> str:
        clock = datetime.fromtimestamp(self.when).isoformat(sep=" ", timespec="seconds")
        times = f" (x{self.count})" if self.count > 1 else ""
        return f"{clock}  {self.level:<7}  {self.sentence}{times}"


class IncidentLog:
    """Last incidents; repetitions are counted."""

    def __init__(self, limit: int = 1000) -> None:
        self._entries: deque[LogEntry] = deque(maxlen=limit)
        self.on_entry: Callable[[LogEntry], None] | None = None

    def add(self, when: float, level: str, sentence: str) -> LogEntry:
        """Add an incident; an unknown level counts as an error."""
        entry = LogEntry(when, level if level in LEVELS else "error", sentence)
        if self._entries:
            last = self._entries[-1]
            if (last.level, last.sentence) == (entry.level, entry.sentence):
                self._entries.pop()
                entry = LogEntry(when, entry.level, sentence, last.count + 1)
        self._entries.append(entry)
        if self.on_entry is not None:
            self.on_entry(entry)
        return entry

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> list[LogEntry]:
        return list(self._entries)

    def text(self) -> str:
        return "".join(entry.line() + "\n" for entry in self._entries)

    def export(self, path: Path, head: str = "") -> None:
        """Write the log as text, under a heading. SegueError where it cannot be written."""
        write_text(path, f"{head}\n\n{self.text()}" if head else self.text())

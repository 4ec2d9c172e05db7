"""The process that learns a sound: `main.py teach --json`, started, steered and read."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QProcess, Signal

from models.command import FROZEN
from models.teaching.plan import CoursePlan, CourseProgress

MAIN: Final = Path(__file__).resolve().parents[3] / "main.py"
FIELDS: Final = frozenset(each.name for each in fields(CourseProgress))
STOP_MS: Final = 8000
"""How long a process that shall stop may take to keep what it learned."""


def teach_arguments(plan: CoursePlan | None, name: str) -> list[str]:
    """Arguments of the command; a plan of None goes on with the course of `name`."""
    if plan is None:
        return ["teach", name, "--json"]
    given = ["--minutes", f"{plan.minutes:g}", "--threads", str(plan.threads)]
    words = ["--licence", plan.licence] if plan.licence else []
    return ["teach", plan.name, *plan.places, *given, *words, "--json"]


def read_progress(line: bytes) -> CourseProgress | None:
    """Progress of a line that the process wrote; None for anything else."""
    try:
        data = json.loads(line)
        return CourseProgress(**{name: data[name] for name in FIELDS & data.keys()})
    except (ValueError, TypeError, AttributeError):
        return None


class TeachProcess(QObject):
    """One course in a process of its own."""

    progressed = Signal(object)
    """CourseProgress."""
    ended = Signal(str)
    """Why it failed, in a sentence; '' where it is done or was stopped."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process = QProcess(self)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.finished.connect(self._finished)
        self._process.errorOccurred.connect(self._failed)
        self._waiting = False

    @property
    def running(self) -> bool:
        return self._process.state() != QProcess.ProcessState.NotRunning

    def start(self, arguments: Sequence[str]) -> None:
        """Start with the arguments of the command."""
        before = [] if FROZEN else [str(MAIN)]
        self._waiting = False
        self._process.start(sys.executable, [*before, *arguments])

    def set_waiting(self, waiting: bool) -> None:
        """Let it wait, or go on."""
        if self.running and waiting != self._waiting:
            self._waiting = waiting
            self._order("pause" if waiting else "go")

    def stop(self) -> None:
        """Let it stop after the step that it is at; it keeps what it has learned."""
        if self.running:
            self._order("stop")

    def close(self) -> None:
        """Stop and wait until it has kept what it learned, but not for long."""
        if self.running:
            self._process.blockSignals(True)
            self.stop()
            self._process.closeWriteChannel()
            if not self._process.waitForFinished(STOP_MS):
                self._process.kill()
                self._process.waitForFinished(1000)

    def _order(self, word: str) -> None:
        self._process.write(f"{word}\n".encode())

    def _read(self) -> None:
        while self._process.canReadLine():
            progress = read_progress(bytes(self._process.readLine().data()))
            if progress is not None:
                self.progressed.emit(progress)

    def _finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._read()
        said = bytes(self._process.readAllStandardError().data()).decode(errors="replace").strip()
        if code == 0 and status == QProcess.ExitStatus.NormalExit:
            self.ended.emit("")
        elif status == QProcess.ExitStatus.CrashExit:
            self.ended.emit("Teaching was ended from outside: press Go on, it has lost a minute.")
        else:
            self.ended.emit(said.splitlines()[-1] if said else "Teaching failed: try again.")

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.ended.emit("Teaching could not be started: is Segue's folder whole?")

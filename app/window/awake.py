"""Keeping the computer awake in stage mode. GUI lane.

Linux: the desktop's screen saver service over D-Bus. macOS: `caffeinate`, bound to this process.
Windows: SetThreadExecutionState. Where none answers the performer is told.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

SERVICE = "org.freedesktop.ScreenSaver"
CONNECTION = "segue-stage"
"""A connection of its own, so that its end is the end of the request."""


class Awake:
    """`begin` keeps awake until `end`; False where that could not be arranged."""

    def __init__(self) -> None:
        self._inhibited = False
        self._process: subprocess.Popen[bytes] | None = None
        self._windows = False

    def begin(self) -> bool:
        if sys.platform == "darwin":
            try:
                self._process = subprocess.Popen(["caffeinate", "-dis", "-w", str(os.getpid())])
            except OSError:
                return False
            return True
        if sys.platform == "win32":
            return self._windows_state(0x80000000 | 0x00000001 | 0x00000002)
        return self._inhibit()

    def end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=2.0)
            self._process = None
        if self._windows:
            self._windows_state(0x80000000)
            self._windows = False
        if self._inhibited:
            # The service lets go of what a connection has asked for when it ends. (UnInhibit
            # takes an unsigned cookie, which PySide cannot send.)
            _disconnect()
            self._inhibited = False

    def _windows_state(self, flags: int) -> bool:
        import ctypes

        windll: Any = getattr(ctypes, "windll", None)
        self._windows = bool(windll and windll.kernel32.SetThreadExecutionState(flags))
        return self._windows

    def _inhibit(self) -> bool:
        saver = _screen_saver()
        if saver is None:
            return False
        reply = saver.call("Inhibit", "Segue", "on stage")
        self._inhibited = not reply.errorName() and bool(reply.arguments())
        if not self._inhibited:
            _disconnect()
        return self._inhibited


def _screen_saver() -> Any:
    """The desktop's screen saver as a D-Bus interface; None where there is none."""
    try:
        from PySide6.QtDBus import QDBusConnection, QDBusInterface
    except ImportError:
        return None
    kind = QDBusConnection.BusType.SessionBus
    bus = QDBusConnection.connectToBus(kind, CONNECTION)
    if not bus.isConnected():
        return None
    interface = QDBusInterface(SERVICE, "/org/freedesktop/ScreenSaver", SERVICE, bus)
    interface.setTimeout(500)
    return interface if interface.isValid() else None


def _disconnect() -> None:
    from PySide6.QtDBus import QDBusConnection

    QDBusConnection.disconnectFromBus(CONNECTION)

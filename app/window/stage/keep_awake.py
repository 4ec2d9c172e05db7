"""Keeps the computer awake in stage mode. Not thread-safe; on Windows to be called in one thread.

Linux: the desktop's screen saver and power services over D-Bus, and the X server's own screen
saver. macOS: `caffeinate`, bound to this process. Windows: SetThreadExecutionState.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from app.window.stage.screen_saver import XScreenSaver

if TYPE_CHECKING:
    from PySide6.QtDBus import QDBusConnection, QDBusPendingCall

SERVICE: Final = "org.freedesktop.ScreenSaver"
SERVICES: Final = (
    (SERVICE, "/org/freedesktop/ScreenSaver"),
    ("org.freedesktop.PowerManagement.Inhibit", "/org/freedesktop/PowerManagement/Inhibit"),
)
"""D-Bus interfaces and paths. KDE has both, GNOME and Cinnamon the first, Xfce the second."""
BUS_NAMES: Final = {"org.freedesktop.PowerManagement.Inhibit": "org.freedesktop.PowerManagement"}
"""Bus names of services that differ from the interface name."""
CONNECTION: Final = "segue-stage"
"""Name of a separate bus connection: closing it ends the request."""
TIMEOUT_MS: Final = 1000
RUNS_IN_THREAD: Final = sys.platform.startswith("linux")
"""Whether `begin` and `end` may block and belong into a thread pool (on Windows both must be called
from one thread that stays alive)."""


class KeepAwake:
    """Inhibits screen saver and sleep from `begin` (False where it is not possible) to `end`."""

    def __init__(self) -> None:
        self._inhibited = False
        self._x = XScreenSaver()
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
        # Both: a desktop may leave the screen to the X server, which does not inhibit sleep.
        desktop, server = self._inhibit(), _on_x11() and self._x.suspend()
        return desktop or server

    def end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=2.0)
            self._process = None
        if self._windows:
            self._windows_state(0x80000000)
            self._windows = False
        self._x.resume()
        if self._inhibited:
            # The service drops the requests of a connection when it closes. (UnInhibit takes an
            # unsigned cookie, which PySide cannot send.)
            _disconnect()
            self._inhibited = False

    def _windows_state(self, flags: int) -> bool:
        import ctypes

        windll = getattr(ctypes, "windll", None)
        self._windows = bool(windll and windll.kernel32.SetThreadExecutionState(flags))
        return self._windows

    def _inhibit(self) -> bool:
        bus = _session_bus()
        if bus is None:
            return False
        calls = [
            _request_inhibit(bus, BUS_NAMES.get(name, name), path, name) for name, path in SERVICES
        ]
        self._inhibited = _any_granted(calls)
        if not self._inhibited:
            _disconnect()
        return self._inhibited


def _on_x11() -> bool:
    from PySide6.QtGui import QGuiApplication

    return QGuiApplication.platformName() == "xcb"


def _session_bus() -> QDBusConnection | None:
    """Connection to the session bus of D-Bus; None where there is none."""
    try:
        from PySide6.QtDBus import QDBusConnection
    except ImportError:
        return None
    bus = QDBusConnection.connectToBus(QDBusConnection.BusType.SessionBus, CONNECTION)
    return bus if bus.isConnected() else None


def _request_inhibit(
    bus: QDBusConnection, name: str, path: str, interface: str
) -> QDBusPendingCall:
    """Start an asynchronous Inhibit call; returns the pending call."""
    from PySide6.QtDBus import QDBusMessage

    message = QDBusMessage.createMethodCall(name, path, interface, "Inhibit")
    message.setArguments(["Segue", "on stage"])
    return bus.asyncCall(message, TIMEOUT_MS)


def _any_granted(calls: Sequence[QDBusPendingCall]) -> bool:
    """Poll for the replies: a blocking wait in Qt would hold the GIL."""
    end = time.monotonic() + 1.5 * TIMEOUT_MS / 1000.0
    while not all(call.isFinished() for call in calls) and time.monotonic() < end:
        time.sleep(0.01)
    return any(call.isFinished() and not call.isError() for call in calls)


def _disconnect() -> None:
    from PySide6.QtDBus import QDBusConnection

    QDBusConnection.disconnectFromBus(CONNECTION)

"""Bridge between the control hub and Qt's event loop: MIDI controllers and OSC.

Threads of ports and sockets call `wake`; the GUI thread then drains the inboxes, at most every few
milliseconds, so that the window is still painted in a flood of messages.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final, Unpack

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.control.hub import ControlHub, HubOptions
from app.control.osc.server import OscServer
from app.control.score.output import ScoreOut
from app.control.settings import ControlSettings
from app.control.transport.sync import TransportSync
from app.parameters.registry import Registry
from models.errors import SegueError

MIN_DRAIN_SECONDS: Final = 0.004
"""Shortest time from one drain to the next, in seconds."""
TICK_MS: Final = 20
SWITCH_SECONDS: Final = 0.001
"""Interpreter switch interval in seconds. Python's default of 5 ms is too long: a message takes the
GIL twice, in the port's thread and in the GUI thread, while the inference thread holds it.
"""


OSC_RETRY_SECONDS: Final = 2.0
"""Seconds until an address that was taken is tried again."""


class ControlBridge(QObject):
    """Runs the hub and the OSC server.

    Signals: `notes_changed` with the held notes, `message` with level and sentence.
    """

    notes_changed = Signal(object)
    message = Signal(str, str)
    ports_changed = Signal()
    offers_changed = Signal()  # see hub.offers
    map_changed = Signal(str)  # port
    learned = Signal(object, object)  # Lesson, Mapping
    _woken = Signal()

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        parent: QObject | None = None,
        *,
        led: Callable[[str], float] = lambda name: 0.0,
        **options: Unpack[HubOptions],
    ) -> None:
        """folder: of settings and maps. led: 0, 0.5 (dim) or 1 for the LED of a trigger."""
        super().__init__(parent)
        self._wake_pending = False
        self._last_drain = 0.0
        # A clock in large blocks takes a while to measure, and this is the window's thread.
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="midi clock")
        self.hub = ControlHub(
            registry, folder, wake=self.wake, led=led, incident=self.message.emit,
            executor=self._executor, **options,
        )  # fmt: skip
        self.hub.notes.on_change = self.notes_changed.emit
        self.hub.on_ports = self.ports_changed.emit
        self.hub.on_offers = self.offers_changed.emit
        self.hub.on_learned = self.learned.emit
        self.hub.on_map = self.map_changed.emit
        self.score: ScoreOut | None = None
        """Sends the notes of the score, where there is one."""
        self.transport = TransportSync(registry, self.message.emit)
        self.osc: OscServer | None = None
        self.osc_fault = ""
        """Why OSC does not listen where it was told to; '' where it does."""
        self.figures: Callable[[], Mapping[str, int]] = dict
        """Figures that OSC tells, such as underruns."""
        self._retry_osc_at = 0.0
        self.ports_changed.connect(self.apply_score)
        self._woken.connect(self._schedule_drain, Qt.ConnectionType.QueuedConnection)
        self._drain_timer = QTimer(self)
        self._drain_timer.setSingleShot(True)
        self._drain_timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._drain_timer.timeout.connect(self._drain)
        self._tick_timer = QTimer(self)
        self._tick_timer.setInterval(TICK_MS)
        self._tick_timer.timeout.connect(self._tick)

    def start(self) -> None:
        """Open MIDI ports, and listen for OSC where the settings say so."""
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))
        self.hub.start()
        self._open_osc(self.hub.settings)
        self.transport.apply(self.hub.settings.transport)
        self._tick_timer.start()

    def stop(self) -> None:
        self._tick_timer.stop()
        self._drain_timer.stop()
        if self.osc is not None:
            self.osc.stop()
            self.osc = None
        self.transport.stop()
        self.hub.stop()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def apply(self, settings: ControlSettings) -> None:
        """Apply new settings and save them. Raises SegueError where they cannot be written."""
        before = self.hub.settings
        where = ("osc", "osc_host", "osc_port")
        changed = any(getattr(before, name) != getattr(settings, name) for name in where)
        if changed and not self._move_osc(before, settings):
            settings = replace(settings, **{name: getattr(before, name) for name in where})
        elif settings.osc and self.osc is None:
            self._open_osc(settings)
        self.hub.apply(settings)
        self.transport.apply(settings.transport)
        self.apply_score()

    def apply_score(self) -> None:
        """Send the score as the settings say, to the ports that there are."""
        if self.score is not None:
            connections = self.hub.connections
            self.score.apply(self.hub.settings.score, connections.api, connections.output_names)

    def _move_osc(self, before: ControlSettings, settings: ControlSettings) -> bool:
        """Listen elsewhere; False where that address is taken and the old one goes on."""
        old, self.osc = self.osc, None
        one_port = before.osc_port == settings.osc_port
        if old is not None and one_port:
            old.stop()  # one port cannot be open on two interfaces of which one is all
        self._open_osc(settings)
        if old is not None and settings.osc and self.osc is None:
            if one_port:
                old.start()
            self.osc = old
            return False
        if old is not None and not one_port:
            old.stop()
        return True

    def _open_osc(self, settings: ControlSettings) -> None:
        """Listen where the settings say; where that fails, `osc_fault` says why."""
        before, self.osc_fault = self.osc_fault, ""
        self._retry_osc_at = time.monotonic() + OSC_RETRY_SECONDS
        if not settings.osc:
            return
        server = OscServer(
            self.hub.registry,
            settings.osc_host,
            settings.osc_port,
            wake=self.wake,
            incident=self.message.emit,
            figures=lambda: self.figures(),
        )
        try:
            server.start()
        except SegueError as error:
            self.osc_fault = str(error)
            if self.osc_fault != before:
                self.message.emit("warning", self.osc_fault)
            return
        self.osc = server
        if not settings.osc_is_local:
            self.message.emit(
                "warning",
                f"OSC listens on {settings.osc_host}, port {server.port}: "
                "whoever reaches it can play.",
            )

    # -- from any thread -------------------------------------------------------------------------
    def wake(self) -> None:
        """A message has arrived. Called from any thread; returns at once."""
        if not self._wake_pending:
            self._wake_pending = True
            self._woken.emit()

    # -- GUI thread --------------------------------------------------------------------------------
    def _schedule_drain(self) -> None:
        late = MIN_DRAIN_SECONDS - (time.monotonic() - self._last_drain)
        if late <= 0:
            self._drain()
        elif not self._drain_timer.isActive():
            self._drain_timer.start(max(round(late * 1000), 1))

    def _drain(self) -> None:
        # Cleared first: a message that arrives during the drain wakes again.
        self._wake_pending = False
        self.hub.drain()
        if self.osc is not None:
            self.osc.drain()
        self._last_drain = time.monotonic()

    def _tick(self) -> None:
        self.hub.tick()
        self.transport.tick()
        if self.osc is not None:
            self.osc.tick()
        elif self.hub.settings.osc and time.monotonic() >= self._retry_osc_at:
            self._open_osc(self.hub.settings)

"""Feedback sent to controllers (LEDs, encoder rings, motor faders), and the outputs it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from app.control.midi.connections import Connections
from app.control.midi.message import Message, encode
from app.control.midi.surface import Surface
from app.control.settings import ControlSettings

RESYNC_DELAYS: Final = (0.0, 0.25, 1.0)
"""Seconds after an output was opened at which all feedback is sent. Several times: JACK drops the
messages of the first cycles, and a device that was just powered may be busy.
"""


class FeedbackSender:
    """Sends feedback of surfaces (by plain port name). on_sent: gets port, message, time."""

    def __init__(
        self,
        surfaces: Mapping[str, Surface],
        connections: Connections,
        on_sent: Callable[[str, Message, float], None],
    ) -> None:
        self.surfaces, self.connections, self._on_sent = surfaces, connections, on_sent
        self._changed: set[str] = set()
        self._resyncs: list[tuple[float, str]] = []

    def changed(self, *targets: str) -> None:
        """Send feedback of these targets at the next `send`."""
        self._changed.update(targets)

    def output_changed(self, key: str, open_: bool, now: float) -> None:
        """An output was opened or closed."""
        self._resyncs = [each for each in self._resyncs if each[1] != key]
        if open_:
            self._resyncs += [(now + later, key) for later in RESYNC_DELAYS]

    def tick(self, now: float) -> None:
        """Send feedback that is due: after an output was opened, and what has changed."""
        if self._resyncs:
            for out in {out for due, out in self._resyncs if due <= now}:
                self._resync_output(out)
            self._resyncs = [each for each in self._resyncs if each[0] > now]
        self.send(now)

    def send(self, now: float) -> None:
        """Send feedback of the targets that have changed."""
        changed, self._changed = self._changed, set()
        for key, surface in self.surfaces.items():
            out = self.output_of(key)
            if out is None or out not in self.connections.required_outputs:
                continue
            for message in surface.feedback(changed, now):
                self.connections.sender.put(out, encode(message))
                self._on_sent(key, message, now)

    def resend(self) -> None:
        """Send all feedback once more, and what a map sends when its controller is opened."""
        for out in self.connections.required_outputs:
            self._resync_output(out)

    def _resync_output(self, out: str) -> None:
        for key, surface in self.surfaces.items():
            if self.output_of(key) == out:
                for data in surface.controller.on_open:
                    self.connections.sender.put(out, data)
                surface.resync()

    def output_of(self, key: str) -> str | None:
        """Output port of an input port: of the same name, or one that the map matches."""
        if key in self.connections.outputs:
            return key
        controller = self.surfaces[key].controller
        return next((out for out in self.connections.outputs if controller.matches_port(out)), None)

    def update_outputs(self, connected: AbstractSet[str], settings: ControlSettings) -> None:
        """Have the outputs opened that controllers or the clock need."""
        required = {settings.clock_port} if settings.clock == "send" else set()
        for key in connected:
            controller = self.surfaces[key].controller
            speaks = any(control.feedback.message != "none" for control in controller.controls)
            out = self.output_of(key) if speaks or controller.on_open else None
            if out is not None:
                required.add(out)
        required -= set(settings.silent)
        if required != self.connections.required_outputs:
            self.connections.required_outputs = frozenset(required)
            self.connections.poll_now()

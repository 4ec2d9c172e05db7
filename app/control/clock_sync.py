"""The clock as a hand on tempo and play, and as something that is sent. GUI lane; pure of Qt.

Joins `ClockFollower` and `ClockSender` to the registry after what the settings say.
"""

from __future__ import annotations

from collections.abc import Callable

from app.control.midi.clock import ClockFollower, ClockSender
from app.control.midi.message import Message, encode
from app.control.settings import ControlSettings
from app.parameters.registry import Change, Registry

SOURCE = "clock"


class ClockSync:
    """send: told port and bytes, from the sender's thread; must not wait for a queue."""

    def __init__(
        self, registry: Registry, settings: ControlSettings, send: Callable[[str, bytes], None]
    ) -> None:
        self._registry, self._settings, self._send = registry, settings, send
        self.follower = ClockFollower()
        self.sender = ClockSender(self._send_clock)
        self.followed = ""
        """The port whose clock is followed now, '' for none."""

    def start(self) -> None:
        if self._settings.clock == "send":
            self.set_sent_tempo()
            self.sender.open()
            if self._registry.get("transport.play"):
                self.sender.start()

    def stop(self) -> None:
        self.sender.close()

    def apply(self, settings: ControlSettings) -> None:
        """New settings: what they do not touch goes on."""
        before = self._settings
        if (settings.clock, settings.clock_port) == (before.clock, before.clock_port):
            self._settings = settings
            return
        self.sender.close()  # its stop still goes to the port that it was sent to
        self._settings = settings
        self.forget()
        self.start()

    def forget(self) -> None:
        """The clock that was followed is no more."""
        self.follower.reset()
        self.followed = ""

    def receive(self, port: str, message: Message, when: float) -> None:
        """A real-time message or song position that came from a port at `when` (seconds)."""
        if self._settings.clock != "follow" or self._settings.clock_port not in ("", port):
            return
        if self.followed != port:
            # Two clocks at once would be nobody's tempo: the first that speaks is followed.
            if self.followed:
                return
            self.forget()
            self.followed = port
        tempo = self.follower.receive(message, when)
        if tempo is not None:
            self._registry.set("tempo", round(tempo, 2), SOURCE)
        if message.kind in ("start", "continue", "stop"):
            self._registry.set("transport.play", message.kind != "stop", SOURCE)

    def lost(self, now: float) -> str:
        """The port whose clock has ceased to come, once; '' while all is well."""
        if not self.followed or not self.follower.lost(now):
            return ""
        port = self.followed
        self.forget()
        return port

    def changed(self, change: Change) -> None:
        """A parameter has changed: those who follow our clock must hear of it."""
        if self._settings.clock != "send":
            return
        if change.name == "tempo":
            self.set_sent_tempo()
        elif change.name == "transport.play":
            if change.value:
                self.sender.start()
            else:
                self.sender.stop()

    def set_sent_tempo(self, model: float | None = None) -> None:
        """The tempo that is set, or where that is auto the one that the model plays."""
        if self._registry.get("tempo") is not None:
            self.sender.set_tempo(self._registry.number("tempo"))
        elif model is not None:
            self.sender.set_tempo(model)

    def _send_clock(self, message: Message) -> None:
        if self._settings.clock_port:
            self._send(self._settings.clock_port, encode(message))

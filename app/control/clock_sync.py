"""MIDI clock synchronisation: tempo and play follow a clock, or are sent as one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

from app.control.midi.clock.follower import ClockFollower
from app.control.midi.clock.sender import ClockSender
from app.control.midi.message import Message, encode
from app.control.settings import ControlSettings
from app.parameters.registry import Change, Registry

SOURCE = "clock"


class ClockSync:
    """Connects `ClockFollower` and `ClockSender` to the registry as the settings say.

    send: receives port and bytes in the sender's thread; must not block. executor: where a followed
    clock is measured; None measures it at once.
    """

    def __init__(
        self,
        registry: Registry,
        settings: ControlSettings,
        send: Callable[[str, bytes], None],
        executor: Executor | None = None,
    ) -> None:
        self._registry, self._settings, self._send = registry, settings, send
        self.follower = ClockFollower(executor)
        self.sender = ClockSender(self._send_clock)
        self.followed = ""
        """Port whose clock is followed now, '' for none."""

    def start(self) -> None:
        if self._settings.clock == "send":
            self.set_sent_tempo()
            self.sender.open()
            if self._registry.get("transport.play"):
                self.sender.start()

    def stop(self) -> None:
        self.sender.close()

    def apply(self, settings: ControlSettings) -> None:
        """Apply new settings; restarts only what they change."""
        before = self._settings
        if (settings.clock, settings.clock_port) == (before.clock, before.clock_port):
            self._settings = settings
            return
        self.sender.close()  # its stop message still goes to the old port
        self._settings = settings
        self.forget()
        self.start()

    def forget(self) -> None:
        """Stop following the present clock."""
        self.follower.reset()
        self.followed = ""

    def receive(self, port: str, message: Message, when: float) -> None:
        """Handle a real-time message or song position that arrived at `when` (seconds)."""
        if self._settings.clock != "follow" or self._settings.clock_port not in ("", port):
            return
        if self.followed != port:
            # With two clocks at once, the one that came first is followed.
            if self.followed:
                return
            self.forget()
            self.followed = port
        self._follow(self.follower.receive(message, when))
        if message.kind in ("start", "continue", "stop"):
            self._registry.set("transport.play", message.kind != "stop", SOURCE)

    def poll(self) -> None:
        """Follow a tempo that has been measured meanwhile. Fifty times a second."""
        if self.followed:
            self._follow(self.follower.poll())

    def _follow(self, tempo: float | None) -> None:
        if tempo is not None:
            self._registry.set("tempo", round(tempo, 2), SOURCE)

    def lost(self, now: float) -> str:
        """Port whose clock has timed out, reported once; '' while it runs."""
        if not self.followed or not self.follower.lost(now):
            return ""
        port = self.followed
        self.forget()
        return port

    def changed(self, change: Change) -> None:
        """Send a change of tempo or play to those who follow this clock."""
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
        """Send the tempo that is set, or the model's tempo where it is on auto."""
        if self._registry.get("tempo") is not None:
            self.sender.set_tempo(self._registry.number("tempo"))
        elif model is not None:
            self.sender.set_tempo(model)

    def _send_clock(self, message: Message) -> None:
        if self._settings.clock_port:
            self._send(self._settings.clock_port, encode(message))

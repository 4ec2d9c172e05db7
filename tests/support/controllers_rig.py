"""Window with controllers on in-memory ports and a fake player."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.control.midi.mapping import ControllerElement, ControllerMap, Mapping
from app.control.settings import ControlSettings
from app.session.session import Session
from app.window.controllers.controllers_window import ControllersWindow
from app.window.controllers.wiring import align_clock, open_bridge, open_coordinator
from app.window.main_window import MainWindow
from tests.support.fake_player import fake_player
from tests.support.midi_device import MemoryBackend

KEYS = "Small Keys:Small Keys MIDI 1 24:0"
KEYS_PORT = "Small Keys MIDI 1"
MIX = "MIDI Mix:MIDI Mix MIDI 1 20:0"
MIX_PORT = "MIDI Mix MIDI 1"


class ControllersRig:
    """OSC is off unless a test wants it: the port may be somebody else's."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        player, self.worker, self.output, _, _ = fake_player()
        self.session = Session()
        self.registry = self.session.registry
        self.window = MainWindow(self.session, player, folder)
        self.window.show()
        self.worker.ready()
        while len(self.session.prompts) < 8:
            self.session.prompts.add(f"prompt {len(self.session.prompts) + 1}")
        self.backend = MemoryBackend()
        self.bridge = open_bridge(
            self.window,
            folder,
            settings=ControlSettings(osc=False),
            open_backend=lambda api: self.backend,
            list_apis=lambda: ["MEMORY"],
        )
        self.hub = self.bridge.hub
        self.coordinator = open_coordinator(self.window, self.bridge)
        self.alignment = align_clock(self.window, self.bridge)
        self.overlay, self.panel = self.coordinator.overlay, self.coordinator.panel
        self.qtbot = qtbot

    def close(self) -> None:
        self.alignment.stop()
        self.coordinator.stop()
        self.bridge.stop()
        self.window.shut()
        self.window.deleteLater()

    def plug(self, *names: str) -> None:
        self.backend.names = list(names)
        self.hub.connections.poll_now()
        self.qtbot.waitUntil(lambda: len(self.hub.connected) == len(names), timeout=5000)

    def controllers(self, page: str = "") -> ControllersWindow:
        self.window.controllers_requested.emit(page)
        assert self.coordinator.controllers is not None
        return self.coordinator.controllers

    def controllers_shown(self) -> bool:
        return self.coordinator.controllers is not None and self.coordinator.controllers.isVisible()

    def click(self, target: str, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
        """On a lit control."""
        zone = self.overlay.zone_of(target)
        assert zone is not None, f"{target} is not lit"
        nothing = Qt.KeyboardModifier.NoModifier
        QTest.mouseClick(self.overlay, button, nothing, zone.box.center())

    def turn(self, number: int, port: str = KEYS, channel: int = 1) -> None:
        """A knob, a third of its way."""
        for value in range(20, 68, 3):
            self.backend.play(port, 0xB0 + channel - 1, number, value)

    def hit(self, number: int, port: str = KEYS, channel: int = 10) -> None:
        """A pad, and off it."""
        self.backend.play(port, 0x90 + channel - 1, number, 93)
        self.backend.play(port, 0x80 + channel - 1, number, 0)

    def controller(self, port: str = KEYS_PORT) -> ControllerMap:
        return self.hub.surfaces[port].controller

    def mapping_of(self, target: str, port: str = KEYS_PORT) -> tuple[Mapping, ControllerElement]:
        """The one mapping that moves a target, and its control."""
        found = self.controller(port).mappings_of(target)
        assert len(found) == 1, f"{target}: {found}"
        return found[0], self.controller(port).control(found[0].control)

    def until_mapped(self, target: str) -> None:
        self.qtbot.waitUntil(lambda: target in self.hub.mapped_targets(), timeout=5000)

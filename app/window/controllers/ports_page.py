"""The page of MIDI ports: which are played from, which are told, and through what API. GUI lane."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from PySide6.QtCore import QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.control.bridge import ControlBridge
from app.control.midi.rtmidi_ports import LABELS, available
from app.window.controllers import form_style as look
from app.window.controllers.cards import ActivityIndicator, Plate
from app.window.controllers.settings_page import SettingsPage
from app.window.style import colours, theme

LOOK_MS: Final = 60
GLOW: Final = 0.15
"""Seconds that a lamp stays lit after a message."""
WIDEST: Final = 1080


class PortsPage(SettingsPage):
    """A plate for each port, with a lamp that tells when it is heard; a tick acts at once."""

    def __init__(self, bridge: ControlBridge, parent: QWidget | None = None) -> None:
        super().__init__(bridge, parent)
        self.boxes: dict[tuple[str, str], QCheckBox] = {}
        self.lamps: dict[str, ActivityIndicator] = {}
        self._drawn: object = None
        self.api = QComboBox(self)
        self.api.addItem("the system's own", "auto")
        for api in available():
            self.api.addItem(LABELS[api], api)
        self.api.setCurrentIndex(max(self.api.findData(self.hub.settings.api), 0))
        self.api.activated.connect(self._set_api)
        self.now = look.quiet(parent=self)
        line = QHBoxLayout()
        line.addWidget(QLabel("MIDI through", self))
        line.addWidget(self.api)
        line.addWidget(self.now, 1)
        self.list = QWidget(self)
        self.list.setObjectName("list")
        self.rows = QVBoxLayout(self.list)
        self.rows.setContentsMargins(0, 0, 12, 0)
        self.rows.setSpacing(10)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setWidget(self.list)
        area.viewport().setAutoFillBackground(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        column.addWidget(look.heading("MIDI ports", self))
        column.addWidget(
            look.quiet(
                "All inputs play at once. A controller that is unplugged comes back by itself "
                "with its map and its lamps. Outputs are opened where there are lamps to light.",
                self,
            )
        )
        column.addLayout(line)
        column.addWidget(area, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        bridge.ports_changed.connect(self.refresh)
        bridge.offers_changed.connect(self.refresh)
        bridge.map_changed.connect(lambda _: self.refresh())
        self.refresh()

    def refresh(self) -> None:
        """Ports have come or gone."""
        connections, settings = self.hub.connections, self.hub.settings
        api = connections.api
        self.now.setText(f"{LABELS.get(api, api)} is in use." if api else "No MIDI system answers.")
        known = {*self.hub.surfaces, *settings.ignored, *settings.silent, *settings.maps}
        known |= {*connections.inputs, *connections.outputs}
        state = (connections.inputs, connections.outputs, settings,
                 tuple((key, self.state_of(key)) for key in sorted(known)))  # fmt: skip
        if state == self._drawn:
            return
        self._drawn = state
        while self.rows.count():
            item = self.rows.takeAt(0)
            widget = None if item is None else item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.boxes, self.lamps = {}, {}
        for key in sorted(known):
            self.rows.addWidget(self._row(key))
        if not known:
            self.rows.addWidget(
                look.quiet("No port yet. Plug a controller in: it is found by itself.", self.list)
            )
        self.rows.addStretch(1)
        self.look()

    def _row(self, key: str) -> QWidget:
        connections, settings = self.hub.connections, self.hub.settings
        plate = Plate(self.list)
        plate.setMaximumWidth(WIDEST)
        there_in, there_out = key in connections.inputs, key in connections.outputs
        name = QLabel(key, plate)
        name.setFont(theme.bold(16))
        if not (there_in or there_out):
            name.setStyleSheet(f"color: {colours.FAINT}")
        listen = QCheckBox("Play from it", plate)
        listen.setChecked(key not in settings.ignored)
        listen.setEnabled(there_in or key in settings.ignored or key in self.hub.surfaces)
        listen.toggled.connect(partial(self._listen, key))
        tell = QCheckBox("Light its lamps", plate)
        tell.setChecked(key not in settings.silent)
        tell.setEnabled(there_out or key in settings.silent)
        tell.toggled.connect(partial(self._tell, key))
        self.boxes["in", key], self.boxes["out", key] = listen, tell
        self.lamps[key] = ActivityIndicator(plate)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(name)
        words.addWidget(look.quiet(self.state_of(key), plate))
        row = QHBoxLayout(plate)
        row.setContentsMargins(18, 12, 18, 12)
        row.setSpacing(14)
        row.addWidget(self.lamps[key])
        row.addLayout(words, 1)
        row.addWidget(listen)
        row.addSpacing(10)
        row.addWidget(tell)
        return plate

    def state_of(self, key: str) -> str:
        """What a port does, and with which map."""
        connections = self.hub.connections
        there = key in connections.inputs or key in connections.outputs
        if key in self.hub.connected:
            words = "Plays"
        elif key in self.hub.settings.ignored:
            words = "Left alone"
        else:
            words = "Waits" if there else "Not connected"
        surface = self.hub.surfaces.get(key)
        if surface is None:
            return f"{words}."
        if key in self.hub.offers:
            return f"{words}, and waits for an answer: there is a map for it."
        many = len(surface.controller.mappings)
        name = surface.controller.name
        title = "a map of its own" if name == key else f"the map {name}"
        return f"{words}, with {title}: {many} mapping{'' if many == 1 else 's'}."

    def look(self) -> None:
        """Which ports have just been heard."""
        now, heard = time.monotonic(), set[str]()
        for each in reversed(self.hub.monitor):
            if now - each.when > GLOW:
                break
            if not each.out:
                heard.add(each.port)
        for key, lamp in self.lamps.items():
            lamp.show_state(key in heard, key in self.hub.connected)

    def showEvent(self, event: QShowEvent) -> None:
        self._timer.start()
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()

    # -- hand --------------------------------------------------------------------------------------
    def _listen(self, key: str, on: bool) -> None:
        ignored = set(self.hub.settings.ignored)
        (ignored.discard if on else ignored.add)(key)
        self.change(ignored=tuple(sorted(ignored)))

    def _tell(self, key: str, on: bool) -> None:
        silent = set(self.hub.settings.silent)
        (silent.discard if on else silent.add)(key)
        self.change(silent=tuple(sorted(silent)))

    def _set_api(self) -> None:
        self.change(api=self.api.currentData())

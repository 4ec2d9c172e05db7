"""MIDI ports page: which inputs play, which outputs get feedback, and the MIDI system."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

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
from app.window.controllers import form_style as forms
from app.window.controllers.pages.cards import ActivityIndicator, Card
from app.window.controllers.pages.settings_page import SettingsPage
from app.window.style import colours, theme

POLL_MS: Final = 60
GLOW: Final = 0.15
"""Seconds that an indicator stays lit after a message."""
MAX_WIDTH: Final = 1080


class PortsPage(SettingsPage):
    """Card for each port, with an activity indicator. Check boxes act at once."""

    def __init__(self, bridge: ControlBridge, parent: QWidget | None = None) -> None:
        super().__init__(bridge, POLL_MS, parent)
        self.boxes: dict[tuple[str, str], QCheckBox] = {}
        self.indicators: dict[str, ActivityIndicator] = {}
        self._drawn: object = None
        self.api = QComboBox(self)
        self.api.addItem("automatic", "auto")
        for api in available():
            self.api.addItem(LABELS[api], api)
        self.api.setCurrentIndex(max(self.api.findData(self.hub.settings.api), 0))
        self.api.activated.connect(self._set_api)
        self.now = forms.quiet(parent=self)
        line = QHBoxLayout()
        line.addWidget(QLabel("MIDI system", self))
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
        column = forms.lay_out(QVBoxLayout(self), 14)
        column.addWidget(forms.heading("MIDI ports", self))
        column.addWidget(
            forms.quiet(
                "All inputs play at once. A controller that is unplugged comes back by itself "
                "with its map. Outputs are opened for feedback: LEDs, rings and motor faders.",
                self,
            )
        )
        column.addLayout(line)
        column.addWidget(area, 1)
        bridge.ports_changed.connect(self.refresh)
        bridge.offers_changed.connect(self.refresh)
        bridge.map_changed.connect(lambda _: self.refresh())
        self.refresh()

    def refresh(self) -> None:
        """Show the ports as they are now."""
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
        self.boxes, self.indicators = {}, {}
        for key in sorted(known):
            self.rows.addWidget(self._row(key))
        if not known:
            self.rows.addWidget(
                forms.quiet("No port yet. Plug a controller in: it is found by itself.", self.list)
            )
        self.rows.addStretch(1)
        self.poll()

    def _row(self, key: str) -> QWidget:
        connections, settings = self.hub.connections, self.hub.settings
        plate = Card(self.list)
        plate.setMaximumWidth(MAX_WIDTH)
        there_in, there_out = key in connections.inputs, key in connections.outputs
        name = QLabel(key, plate)
        name.setFont(theme.bold(16))
        if not (there_in or there_out):
            name.setStyleSheet(f"color: {colours.FAINT}")
        listen = QCheckBox("Play from it", plate)
        listen.setChecked(key not in settings.ignored)
        listen.setEnabled(there_in or key in settings.ignored or key in self.hub.surfaces)
        listen.toggled.connect(partial(self._set_listening, key))
        feedback = QCheckBox("Send feedback", plate)
        feedback.setChecked(key not in settings.silent)
        feedback.setEnabled(there_out or key in settings.silent)
        feedback.toggled.connect(partial(self._set_feedback, key))
        self.boxes["in", key], self.boxes["out", key] = listen, feedback
        self.indicators[key] = ActivityIndicator(plate)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(name)
        words.addWidget(forms.quiet(self.state_of(key), plate))
        row = QHBoxLayout(plate)
        row.setContentsMargins(18, 12, 18, 12)
        row.setSpacing(14)
        row.addWidget(self.indicators[key])
        row.addLayout(words, 1)
        row.addWidget(listen)
        row.addSpacing(10)
        row.addWidget(feedback)
        return plate

    def state_of(self, key: str) -> str:
        """State of a port and its map."""
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

    def poll(self) -> None:
        """Light the indicators of ports that have just sent."""
        now, active = time.monotonic(), set[str]()
        for each in reversed(self.hub.monitor):
            if now - each.when > GLOW:
                break
            if not each.out:
                active.add(each.port)
        for key, indicator in self.indicators.items():
            indicator.show_state(key in active, key in self.hub.connected)

    # -- input ----------------------------------------------------------------------------------
    def _set_listening(self, key: str, on: bool) -> None:
        ignored = set(self.hub.settings.ignored)
        (ignored.discard if on else ignored.add)(key)
        self.change(ignored=tuple(sorted(ignored)))

    def _set_feedback(self, key: str, on: bool) -> None:
        silent = set(self.hub.settings.silent)
        (silent.discard if on else silent.add)(key)
        self.change(silent=tuple(sorted(silent)))

    def _set_api(self) -> None:
        self.change(api=self.api.currentData())

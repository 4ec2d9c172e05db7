"""The page of MIDI ports: which are played from, which are told, and through what API. GUI lane."""

from __future__ import annotations

from functools import partial

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.control.bridge import ControlBridge
from app.control.midi.rtmidi_ports import LABELS, available
from app.window import colours, theme
from app.window.surfaces import look
from app.window.surfaces.settings_page import SettingsPage


class PortsPage(SettingsPage):
    """A row for each port; a tick that is set acts at once."""

    def __init__(self, bridge: ControlBridge, parent: QWidget | None = None) -> None:
        super().__init__(bridge, parent)
        self.boxes: dict[tuple[str, str], QCheckBox] = {}
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
        self.grid = QGridLayout(self.list)
        self.grid.setContentsMargins(0, 0, 12, 0)
        self.grid.setHorizontalSpacing(22)
        self.grid.setVerticalSpacing(16)
        self.grid.setColumnStretch(0, 1)
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
        bridge.ports_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Ports have come or gone."""
        connections, settings = self.hub.connections, self.hub.settings
        api = connections.api
        self.now.setText(f"{LABELS.get(api, api)} is in use." if api else "No MIDI system answers.")
        known = {*self.hub.surfaces, *settings.ignored, *settings.silent, *settings.maps}
        known |= {*connections.inputs, *connections.outputs}
        state = (tuple(sorted(known)), connections.inputs, connections.outputs, settings,
                 tuple(sorted(self.hub.connected)))  # fmt: skip
        if state == self._drawn:
            return
        self._drawn = state
        while self.grid.count():
            item = self.grid.takeAt(0)
            widget = None if item is None else item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self.boxes = {}
        for column, words in enumerate(("Port", "Play from it", "Light its lamps", "")):
            label = look.quiet(words, self.list)
            self.grid.addWidget(label, 0, column)
        for row, key in enumerate(sorted(known), 1):
            self._add_row(row, key)
        if not known:
            self.grid.addWidget(
                look.quiet("No port yet. Plug a controller in: it is found by itself.", self.list),
                1, 0,
            )  # fmt: skip
        self.grid.setRowStretch(len(known) + 2, 1)

    def _add_row(self, row: int, key: str) -> None:
        connections, settings = self.hub.connections, self.hub.settings
        name = QLabel(key, self.list)
        name.setFont(theme.bold(15))
        there_in, there_out = key in connections.inputs, key in connections.outputs
        if not (there_in or there_out):
            name.setStyleSheet(f"color: {colours.FAINT}")
        self.grid.addWidget(name, row, 0)
        listen = QCheckBox(self.list)
        listen.setChecked(key not in settings.ignored)
        listen.setEnabled(there_in or key in settings.ignored or key in self.hub.surfaces)
        listen.toggled.connect(partial(self._listen, key))
        tell = QCheckBox(self.list)
        tell.setChecked(key not in settings.silent)
        tell.setEnabled(there_out or key in settings.silent)
        tell.toggled.connect(partial(self._tell, key))
        self.boxes["in", key], self.boxes["out", key] = listen, tell
        self.grid.addWidget(listen, row, 1)
        self.grid.addWidget(tell, row, 2)
        if key in self.hub.connected:
            words = "plays"
        elif key in settings.ignored:
            words = "left alone"
        else:
            words = "waits" if there_in or there_out else "not connected"
        self.grid.addWidget(look.quiet(words, self.list), row, 3)

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

"""Notes page: the notes of the parts, sent to other instruments over MIDI."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.audio.score_port import CLIENT
from app.control.bridge import ControlBridge
from app.control.score.messages import PartRoute
from app.control.score.settings import MAX_DELAY_MS, ScoreSettings
from app.window.controllers import form_style as forms
from app.window.controllers.pages.cards import Card
from app.window.controllers.pages.settings_page import SettingsPage
from app.window.style import theme
from models.music.score import PARTS

POLL_MS: Final = 500
MAX_WIDTH: Final = 1080
OWN_PORT: Final = f"{CLIENT} (own port)"


class ScorePage(SettingsPage):
    """Table of the parts with port and channel. All of it acts at once."""

    def __init__(self, bridge: ControlBridge, parent: QWidget | None = None) -> None:
        super().__init__(bridge, POLL_MS, parent)
        column = forms.lay_out(QVBoxLayout(self), 14)
        column.addWidget(forms.heading("Notes to MIDI", self))
        column.addWidget(
            forms.quiet(
                "Other instruments play Segue's parts, in time with the sound. A part that is "
                "muted in its strip goes on sending: it then sounds outside alone.",
                self,
            )
        )
        self.on = QCheckBox("Send the notes that are heard", self)
        self.on.setFont(theme.bold(16))
        self.on.toggled.connect(lambda on: self._set(replace(self._score, on=on)))
        column.addWidget(self.on)
        plate = Card(self)
        plate.setMaximumWidth(MAX_WIDTH)
        grid = QGridLayout(plate)
        grid.setContentsMargins(24, 18, 24, 18)
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(10)
        for place, words in enumerate(("Part", "To", "Channel")):
            grid.addWidget(forms.quiet(words, plate), 0, place)
        grid.setColumnStretch(1, 1)
        self.parts: dict[str, QCheckBox] = {}
        self.ports: dict[str, QComboBox] = {}
        self.channels: dict[str, QSpinBox] = {}
        for row, part in enumerate(PARTS, 1):
            self._add_row(part, row, grid, plate)
        column.addWidget(plate)
        self.programs = QCheckBox("Send the instruments as General MIDI programs", self)
        self.programs.toggled.connect(lambda on: self._set(replace(self._score, programs=on)))
        column.addWidget(self.programs)
        self.clock = QCheckBox("Send MIDI clock, with the song's position, to", self)
        self.clock.setToolTip("A DAW or a drum machine follows Segue's tempo, start and stop")
        self.clock.toggled.connect(lambda on: self._set(replace(self._score, clock=on)))
        self.clock_port = QComboBox(self)
        self.clock_port.setAccessibleName("Port of the clock")
        self.clock_port.activated.connect(
            lambda _: self._set(replace(self._score, clock_port=self.clock_port.currentData()))
        )
        clock = QHBoxLayout()
        clock.addWidget(self.clock)
        clock.addWidget(self.clock_port)
        clock.addStretch(1)
        column.addLayout(clock)
        self.delay = QDoubleSpinBox(self)
        self.delay.setRange(-MAX_DELAY_MS, MAX_DELAY_MS)
        self.delay.setDecimals(1)
        self.delay.setSuffix(" ms")
        self.delay.setAccessibleName("Delay of the notes")
        self.delay.setKeyboardTracking(False)
        self.delay.valueChanged.connect(
            lambda value: self._set(replace(self._score, delay_ms=value))
        )
        line = QHBoxLayout()
        line.addWidget(QLabel("Later than the sound by", self))
        line.addWidget(self.delay)
        line.addStretch(1)
        column.addLayout(line)
        self.state = forms.quiet(parent=self)
        column.addWidget(self.state)
        column.addStretch(1)
        bridge.ports_changed.connect(self.refresh)
        self.refresh()

    def _add_row(self, part: str, row: int, grid: QGridLayout, plate: QWidget) -> None:
        on = QCheckBox(part.capitalize(), plate)
        on.setFont(theme.bold(15))
        on.toggled.connect(lambda on: self._set_route(part, lambda route: replace(route, on=on)))
        port = QComboBox(plate)
        port.setAccessibleName(f"Port of the {part}")
        port.activated.connect(
            lambda _: self._set_route(part, lambda route: replace(route, port=port.currentData()))
        )
        channel = QSpinBox(plate)
        channel.setRange(1, 16)
        channel.setKeyboardTracking(False)
        channel.setAccessibleName(f"Channel of the {part}")
        channel.valueChanged.connect(
            lambda value: self._set_route(part, lambda route: replace(route, channel=value))
        )
        self.parts[part], self.ports[part], self.channels[part] = on, port, channel
        for place, widget in enumerate((on, port, channel)):
            grid.addWidget(widget, row, place, Qt.AlignmentFlag.AlignVCenter)

    def refresh(self) -> None:
        """Show settings and ports as they are now."""
        score = self._score
        widgets = [self.on, self.programs, self.delay, self.clock, self.clock_port,
                   *self.parts.values(),
                   *self.ports.values(), *self.channels.values()]  # fmt: skip
        for widget in widgets:
            widget.blockSignals(True)
        self.on.setChecked(score.on)
        self.programs.setChecked(score.programs)
        self.delay.setValue(score.delay_ms)
        self.clock.setChecked(score.clock)
        there = self.hub.connections.outputs
        for part, route in score.routes.items():
            self.parts[part].setChecked(route.on)
            self.channels[part].setValue(route.channel)
            _fill(self.ports[part], there, route.port)
        _fill(self.clock_port, there, score.clock_port)
        for widget in widgets:
            widget.blockSignals(False)
        self.poll()

    def poll(self) -> None:
        """Show whether there is a MIDI system."""
        score = self._score
        if not (score.on or score.clock):
            words = "Off: no port is open."
        elif not self.hub.connections.api:
            words = "No MIDI system answers."
        elif "" in score.ports:
            words = f"Connect an instrument to the port '{CLIENT}'."
        else:
            words = "On."
        self.state.setText(words)

    def _set(self, score: ScoreSettings) -> None:
        self.change(score=score)

    def _set_route(self, part: str, change: Callable[[PartRoute], PartRoute]) -> None:
        score = self._score
        routes = score.routes | {part: change(score.routes[part])}
        self._set(replace(score, routes=routes))

    @property
    def _score(self) -> ScoreSettings:
        return self.hub.settings.score


def _fill(box: QComboBox, there: Iterable[str], chosen: str) -> None:
    """List the ports that there are, and the chosen one."""
    box.clear()
    box.addItem(OWN_PORT, "")
    for key in there:
        box.addItem(key, key)
    if chosen and box.findData(chosen) < 0:
        box.addItem(f"{chosen} (not connected)", chosen)
    box.setCurrentIndex(max(box.findData(chosen), 0))

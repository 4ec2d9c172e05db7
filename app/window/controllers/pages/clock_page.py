"""MIDI clock page: follow or send a clock, and the measured tempo."""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from app.control.bridge import ControlBridge
from app.control.midi.clock.follower import SURE_DOUBT
from app.window.controllers import form_style as forms
from app.window.controllers.pages.cards import BEATS, BeatIndicators, Card, ChoiceCard
from app.window.controllers.pages.settings_page import SettingsPage
from app.window.style import colours, theme

MODES: Final = (
    ("off", "Off", "Tempo and play are set here, or left to the model."),
    ("follow", "Follow", "Tempo, start, stop and song position come from another machine."),
    ("send", "Send", "Others follow Segue: its tempo, its beats, its play and pause."),
)
TRANSPORTS: Final = (
    ("off", "Alone"),
    ("jack_follow", "Follow JACK's transport"),
    ("jack_lead", "Lead JACK's transport"),
    ("link", "Ableton Link"),
)
POLL_MS: Final = 50
"""Often enough for the beat indicators; only changes are painted."""
MAX_WIDTH: Final = 1080


class ClockPage(SettingsPage):
    """MIDI clock settings, which act at once, and the tempo in large type."""

    def __init__(self, bridge: ControlBridge, parent: QWidget | None = None) -> None:
        super().__init__(bridge, POLL_MS, parent)
        self.modes: dict[str, ChoiceCard] = {}
        self._group = QButtonGroup(self)
        column = forms.lay_out(QVBoxLayout(self), 12)
        column.addWidget(forms.heading("MIDI clock", self))
        cards = QHBoxLayout()
        cards.setSpacing(12)
        for mode, words, more in MODES:
            card = ChoiceCard(words, more, self)
            card.clicked.connect(self._set_mode)
            card.setMaximumWidth(MAX_WIDTH // len(MODES))
            self.modes[mode] = card
            self._group.addButton(card)
            cards.addWidget(card, 1)
        cards.addStretch(0)
        column.addLayout(cards)
        plate = Card(self)
        plate.setMaximumWidth(MAX_WIDTH + 24)
        self.port = QComboBox(plate)
        self.port.setMinimumWidth(300)
        self.port.activated.connect(self._set_port)
        self.port_label = QLabel(plate)
        self.tempo = QLabel(plate)
        self.tempo.setFont(theme.bold(64))
        self.beats = BeatIndicators(plate)
        self.state = forms.quiet(parent=plate)
        self.state.setFont(theme.font(14))
        line = QHBoxLayout()
        line.setSpacing(10)
        line.addWidget(self.port_label)
        line.addWidget(self.port)
        line.addStretch(1)
        large = QHBoxLayout()
        large.addWidget(self.tempo)
        large.addStretch(1)
        large.addWidget(self.beats)
        inner = QVBoxLayout(plate)
        inner.setContentsMargins(24, 18, 24, 18)
        inner.setSpacing(6)
        inner.addLayout(line)
        inner.addLayout(large)
        inner.addWidget(self.state)
        column.addWidget(plate)
        column.addWidget(forms.heading("Transport", self))
        shared = Card(self)
        shared.setMaximumWidth(MAX_WIDTH + 24)
        self.transport = QComboBox(shared)
        self.transport.setMinimumWidth(300)
        for mode, words in TRANSPORTS:
            self.transport.addItem(words, mode)
        self.transport.activated.connect(self._set_transport)
        self.transport_state = forms.quiet(parent=shared)
        self.transport_state.setFont(theme.font(14))
        row = QHBoxLayout(shared)
        row.setContentsMargins(24, 14, 24, 14)
        row.setSpacing(14)
        row.addWidget(self.transport)
        row.addWidget(self.transport_state, 1)
        column.addWidget(shared)
        column.addStretch(1)
        column.addWidget(
            forms.quiet(
                "Ableton Link is not built in: its library's licence is the GPL, which does not "
                "go with Segue's. Where you have installed LinkPython yourself, it is used, in a "
                "process of its own.",
                self,
            )
        )
        bridge.ports_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the settings and the ports that there are."""
        settings = self.hub.settings
        self.modes[settings.clock].setChecked(True)
        sends = settings.clock == "send"
        self.port_label.setText("To" if sends else "From")
        there = self.hub.connections.outputs if sends else self.hub.connections.inputs
        self.port.clear()
        self.port.addItem("choose a port" if sends else "whichever speaks first", "")
        for key in there:
            self.port.addItem(key, key)
        if settings.clock_port and settings.clock_port not in there:
            self.port.addItem(f"{settings.clock_port} (not connected)", settings.clock_port)
        self.port.setCurrentIndex(max(self.port.findData(settings.clock_port), 0))
        for widget in (self.port, self.port_label):
            widget.setVisible(settings.clock != "off")
        self.transport.setCurrentIndex(self.transport.findData(settings.transport))
        self.poll()

    def poll(self) -> None:
        """Show the tempo and the position."""
        if self.bridge.transport.state != self.transport_state.text():
            self.transport_state.setText(self.bridge.transport.state)
        tempo, words = self.tempo_text()
        follower = self.hub.clock.follower
        follows = self.hub.settings.clock == "follow"
        self.beats.setVisible(follows)
        running = follows and bool(self.hub.clock.followed) and follower.running
        self.beats.show_beat(int(follower.position) % BEATS if running else None)
        if tempo != self.tempo.text():
            self.tempo.setText(tempo)
            ink = colours.LINE if tempo.startswith("–") else colours.TEXT
            self.tempo.setStyleSheet(f"color: {ink}")
        if words != self.state.text():
            self.state.setText(words)

    def tempo_text(self) -> tuple[str, str]:
        """Tempo and its origin, as displayed."""
        settings, clock = self.hub.settings, self.hub.clock
        if settings.clock == "off":
            tempo = self.hub.registry.get("tempo")
            if tempo is None:
                return "auto", "The model chooses the tempo."
            return f"{tempo:.1f} bpm", "Set in the window, or by a controller."
        if settings.clock == "send":
            if not settings.clock_port:
                return "– bpm", "Choose the port that the clock shall go to."
            runs = "playing" if self.hub.registry.get("transport.play") else "paused"
            return f"{clock.sender.bpm:.1f} bpm", f"Sent to {settings.clock_port}, {runs}."
        if not clock.followed:
            return "– bpm", "No clock comes in yet. Start it at the other machine."
        measured = clock.follower.tempo
        runs = "running" if clock.follower.running else "stopped"
        bar, beat = divmod(int(clock.follower.position), 4)
        words = f"From {clock.followed}, {runs}, bar {bar + 1}, beat {beat + 1}."
        if clock.follower.arrival:
            known = "" if measured is None else f", {measured:.1f} bpm"
            # Blocks of a whole number of clocks look alike at more than one tempo for a while.
            if measured is not None and clock.follower.doubt > SURE_DOUBT:
                known += f", give or take {2 * clock.follower.doubt:.1f}"
            words += f" Comes in: {clock.follower.arrival}{known}."
        return ("… bpm" if measured is None else f"{measured:.1f} bpm"), words

    # -- input ----------------------------------------------------------------------------------
    def _set_mode(self) -> None:
        mode = next(mode for mode, button in self.modes.items() if button.isChecked())
        if mode != self.hub.settings.clock:
            # The input that is followed is not the output to send to.
            self.change(clock=mode, clock_port="")

    def _set_transport(self) -> None:
        self.change(transport=self.transport.currentData())

    def _set_port(self) -> None:
        self.change(clock_port=self.port.currentData())

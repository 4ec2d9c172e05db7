"""Settings of the audio input: device, channels, low-cut, and the loopback test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)

from app.audio.input.loopback import RoundTrip
from app.audio.input.settings import LOW_CUTS, MAX_CHANNEL
from app.audio.settings import AudioDevice
from app.session.preferences import DEFAULT_INPUT, Preferences, round_trip_key


class InputForm(QWidget):
    """Rows of the settings dialog for what comes in."""

    measure_requested = Signal()

    def __init__(self, preferences: Preferences, parent: QWidget) -> None:
        super().__init__(parent)
        self._initial = preferences
        self._trips = dict(preferences.round_trips)
        self.device = QComboBox(self)
        self.device.setToolTip(
            "A microphone or an instrument. It is heard, and recorded only where you ask for it."
        )
        self.channel = QComboBox(self)
        for number in range(1, MAX_CHANNEL + 1):
            self.channel.addItem(f"channel {number}", number)
        self.channel.setCurrentIndex(preferences.input_channel - 1)
        self.stereo = QCheckBox("and the next, as stereo", self)
        self.stereo.setChecked(preferences.input_stereo)
        self.low_cut = QComboBox(self)
        self.low_cut.setToolTip("Takes away rumble and handling noise.")
        for hz in LOW_CUTS:
            self.low_cut.addItem("none" if hz == 0 else f"{hz} Hz", hz)
        self.low_cut.setCurrentIndex(max(0, self.low_cut.findData(preferences.input_low_cut)))
        self.record = QCheckBox("keep it beside a recording", self)
        self.record.setToolTip(
            "Writes input.wav into the take: then render --performance plays it again to the bit."
            " Without it nothing of the input reaches the disk."
        )
        self.record.setChecked(preferences.record_input)
        self.trip = QLabel(self)
        self.measure = QPushButton("Measure", self)
        self.measure.setToolTip(
            "Pause, apply the input, connect output and input (a cable, or the microphone at the"
            " speaker), and measure: five clicks are played."
        )
        self.measure.clicked.connect(self._ask)
        self.device.currentIndexChanged.connect(lambda _: self._show_trip())
        self.show_inputs(())

    def add_to(self, form: QFormLayout) -> None:
        """Add the rows to a dialog's form."""
        channels, trip = QHBoxLayout(), QHBoxLayout()
        for row in (channels, trip):
            row.setSpacing(8)
        channels.addWidget(self.channel)
        channels.addWidget(self.stereo, 1)
        trip.addWidget(self.trip, 1)
        trip.addWidget(self.measure)
        form.addRow(QLabel("Input", self), self.device)
        form.addRow(QLabel("Listen to", self), channels)
        form.addRow(QLabel("Low-cut", self), self.low_cut)
        form.addRow(QLabel("Record input", self), self.record)
        form.addRow(QLabel("Round trip", self), trip)

    def show_inputs(self, inputs: Sequence[AudioDevice]) -> None:
        """Fill the device list; the chosen one stays even if it is not connected."""
        chosen = self.device.currentData() if self.device.count() else self._initial.input_device
        self.device.clear()
        self.device.addItem("none", "")
        self.device.addItem("the system's default", DEFAULT_INPUT)
        for device in inputs:
            self.device.addItem(device.label, device.label)
        if self.device.findData(chosen) < 0:
            self.device.addItem(f"{chosen} (not connected)", chosen)
        self.device.setCurrentIndex(self.device.findData(chosen))
        self._show_trip()

    def show_measured(self, trip: RoundTrip) -> None:
        """Take over what was measured."""
        self._trips[self._key()] = trip.milliseconds
        self.measure.setEnabled(True)
        self._show_trip()

    def show_failed(self, sentence: str) -> None:
        """Show why there is no measurement."""
        self.measure.setEnabled(True)
        self.trip.setText(sentence[:60])
        self.trip.setToolTip(sentence)

    def chosen(self, preferences: Preferences) -> Preferences:
        """The preferences with what is chosen here."""
        return replace(
            preferences,
            input_device=self.device.currentData(),
            input_channel=self.channel.currentData(),
            input_stereo=self.stereo.isChecked(),
            record_input=self.record.isChecked(),
            input_low_cut=self.low_cut.currentData(),
            round_trips=dict(self._trips),
        )

    def _ask(self) -> None:
        self.measure.setEnabled(False)
        self.trip.setText("listening …")
        self.measure_requested.emit()

    def _key(self) -> str:
        return round_trip_key(replace(self._initial, input_device=self.device.currentData() or ""))

    def _show_trip(self) -> None:
        known = self._trips.get(self._key())
        self.trip.setText("as the drivers say" if known is None else f"{known:.1f} ms, measured")

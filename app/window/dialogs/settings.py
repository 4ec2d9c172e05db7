"""Settings dialog: audio device and recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import shiboken6
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.audio.devices import find_device
from app.audio.input.loopback import RoundTrip
from app.audio.settings import AudioDevice
from app.interfaces import OutputProtocol
from app.session.preferences import BUFFERS, FORMATS, RATES, Preferences
from app.window.dialogs.engine_form import EngineForm
from app.window.dialogs.input_form import InputForm
from app.window.dialogs.outputs_form import OutputsForm
from app.window.jobs import Jobs


class SettingsDialog(QDialog):
    """Dialog for the preferences; emits `applied` with the new ones."""

    applied = Signal(object)
    rescan_requested = Signal()
    controllers_requested = Signal()

    def __init__(
        self,
        preferences: Preferences,
        devices: Sequence[AudioDevice],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self.setMinimumWidth(480)
        self._initial = preferences
        self.device = QComboBox(self)
        self.device.setToolTip("Where the sound goes. A device that vanishes is waited for.")
        self.show_devices(devices)
        self.rate = QComboBox(self)
        self.rate.setToolTip("The device's own rate is best: the music is resampled to it.")
        for rate in RATES:
            self.rate.addItem("the device's own" if rate is None else f"{rate / 1000:g} kHz", rate)
        self.rate.setCurrentIndex(self.rate.findData(preferences.sample_rate))
        self.buffer = QComboBox(self)
        self.buffer.setToolTip("Smaller answers sooner; larger is safer. 256 is a good start.")
        for frames in BUFFERS:
            self.buffer.addItem(f"{frames} frames ({frames / 48:.1f} ms)", frames)
        self.buffer.setCurrentIndex(self.buffer.findData(preferences.buffer_frames))
        self.format = QComboBox(self)
        self.format.setToolTip("FLAC takes half the space and loses nothing.")
        for name in FORMATS:
            self.format.addItem(name.upper(), name)
        self.format.setCurrentIndex(self.format.findData(preferences.record_format))
        form = QFormLayout()
        form.setVerticalSpacing(12)
        form.setHorizontalSpacing(18)
        self.engine = EngineForm(preferences.engine, preferences.takeover, self)
        self.engine.add_to(form)
        rescan = QPushButton("Look again", self)
        rescan.setToolTip("Ask the system for its devices again")
        rescan.clicked.connect(self.rescan_requested)
        device_row = QHBoxLayout()
        device_row.setSpacing(8)
        device_row.addWidget(self.device, 1)
        device_row.addWidget(rescan)
        form.addRow(QLabel("Sound device", self), device_row)
        form.addRow(QLabel("Sample rate", self), self.rate)
        form.addRow(QLabel("Buffer", self), self.buffer)
        self.outputs = OutputsForm(preferences.part_outputs, self)
        self.outputs.add_to(form)
        self.device.currentIndexChanged.connect(lambda _: self._show_channels())
        self._show_channels()
        form.addRow(QLabel("Recordings", self), self.format)
        self.stems = QCheckBox("a file of each part as well", self)
        self.stems.setToolTip("Drums, bass, chords, lead and extra, to mix anew in a DAW")
        self.stems.setChecked(preferences.record_stems)
        form.addRow(QLabel("Stems", self), self.stems)
        self.input = InputForm(preferences, self)
        self.input.add_to(form)
        self.folder = QLineEdit(preferences.record_folder, self)
        self.folder.setPlaceholderText("Segue, in your music folder")
        self.folder.setToolTip("Where recordings and saved captures go")
        choose = QPushButton("Choose …", self)
        choose.setToolTip("Choose the folder for recordings")
        choose.clicked.connect(self._choose_folder)
        folder_row = QHBoxLayout()
        folder_row.setSpacing(8)
        folder_row.addWidget(self.folder, 1)
        folder_row.addWidget(choose)
        form.addRow(QLabel("Folder", self), folder_row)
        controllers = QPushButton("MIDI ports, clock and OSC …", self)
        controllers.setToolTip("The controllers' window; what is set there acts at once (Ctrl+L)")
        controllers.clicked.connect(self.controllers_requested)
        controllers.clicked.connect(self.reject)
        form.addRow(QLabel("Controllers", self), controllers)
        cancel = QPushButton("Cancel", self)
        cancel.clicked.connect(self.reject)
        apply = QPushButton("Apply", self)
        apply.setDefault(True)
        apply.clicked.connect(self._apply)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(cancel)
        row.addWidget(apply)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 16)
        column.setSpacing(18)
        column.addLayout(form)
        column.addLayout(row)

    def show_devices(self, devices: Sequence[AudioDevice]) -> None:
        """Fill the device list; the chosen device stays even if it is not connected."""
        chosen = self.device.currentData() if self.device.count() else self._initial.device
        self._devices = devices
        self.device.clear()
        self.device.addItem("the system's default", None)
        for device in devices:
            self.device.addItem(device.label, device.label)
        if chosen is not None and self.device.findData(chosen) < 0:
            self.device.addItem(f"{chosen} (not connected)", chosen)
        self.device.setCurrentIndex(max(self.device.findData(chosen), 0))

    def _show_channels(self) -> None:
        """Offer the outputs that the chosen device has."""
        device = find_device(self._devices, self.device.currentData())
        self.outputs.show_channels(0 if device is None else device.channels)

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Recordings go to", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def chosen(self) -> Preferences:
        with_input = self.input.chosen(self._initial)
        return replace(
            with_input,
            engine=self.engine.chosen(),
            takeover=self.engine.takeover.currentData(),
            device=self.device.currentData(),
            sample_rate=self.rate.currentData(),
            buffer_frames=self.buffer.currentData(),
            part_outputs=self.outputs.chosen(),
            record_format=self.format.currentData(),
            record_stems=self.stems.isChecked(),
            record_folder=self.folder.text().strip(),
        )

    def _apply(self) -> None:
        self.applied.emit(self.chosen())
        self.accept()


def open_settings(
    preferences: Preferences,
    output: OutputProtocol,
    jobs: Jobs,
    report: Callable[[str, str], None],
    parent: QWidget,
) -> SettingsDialog:
    """Open the dialog; audio devices are scanned again in the thread pool."""
    dialog = SettingsDialog(preferences, output.devices(), parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

    dialog.input.show_inputs(output.inputs())

    def measured(trip: RoundTrip) -> None:
        if shiboken6.isValid(dialog):
            dialog.input.show_measured(trip)

    def not_measured(sentence: str) -> None:
        report("warning", sentence)
        if shiboken6.isValid(dialog):
            dialog.input.show_failed(sentence)

    dialog.input.measure_requested.connect(
        lambda: jobs.start(output.measure_round_trip, measured, not_measured)
    )

    def show(devices: Sequence[AudioDevice]) -> None:
        if shiboken6.isValid(dialog):
            dialog.show_devices(devices)
            dialog.input.show_inputs(output.inputs())

    def scan() -> None:
        jobs.start(lambda: output.devices(True), show, lambda sentence: report("warning", sentence))

    dialog.rescan_requested.connect(scan)
    dialog.open()
    return dialog

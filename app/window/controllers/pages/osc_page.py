"""OSC page: address and port of the server, and a table of all addresses."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtNetwork import QAbstractSocket, QNetworkInterface
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.control.bridge import ControlBridge
from app.control.osc.messages import address_for
from app.files import write_text
from app.parameters.parameter import Parameter
from app.parameters.registry import Registry
from app.window.controllers import form_style as forms
from app.window.controllers.pages.settings_page import SettingsPage
from app.window.style import colours
from models.errors import SegueError

POLL_MS: Final = 500
COLUMNS: Final = ("Address", "Takes", "Now", "What it is")
VALUE_COLUMN: Final = COLUMNS.index("Now")


def accepted_values(parameter: Parameter) -> str:
    """The values that an address accepts."""
    auto = ", or auto" if parameter.auto else ""
    if parameter.kind == "trigger":
        return "nothing, or 0 to 1"
    if parameter.kind == "switch":
        return "0 or 1, on or off"
    if parameter.kind == "choice":
        few = len(parameter.choices) <= 4
        words = ", ".join(parameter.choices) if few else f"{parameter.choices[0]}, …"
        return f"{words}, or 0 to {len(parameter.choices) - 1}{auto}"
    unit = f" {parameter.unit}" if parameter.unit and parameter.unit != "%" else ""
    return f"{parameter.low:g} to {parameter.high:g}{unit}{auto}"


def rows(registry: Registry) -> list[tuple[str, str, str]]:
    """(address, accepted values, label) of all parameters."""
    return [(address_for(each.name), accepted_values(each), each.label) for each in registry]


def listing(registry: Registry) -> str:
    """All addresses as tab-separated text."""
    lines = ["\t".join(("address", "from 0 to 1", "takes", "what it is"))]
    for each in registry:
        unit = "" if each.kind == "trigger" else address_for(each.name, unit=True)
        lines.append("\t".join((address_for(each.name), unit, accepted_values(each), each.label)))
    return "\n".join(lines) + "\n"


def network_addresses() -> list[tuple[str, str]]:
    """(address, description) of this machine's interfaces, loopback first."""
    found = [("127.0.0.1", "this machine only")]
    ipv4 = QAbstractSocket.NetworkLayerProtocol.IPv4Protocol
    for interface in QNetworkInterface.allInterfaces():
        for entry in interface.addressEntries():
            address = entry.ip()
            if address.protocol() == ipv4 and not address.isLoopback():
                found.append((address.toString(), interface.humanReadableName()))
    return found


class OscPage(SettingsPage):
    """OSC settings. They act with Apply, because a half-typed address must not be bound."""

    def __init__(self, bridge: ControlBridge, parent: QWidget | None = None) -> None:
        super().__init__(bridge, POLL_MS, parent)
        settings = self.hub.settings
        self.on = QCheckBox("Listen for OSC", self)
        self.on.setChecked(settings.osc)
        self.host = QComboBox(self)
        self.host.setEditable(True)
        self.host.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.host.setMinimumWidth(300)
        for address, words in network_addresses():
            self.host.addItem(f"{address}  ({words})", address)
        at = self.host.findData(settings.osc_host)
        if at >= 0:
            self.host.setCurrentIndex(at)
        else:
            self.host.setEditText(settings.osc_host)
        self.port = QSpinBox(self)
        self.port.setRange(1, 65535)
        self.port.setValue(settings.osc_port)
        self.port.setFixedWidth(90)
        self.port.setAlignment(Qt.AlignmentFlag.AlignCenter)
        apply = QPushButton("Apply", self)
        apply.clicked.connect(self.apply)
        line = QHBoxLayout()
        line.setSpacing(10)
        line.addWidget(self.on)
        line.addSpacing(12)
        line.addWidget(QLabel("on", self))
        line.addWidget(self.host)
        line.addWidget(QLabel("port", self))
        line.addWidget(self.port)
        line.addWidget(apply)
        line.addStretch(1)
        self.warning = QLabel(self)
        self.warning.setWordWrap(True)
        self.warning.setStyleSheet(f"color: {colours.DANGER}; font-weight: 600;")
        self.state = forms.quiet(parent=self)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("Search addresses")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        export = QPushButton("Export listing …", self)
        export.clicked.connect(self._export_dialog)
        tools = QHBoxLayout()
        tools.addWidget(self.search, 1)
        tools.addWidget(export)
        self.table = QTableWidget(0, len(COLUMNS), self)
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(27)
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        head = self.table.horizontalHeader()
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        head.setStretchLastSection(True)
        self.table.setColumnWidth(0, 280)
        self.table.setColumnWidth(1, 220)
        self.table.setColumnWidth(VALUE_COLUMN, 120)
        self.table.setToolTip("Double-click an address to copy it")
        self.table.cellDoubleClicked.connect(self._copy)
        self.table.verticalScrollBar().valueChanged.connect(lambda _: self._show_values())
        column = forms.lay_out(QVBoxLayout(self), 12)
        column.addWidget(forms.heading("OSC", self))
        column.addLayout(line)
        column.addWidget(self.warning)
        column.addWidget(self.state)
        column.addLayout(tools)
        column.addWidget(self.table, 1)
        self.host.editTextChanged.connect(self._warn)
        self.on.toggled.connect(self._warn)
        self._fill()
        self._warn()
        self.poll()

    # -- table ----------------------------------------------------------------------------------
    def _fill(self) -> None:
        found = rows(self.hub.registry)
        self.table.setRowCount(len(found))
        for n, cells in enumerate(found):
            address, values, label = cells
            for column, words in enumerate((address, values, "", label)):
                item = QTableWidgetItem(words)
                if column:
                    item.setForeground(
                        QColor(colours.TEXT if column == VALUE_COLUMN else colours.DIM)
                    )
                self.table.setItem(n, column, item)
        self._names = list(self.hub.registry.names())

    def _show_values(self) -> None:
        """Update the values of the visible rows."""
        first, last = self.table.rowAt(0), self.table.rowAt(self.table.viewport().height() - 1)
        registry = self.hub.registry
        for n in range(max(first, 0), (last if last >= 0 else self.table.rowCount() - 1) + 1):
            item, name = self.table.item(n, VALUE_COLUMN), self._names[n]
            words = registry[name].text(registry.get(name))
            if item is not None and not self.table.isRowHidden(n) and item.text() != words:
                item.setText(words)

    def _copy(self, row: int, column: int) -> None:
        item = self.table.item(row, 0)
        if item is not None:
            QApplication.clipboard().setText(item.text())
            self.message.emit("info", f"{item.text()} is on the clipboard.")

    def _filter(self, text: str) -> None:
        terms = text.casefold().split()
        for n in range(self.table.rowCount()):
            items = [self.table.item(n, column) for column in range(len(COLUMNS))]
            words = " ".join(item.text().casefold() for item in items if item is not None)
            self.table.setRowHidden(n, not all(word in words for word in terms))
        self._show_values()

    def host_chosen(self) -> str:
        """The address that was typed or selected."""
        text = self.host.currentText()
        at = self.host.findText(text)
        return str(self.host.itemData(at)) if at >= 0 else text.strip()

    def _warn(self) -> None:
        host = self.host_chosen()
        try:
            local = ipaddress.ip_address(host).is_loopback
        except ValueError:
            local = True  # reported by Apply
        self.warning.setText(
            "" if local or not self.on.isChecked() else
            f"Everybody who reaches {host} can play this instrument: OSC knows no passwords. "
            "Choose this only in a network that is yours."
        )  # fmt: skip
        self.warning.setVisible(bool(self.warning.text()))

    def refresh(self) -> None:
        """Show the server's state; what was typed and not applied stays."""
        self.poll()

    def poll(self) -> None:
        """Show whether the server listens, its counts and the values."""
        self._show_values()
        server = self.bridge.osc
        if server is None or not server.running:
            self.state.setText(self.bridge.osc_fault or "Not listening.")
            return
        counts = server.counts
        dropped = counts.malformed + counts.oversized + counts.flooded
        early = f" {counts.early} too early for their time." if counts.early else ""
        self.state.setText(
            f"Listening on {server.host}, port {server.port}. {counts.received} packets, "
            f"{counts.applied} applied, {dropped} dropped, "
            f"{counts.refused + counts.unknown} refused.{early} {self.bridge.osc_fault}".strip()
        )

    # -- input ----------------------------------------------------------------------------------
    def apply(self) -> bool:
        """Apply the settings; False where they are invalid, which is reported."""
        return self.change(
            osc=self.on.isChecked(), osc_host=self.host_chosen(), osc_port=self.port.value()
        )

    def export(self, path: Path) -> bool:
        """Export the table as a file."""
        try:
            write_text(path, listing(self.hub.registry))
        except SegueError as error:
            self.message.emit("error", str(error))
            return False
        self.message.emit("info", f"The addresses were written to {path.name}.")
        return True

    def _export_dialog(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Export addresses", "segue-osc.txt", "Text (*.txt)"
        )
        if path:
            self.export(Path(path))

"""Choice of the engine in the settings: one of this machine, a known one elsewhere, an address."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFormLayout, QLabel, QWidget

from app.window.style import colours
from models.errors import SegueError
from models.registry import DEFAULT_ENGINE, ELSEWHERE, REMOTE, engine_names, engine_summary
from models.remote.client.known import known_server, known_servers, remember
from models.remote.protocol.address import EXAMPLE, parse_address

NEXT_START = "Plays from the next start of Segue on"


class EngineForm(QWidget):
    """Combo box that takes an address as well, and a line below it that says what is wrong."""

    def __init__(self, engine: str, takeover: str = "", parent: QWidget | None = None) -> None:
        """engine: the name that is chosen now, '' for the default. takeover: that of the engine
        which plays on where the line to one elsewhere is dead, '' for none.
        """
        super().__init__(parent)
        self._initial = engine
        self.box = QComboBox(self)
        self.box.setEditable(True)
        self.box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.box.setToolTip(
            "What makes the music, from the next start on. An engine on another machine, which "
            f"runs `serve`, has an address: {EXAMPLE}"
        )
        for name in engine_names():
            self.box.addItem(name)
            tip = Qt.ItemDataRole.ToolTipRole
            self.box.setItemData(self.box.count() - 1, engine_summary(name), tip)
        for server in known_servers():
            self.box.addItem(server.name)
        self.box.setCurrentText(engine or DEFAULT_ENGINE)
        self.takeover = QComboBox(self)
        self.takeover.setToolTip(
            "With an engine on another machine or a service: what plays on, of this machine, where "
            "nothing has come for some seconds and the plan is at its end"
        )
        self.takeover.addItem("wait until it is back", "")
        for name in engine_names():
            if name not in ELSEWHERE:
                self.takeover.addItem(f"{name} of this machine plays on", name)
        self.takeover.setCurrentIndex(max(0, self.takeover.findData(takeover)))
        self.note = QLabel(self)
        self.note.setWordWrap(True)
        self.box.currentTextChanged.connect(self._show)
        self._show()

    def add_to(self, form: QFormLayout) -> None:
        """Add both rows."""
        form.addRow(QLabel("Engine", self.parentWidget()), self.box)
        form.addRow("", self.note)
        form.addRow(QLabel("Line lost", self.parentWidget()), self.takeover)

    @property
    def fault(self) -> str:
        """What is wrong with the choice, '' for nothing."""
        name = self.box.currentText().strip()
        try:
            if name.startswith(REMOTE):
                parse_address(name)
            else:
                engine_summary(name)
        except SegueError as error:
            return str(error)
        return ""

    def _show(self) -> None:
        chosen = self.box.currentText().strip()
        changed = chosen != (self._initial or DEFAULT_ENGINE)
        text = self.fault or (f"{NEXT_START}." if changed else "")
        colour = colours.DANGER if self.fault else colours.DIM
        self.note.setText(text)
        self.note.setStyleSheet(f"color: {colour};")
        self.note.setVisible(bool(text))

    def chosen(self) -> str:
        """The engine's name; the one before where the choice is wrong. A token in an address goes
        to the list of known servers, which only this user may read.
        """
        name = self.box.currentText().strip()
        if self.fault:
            return self._initial
        if not name.startswith(REMOTE):
            return "" if name == DEFAULT_ENGINE else name
        address = parse_address(name)
        if address.token:
            try:
                remember(replace(known_server(address), token=address.token))
            except SegueError as error:
                self.note.setText(str(error))
                return self._initial
        return address.name

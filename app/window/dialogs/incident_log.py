"""Incident log dialog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.session.incident_log import IncidentLog
from models.errors import SegueError


class LogDialog(QDialog):
    """Dialog that shows the incident log and exports it to a text file."""

    def __init__(
        self,
        log: IncidentLog,
        show_message: Callable[[str, str], None],
        parent: QWidget | None = None,
        *,
        head: str = "",
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Incidents")
        self.resize(760, 420)
        self._log, self._show_message, self._head = log, show_message, head
        self.text = QPlainTextEdit(log.text() or "Nothing went wrong so far.", self)
        self.text.setReadOnly(True)
        export = QPushButton("Export …", self)
        export.setToolTip("Write the log to a text file, to be sent along with a report")
        export.clicked.connect(self._choose_path)
        close = QPushButton("Close", self)
        close.setToolTip("The log stays until Segue ends")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(export)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addLayout(row)

    def _choose_path(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Export incidents", "segue-incidents.txt", "Text (*.txt)"
        )
        if path:
            self.export(Path(path))

    def export(self, path: Path) -> None:
        try:
            self._log.export(path, self._head)
        except SegueError as error:
            self._show_message("error", str(error))
        else:
            self._show_message("info", f"The incident log was written to {path.name}.")

"""About dialog: version, and the licences of all bundled software."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.window.dialogs import components as about
from app.window.style import theme

LGPL: Final = (
    "The window is drawn by Qt, under the LGPL: its libraries are files of their own and may be "
    "replaced."
)


class AboutDialog(QDialog):
    """Non-modal dialog with version and licences."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About Segue")
        self.resize(820, 620)
        title = QLabel(f"Segue {about.version()}", self)
        title.setFont(theme.bold(22))
        words = QLabel(
            "An instrument that plays an endless stream of generated music, steered while it "
            f"plays. Apache-2.0. {LGPL}",
            self,
        )
        words.setWordWrap(True)
        self.text = QPlainTextEdit(self)
        self.text.setReadOnly(True)
        self.text.setPlainText(about.notices())
        copy = QPushButton("Copy versions", self)
        copy.setToolTip("For a report of a fault: what runs here, line by line")
        copy.clicked.connect(self.copy_versions)
        close = QPushButton("Close", self)
        close.clicked.connect(self.close)
        row = QHBoxLayout()
        row.addWidget(copy)
        row.addStretch(1)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addWidget(title)
        column.addWidget(words)
        column.addWidget(self.text, 1)
        column.addLayout(row)
        close.setFocus()

    def copy_versions(self) -> None:
        """Copy the versions to the clipboard, as --version prints them but for PortAudio."""
        rows = about.versions(sound=False)
        text = "\n".join(f"{name}: {version}" for name, version in rows)
        QGuiApplication.clipboard().setText(text)


def open_about(parent: QWidget) -> AboutDialog:
    """Open the about dialog."""
    dialog = AboutDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setModal(False)
    dialog.show()
    return dialog

"""About dialog: versions and licences."""

from __future__ import annotations

from PySide6.QtCore import QPoint
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu

from app.window.dialogs import components as about
from app.window.dialogs.about import LGPL, AboutDialog
from tests.support.rig import Rig


def test_about_shows_every_licence_and_stops_nothing(rig: Rig) -> None:
    rig.window.files.popup(QPoint(0, 0))
    menu = rig.window.findChildren(QMenu)[-1]
    (action,) = [action for action in menu.actions() if action.text().startswith("About")]
    action.trigger()
    menu.close()
    (dialog,) = rig.window.findChildren(AboutDialog)
    assert QApplication.activeModalWidget() is None
    text = dialog.text.toPlainText()
    assert "Inter" in text and "all-MiniLM-L6-v2" in text and "may replace" in text.lower()
    assert "torch" in text and "LGPL" in LGPL
    dialog.copy_versions()
    assert f"segue: {about.version()}" in QGuiApplication.clipboard().text()
    dialog.close()

"""A page of the controllers' window that changes settings. GUI lane."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.control.bridge import ControlBridge
from models.errors import SegueError


class SettingsPage(QWidget):
    """What is set acts at once. `message` tells level and sentence of what could not be."""

    message = Signal(str, str)

    def __init__(self, bridge: ControlBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bridge, self.hub = bridge, bridge.hub

    def refresh(self) -> None:
        """Settings or ports may be others now."""
        raise NotImplementedError

    def change(self, **settings: Any) -> bool:
        """Set fields of the settings; False where they cannot be so, which is said."""
        try:
            self.bridge.apply(replace(self.hub.settings, **settings))
        except SegueError as error:
            self.message.emit("error", str(error))
            return False
        finally:
            self.refresh()
        return True

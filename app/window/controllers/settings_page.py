"""Base of pages that change the controllers' settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.control.bridge import ControlBridge
from models.errors import SegueError


class SettingsPage(QWidget):
    """Page whose settings act at once. `message` has level and sentence of an error."""

    message = Signal(str, str)

    def __init__(self, bridge: ControlBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bridge, self.hub = bridge, bridge.hub

    def refresh(self) -> None:
        """Show settings and ports as they are now."""
        raise NotImplementedError

    def change(self, **settings: Any) -> bool:
        """Change fields of the settings; False where they are invalid, which is reported."""
        try:
            self.bridge.apply(replace(self.hub.settings, **settings))
        except SegueError as error:
            self.message.emit("error", str(error))
            return False
        finally:
            self.refresh()
        return True

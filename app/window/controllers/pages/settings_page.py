"""Base of pages that change the controllers' settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from app.control.bridge import ControlBridge
from models.errors import SegueError


class SettingsPage(QWidget):
    """Page whose settings act at once. `message` has level and sentence of an error."""

    message = Signal(str, str)

    def __init__(self, bridge: ControlBridge, poll_ms: int, parent: QWidget | None = None) -> None:
        """poll_ms: milliseconds from one `poll` to the next while the page is visible."""
        super().__init__(parent)
        self.bridge, self.hub = bridge, bridge.hub
        self._timer = QTimer(self)
        self._timer.setInterval(poll_ms)
        self._timer.timeout.connect(self.poll)

    def refresh(self) -> None:
        """Show settings and ports as they are now."""
        raise NotImplementedError

    def poll(self) -> None:
        """Show what changes by itself."""
        raise NotImplementedError

    def showEvent(self, event: QShowEvent) -> None:
        self._timer.start()
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()

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

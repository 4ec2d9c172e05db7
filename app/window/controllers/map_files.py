"""Loading and saving of controller maps as files, with dialogs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.control.hub import ControlHub
from app.control.midi import map_file
from app.files import write_text
from app.window.controllers import form_style as forms
from models.errors import SegueError

FILTER: Final = "Controller maps (*.json)"


class MapFiles(QObject):
    """Loads and saves the maps of the hub's surfaces."""

    message = Signal(str, str)
    changed = Signal()

    def __init__(self, hub: ControlHub, parent: QWidget) -> None:
        super().__init__(parent)
        self.hub, self._window = hub, parent

    def load(self, port: str, path: Path) -> bool:
        """Load a map for a port; the old one stays where the file is damaged."""
        try:
            controller = map_file.load(path, self.hub.registry)
        except SegueError as error:
            self.message.emit("error", str(error))
            return False
        self.hub.change_map(port, controller)
        self.message.emit(
            "info", f"{port} plays with the map {controller.name}. {forms.UNDO} takes it back."
        )
        self.changed.emit()
        return True

    def save(self, port: str, path: Path) -> bool:
        """Save the map of a port."""
        if path.suffix != map_file.SUFFIX:
            path = path.with_name(path.name + map_file.SUFFIX)
        try:
            write_text(path, map_file.write(self.hub.surfaces[port].controller))
        except SegueError as error:
            self.message.emit("error", str(error))
            return False
        self.message.emit("info", f"The map was written to {path.name}.")
        return True

    def load_dialog(self, port: str) -> None:
        path, _ = QFileDialog.getOpenFileName(self._window, "Load a map", "", FILTER)
        if path:
            self.load(port, Path(path))

    def save_dialog(self, port: str) -> None:
        name = self.hub.library.path_of(port).name
        path, _ = QFileDialog.getSaveFileName(self._window, "Save the map", name, FILTER)
        if path:
            self.save(port, Path(path))

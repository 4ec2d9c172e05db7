"""What keys and buttons ask for by name. GUI lane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt

from app.window.dialogs.settings import SettingsDialog

if TYPE_CHECKING:
    from app.window.main_window import MainWindow


class Commands:
    """Runs a shortcut's action: a parameter by its name, or a command of the window."""

    REPEAT: Final = frozenset(
        {"window.quieter", "window.louder", "window.zoom_in", "window.zoom_out", "edit.undo",
         "edit.redo"}
    )  # fmt: skip
    """Actions that a held key may repeat."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        files = window.files
        self._table = {
            "window.add": window.desk.add,
            "window.view": lambda: window.registry.nudge("view", 1),
            "window.sheet": window.sheet.open_sheet,
            "window.zoom_in": lambda: window.spectrogram.zoom(-1),
            "window.zoom_out": lambda: window.spectrogram.zoom(1),
            "window.louder": lambda: window.registry.nudge("mixer.master", 1),
            "window.quieter": lambda: window.registry.nudge("mixer.master", -1),
            "window.settings": self.settings,
            "window.learn": lambda: window.learn_wanted.emit(True),
            "window.controllers": lambda: window.controllers_wanted.emit(""),
            "window.new": files.new,
            "window.open": files.open_dialog,
            "window.save": files.save,
            "window.save_as": files.save_dialog,
        }

    def act(self, action: str) -> None:
        """Do it. Parameters: a switch flips, a trigger fires."""
        registry = self.window.registry
        if action.startswith("window.focus."):
            self._focus(int(action.rsplit(".", 1)[1]))
        elif action in self._table:
            self._table[action]()
        elif registry[action].kind == "switch":
            registry.toggle(action, "keyboard")
        else:
            registry.trigger(action, "keyboard")

    def _focus(self, n: int) -> None:
        if n <= len(self.window.session.prompts):
            self.window.registry.set("view", "mixer")
            self.window.mixer.strips[n - 1].knob.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def settings(self) -> None:
        """The settings dialog; the devices are looked up off the GUI lane."""
        window = self.window
        dialog = SettingsDialog(window.preferences, window.player.output.devices(), window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.applied.connect(window.apply_preferences)
        dialog.controllers_wanted.connect(lambda: window.controllers_wanted.emit("Ports"))

        def rescan() -> None:
            window.jobs.start(
                lambda: window.player.output.devices(True),
                lambda devices: dialog.show_devices(devices) if _alive(dialog) else None,
                lambda sentence: window.say("warning", sentence),
            )

        dialog.rescan_wanted.connect(rescan)
        dialog.open()


def _alive(dialog: SettingsDialog) -> bool:
    import shiboken6

    return shiboken6.isValid(dialog)

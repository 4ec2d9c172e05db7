"""Stage mode: full screen, larger, locked, awake. GUI lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.window.awake import Awake

if TYPE_CHECKING:
    from app.window.main_window import MainWindow


class Stage:
    """What changes when the instrument goes on stage, and back."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        self.on = False
        self._awake = Awake()
        self._was_maximised = False

    def set(self, on: bool) -> None:
        """Enter or leave; telling it twice does nothing."""
        if on == self.on:
            return
        self.on = on
        window = self.window
        if on:
            self._was_maximised = window.isMaximized()
            window.editor.close_editor()
        window.top.setVisible(not on)
        window.welcome.setVisible(not on and window.welcome.wanted)
        window.recording.capture.setVisible(not on)
        window.mixer.set_locked(on)
        window.map_panel.set_locked(on)
        window.scenes.set_locked(on)
        # A click in the past changes the music at once: not by accident on a stage.
        window.spectrogram.locked = on
        window.proportions.apply(on)
        if on:
            window.showFullScreen()
            if self._awake.begin():
                window.say("info", "Stage mode: F11 leaves it.")
            else:
                window.say(
                    "info", "Stage mode: F11 leaves it. Switch off the screen saver yourself."
                )
        else:
            self._awake.end()
            if self._was_maximised:
                window.showMaximized()
            else:
                window.showNormal()

    def end(self) -> None:
        self._awake.end()

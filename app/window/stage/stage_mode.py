"""Stage mode: full screen, larger, locked, awake. GUI lane."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, QPoint, Qt, QTimer
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication

from app.window.stage.keep_awake import IN_A_THREAD, KeepAwake

if TYPE_CHECKING:
    from app.window.main_window import MainWindow

QUESTION: Final = "Segue is on stage. Closing it ends the music."
LOOK_EVERY: Final = 8
"""Frames between two looks at the pointer: asking the X server for it is a trip there and back."""
POINTER_RESTS: Final = 3.0
"""Seconds after which a pointer that does not move is in the way."""
SETTLES_MS: Final = 300
"""How long a window manager may take from one state of the window to the next."""


class StageMode(QObject):
    """What changes when the instrument goes on stage, and back."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.on = False
        self.pointer: Callable[[], QPoint] = QCursor.pos
        self._awake = KeepAwake()
        self._asking = False
        self._hidden = False
        self._frames = 0
        self._place = self.pointer()
        self._moved_at = 0.0
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLES_MS)
        self._settled.timeout.connect(self._follow)

    def set(self, on: bool) -> None:
        """Enter or leave; telling it twice does nothing."""
        if on == self.on:
            return
        self.on = on
        window = self.window
        if on:
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
        self._show_pointer()
        if on:
            self._moved_at = time.monotonic()
            # Added to what it is, so that a maximised window comes back maximised, whoever ends it.
            window.setWindowState(window.windowState() | Qt.WindowState.WindowFullScreen)
            window.say("info", "Stage mode: F11 leaves it.")
            self._beside(self._awake.begin, self._told)
        else:
            self._settled.stop()
            self._asking = False
            window.banner.withdraw(QUESTION)
            self._beside(self._awake.end)
            window.setWindowState(window.windowState() & ~Qt.WindowState.WindowFullScreen)

    def end(self) -> None:
        """The window closes."""
        self._settled.stop()
        self._show_pointer()
        self._beside(self._awake.end)

    # -- awake ---------------------------------------------------------------------------------
    def _beside(
        self, work: Callable[[], Any], done: Callable[[Any], None] = lambda _: None
    ) -> None:
        """A desktop's service that does not answer must not hold the window up."""
        if IN_A_THREAD:
            self.window.jobs.start(work, done, lambda _: done(False))
        else:
            done(work())

    def _told(self, awake: bool) -> None:
        if self.on and not awake:
            self.window.say(
                "info", "Stage mode: F11 leaves it. Switch off the screen saver yourself."
            )

    # -- the window manager --------------------------------------------------------------------
    def state_changed(self) -> None:
        """The window's state is another one, whoever wanted it."""
        if self.on:
            self._settled.start()

    def _follow(self) -> None:
        """Its own key or button has taken full screen away: that was meant to leave the stage."""
        window = self.window
        if self.on and not window.isFullScreen() and not window.isMinimized():
            window.registry.set("stage", False)
            window.say("info", "The window is no longer full screen: stage mode is off.")

    def may_close(self) -> bool:
        """On a stage a key that closes windows is an accident, until somebody says otherwise."""
        if not self.on:
            return True
        if not self._asking:
            self._asking = True
            self.window.banner.ask(
                QUESTION,
                (("Play on", lambda: self._answer(False)), ("Close", lambda: self._answer(True))),
            )
        return False

    def _answer(self, close: bool) -> None:
        self._asking = False
        if close:
            self.window.registry.set("stage", False)
            self.window.close()

    # -- the pointer ---------------------------------------------------------------------------
    def frame(self) -> None:
        """Sixty times a second: put a resting pointer out of sight, and show one that moves."""
        self._frames += 1
        if not self.on or self._frames % LOOK_EVERY:
            return
        place, now = self.pointer(), time.monotonic()
        if place != self._place or QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            self._place, self._moved_at = place, now
            self._show_pointer()
        elif not self._hidden and now - self._moved_at > POINTER_RESTS:
            self._hidden = True
            QApplication.setOverrideCursor(Qt.CursorShape.BlankCursor)

    def _show_pointer(self) -> None:
        if self._hidden:
            self._hidden = False
            QApplication.restoreOverrideCursor()

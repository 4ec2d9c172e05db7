"""Stage mode: full screen, larger, locked, awake."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QMainWindow

from app.parameters.registry import Registry
from app.window.jobs import Jobs
from app.window.layout import WindowWidgets
from app.window.stage.keep_awake import RUNS_IN_THREAD, KeepAwake

QUESTION: Final = "Segue is on stage. Closing it ends the music."
POINTER_FRAMES: Final = 4
"""Frames between two reads of the pointer: the X server is asked over its socket."""
POINTER_SECONDS: Final = 3.0
"""Seconds after which a pointer that does not move is hidden."""
SETTLE_MS: Final = 300
"""How long a window manager may take from one state of the window to the next."""


class StageMode(QObject):
    """Enters and leaves stage mode.

    Args:
        window: becomes full screen.
        widgets: locked, hidden or enlarged on stage.
        registry: its "stage" is set to False where somebody else ends full screen.
        jobs: runs what may block, such as the desktop's service against the screen saver.
        resize: called with whether it is on, where sizes change.

    """

    message = Signal(str, str)
    """Level and sentence."""

    def __init__(
        self,
        window: QMainWindow,
        widgets: WindowWidgets,
        registry: Registry,
        jobs: Jobs,
        resize: Callable[[bool], None],
    ) -> None:
        super().__init__(window)
        self.window, self.widgets, self.registry = window, widgets, registry
        self._jobs, self._resize = jobs, resize
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
        self._settled.setInterval(SETTLE_MS)
        self._settled.timeout.connect(self._check_full_screen)

    def set(self, on: bool) -> None:
        """Enter or leave stage mode; nothing happens where it is so already."""
        if on == self.on:
            return
        self.on = on
        window, widgets = self.window, self.widgets
        if on:
            widgets.editor.close_editor()
        widgets.top.setVisible(not on)
        widgets.welcome.setVisible(not on and widgets.welcome.active)
        widgets.recording.capture.setVisible(not on)
        widgets.mixer.set_locked(on)
        widgets.map_panel.set_locked(on)
        widgets.scenes.set_locked(on)
        # A click in the past changes the music at once: not by accident on a stage.
        widgets.spectrogram.locked = on
        self._resize(on)
        self._show_pointer()
        if on:
            self._moved_at = time.monotonic()
            # Added to what it is, so that a maximised window comes back maximised, whoever ends it.
            window.setWindowState(window.windowState() | Qt.WindowState.WindowFullScreen)
            self.message.emit("info", "Stage mode: F11 leaves it.")
            self._in_background(self._awake.begin, self._awake_changed)
        else:
            self._settled.stop()
            self._asking = False
            widgets.banner.withdraw(QUESTION)
            self._in_background(self._awake.end)
            window.setWindowState(window.windowState() & ~Qt.WindowState.WindowFullScreen)

    def end(self) -> None:
        """The window closes."""
        self._settled.stop()
        self._show_pointer()
        self._in_background(self._awake.end)

    # -- awake ---------------------------------------------------------------------------------
    def _in_background(
        self, work: Callable[[], bool | None], done: Callable[[bool | None], None] = lambda _: None
    ) -> None:
        """Run where a desktop service that hangs does not block the window."""
        if RUNS_IN_THREAD:
            self._jobs.start(work, done, lambda _: done(False))
        else:
            done(work())

    def _awake_changed(self, awake: bool | None) -> None:
        if self.on and not awake:
            self.message.emit(
                "info", "Stage mode: F11 leaves it. Switch off the screen saver yourself."
            )

    # -- the window manager --------------------------------------------------------------------
    def state_changed(self) -> None:
        """The window's state has changed; called whoever changed it."""
        if self.on:
            self._settled.start()

    def _check_full_screen(self) -> None:
        """Leave stage mode where the window manager has ended full screen."""
        window = self.window
        if self.on and not window.isFullScreen() and not window.isMinimized():
            self.registry.set("stage", False)
            self.message.emit("info", "The window is no longer full screen: stage mode is off.")

    def may_close(self) -> bool:
        """Whether the window may close now; on stage a banner asks first."""
        if not self.on:
            return True
        if not self._asking:
            self._asking = True
            self.widgets.banner.ask(
                QUESTION,
                (("Play on", lambda: self._answer(False)), ("Close", lambda: self._answer(True))),
            )
        return False

    def _answer(self, close: bool) -> None:
        self._asking = False
        if close:
            self.registry.set("stage", False)
            self.window.close()

    # -- the pointer ---------------------------------------------------------------------------
    def frame(self) -> None:
        """Hide a resting pointer, show a moving one. Called for every frame of the window."""
        self._frames += 1
        if not self.on or self._frames % POINTER_FRAMES:
            return
        place, now = self.pointer(), time.monotonic()
        if place != self._place or QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            self._place, self._moved_at = place, now
            self._show_pointer()
        elif not self._hidden and now - self._moved_at > POINTER_SECONDS:
            self._hidden = True
            QApplication.setOverrideCursor(Qt.CursorShape.BlankCursor)

    def _show_pointer(self) -> None:
        if self._hidden:
            self._hidden = False
            QApplication.restoreOverrideCursor()

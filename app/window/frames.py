"""Frames of the window: what moves, drawn thirty times a second, and only where it is seen."""

from __future__ import annotations

import time
from typing import Final

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QWidget

from app.interfaces import OutputProtocol
from app.live_controller import LiveController
from app.window.input_control import InputControl
from app.window.layout import WindowWidgets
from app.window.proportions import Proportions
from app.window.recordings import Recordings
from app.window.stage.stage_mode import StageMode

FRAME_MS: Final = 33
MORPH_FRAMES: Final = 2
"""Frames between two steps of a morph's progress on the pads."""
SLOW_FRAMES: Final = 6
"""Frames between two looks at what changes slowly: durations, messages, the welcome."""

SHORT_PLAN: Final = 0.6
"""Seconds of plan under which the window gives way to the music that is being made."""
SPARSE_FRAMES: Final = 3
"""Frames of which it then draws one."""


class Frames(QObject):
    """Timer that draws the frames of the window.

    Args:
        window: draws nothing while it is minimised or not on the screen.
        widgets: of the window.
        output: knows what is heard, and its levels.
        live, stage, input_control, recordings, proportions: have something to do in time.

    """

    def __init__(
        self,
        window: QWidget,
        widgets: WindowWidgets,
        output: OutputProtocol,
        live: LiveController,
        stage: StageMode,
        input_control: InputControl,
        recordings: Recordings,
        proportions: Proportions,
    ) -> None:
        super().__init__(window)
        self._window, self._widgets, self._output = window, widgets, output
        self._live, self._stage, self._input = live, stage, input_control
        self._recordings, self._proportions = recordings, proportions
        self._count = 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self.draw)
        self._timer.start()

    def stop(self) -> None:
        """Draw no more."""
        self._timer.stop()

    @property
    def seen(self) -> bool:
        """Whether the window is on the screen; on another desktop it is not."""
        handle = self._window.windowHandle()
        return handle is not None and handle.isExposed() and not self._window.isMinimized()

    def draw(self) -> None:
        """Draw what moves, and do what must happen in time."""
        self._count += 1
        self._live.frame()
        self._stage.frame()
        slow = self._count % SLOW_FRAMES == 0
        if slow:
            self._widgets.status.tick()
            self._widgets.welcome.tick()
            self._show_recordings()
        seen = self.seen
        audio = self._output.status()
        short = audio.playing and audio.plan_seconds < SHORT_PLAN
        sparse = short and self._count % SPARSE_FRAMES != 0
        self._input.frame(seen and not sparse)
        if sparse or not seen:
            return
        widgets, playhead = self._widgets, self._output.position_now()
        widgets.spectrogram.frame(playhead)
        widgets.parts.frame(playhead, time.monotonic())
        widgets.output.master.set_levels(audio.peak, audio.hold, audio.rms, audio.limited)
        if self._live.scenes.morph is not None and self._count % MORPH_FRAMES == 0:
            widgets.scenes.show_launcher(self._live.scenes)
        if slow:
            self._proportions.apply(self._stage.on)  # the welcome row may have gone

    def _show_recordings(self) -> None:
        panel, recordings = self._widgets.recording, self._recordings
        panel.show_recording(recordings.recorded_seconds())
        panel.show_capture(recordings.captured_seconds(), recordings.selected_seconds())
        panel.stems.show_share(recordings.stems_share())

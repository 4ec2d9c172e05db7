"""The whole instrument on a private JACK server: window, worker, audio process, surfaces, OSC.

Nothing is faked but the engine (the tests' tone engine unless another is named) and the
sound card (JACK's dummy driver). Needs a display or Qt's offscreen platform.
"""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication

from app.control import settings as control
from app.control.bridge import ControlBridge
from app.control.settings import ControlSettings
from app.playback import open_playback
from app.session.preferences import Preferences
from app.session.session import Session
from app.window.controllers.wiring import open_bridge
from app.window.main_window import MainWindow
from app.window.style import theme
from models.registry import unregister_engine
from tests.support.jack import JackServer
from tests.support.tone_engine import register_tone_engine

MIX = "MIDI Mix"
MIX_PORT = "MIDI Mix MIDI 1"
BLOCK_SECONDS = 0.24


class Gaps:
    """How long the event loop keeps somebody waiting: a timer of 5 ms, and how late it was."""

    EVERY = 0.005

    def __init__(self) -> None:
        self.late: list[float] = []
        self._last = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(round(self.EVERY * 1000))
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        self.late, self._last = [], time.monotonic()
        self._timer.start()

    def _tick(self) -> None:
        now = time.monotonic()
        self.late.append(max(now - self._last - self.EVERY, 0.0))
        self._last = now

    def stop(self) -> list[float]:
        """Lateness of every tick in seconds, sorted."""
        self._timer.stop()
        return sorted(self.late)


def free_port() -> int:
    """A UDP port of this machine that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Rig:
    """`with Rig() as rig:` plays. period: frames of the JACK server at 48 kHz."""

    window: MainWindow
    bridge: ControlBridge

    def __init__(
        self, *, period: int = 128, engine: str = "tone", buffer_frames: int = 256
    ) -> None:
        self.period, self.engine, self.buffer_frames = period, engine, buffer_frames
        self.messages: list[tuple[str, str]] = []
        self.gaps = Gaps()

    def __enter__(self) -> Rig:
        app = QApplication.instance()
        self.app = app if isinstance(app, QApplication) else QApplication(["segue"])
        theme.install(self.app)
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self._server = JackServer(self.period)
        self._server.__enter__()
        try:
            self._open(folder)
        except BaseException:
            self._server.stop()
            raise
        return self

    def _open(self, folder: Path) -> None:
        if self.engine == "tone":
            register_tone_engine("tone", block_seconds=BLOCK_SECONDS)
        settings = ControlSettings(
            api="UNIX_JACK", maps={MIX_PORT: "MIDImix"}, osc_port=free_port()
        )
        control.save(folder, settings)
        preferences = Preferences(buffer_frames=self.buffer_frames)
        self.player = open_playback(self.engine, "cpu", preferences, self._say)
        self.window = MainWindow(Session(), self.player, folder)
        self.window.show()
        self.bridge = open_bridge(self.window, folder)
        self.bridge.message.connect(self._say)
        self.registry = self.window.registry

    def _say(self, level: str, sentence: str) -> None:
        self.messages.append((level, sentence))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bridge.stop()
        self.window.shut()
        self.window.deleteLater()
        self.app.processEvents()
        self._server.__exit__(kind, value, trace)
        if self.engine == "tone":
            unregister_engine("tone")
        self._folder.cleanup()

    @property
    def underruns(self) -> int:
        return int(self.player.output.status().underruns)

    def until(self, done: Callable[[], bool], seconds: float = 10.0) -> bool:
        """Run the event loop until it is so; False where it took too long."""
        if done():
            return True
        loop, timer = QEventLoop(), QTimer()
        timer.setInterval(2)
        deadline = time.monotonic() + seconds
        timer.timeout.connect(lambda: loop.quit() if done() or time.monotonic() > deadline else 0)
        timer.start()
        loop.exec()
        timer.stop()
        return done()

    def wait(self, seconds: float) -> None:
        self.until(lambda: False, seconds)

    def play(self) -> None:
        """Until music is heard from a plan that is two seconds deep."""
        if not self.until(lambda: bool(self.window.live.acting), 120.0):
            raise RuntimeError(f"the engine did not open: {self.messages}")
        self.registry.set("transport.play", True)
        status = self.player.output.status
        if not self.until(lambda: status().read > 0 and status().plan_seconds > 2.0, 60.0):
            raise RuntimeError(f"nothing is played: {self.messages}")

    def connected(self) -> bool:
        return MIX_PORT in self.bridge.hub.connected

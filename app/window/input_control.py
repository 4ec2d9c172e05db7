"""Input control: parameters of the input become levels, and its style is asked for."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject

from app.audio.input.history import Samples
from app.audio.input.settings import INPUT_STYLE
from app.inference.status import WorkerStatus
from app.interfaces import FollowProtocol, MemoryProtocol, OutputProtocol, WorkerProtocol
from app.live_controller import LiveController
from app.parameters.registry import Change, Registry
from app.session.follow_send import follow_settings
from app.session.style_send import LISTEN_SECONDS, SendTimer, audible
from app.window.input_view import InputView
from app.window.panels.input_strip import InputStrip
from app.window.sketch.control import SketchControl
from app.window.spectrogram.input_band import InputBand
from models.engine.interface import EngineInfo


class InputControl(QObject):
    """What the window does with the input.

    Args:
        registry: the parameters.
        output: the handle on the audio process.
        worker: embeds what was played.
        live: steers with it.
        strip: shows it.
        follow: hears it, and lets the band accompany.
        memory: writes it down, as a past that the music goes on from.
        band: of the spectrogram.

    """

    def __init__(
        self,
        registry: Registry,
        output: OutputProtocol,
        worker: WorkerProtocol,
        live: LiveController,
        strip: InputStrip,
        follow: FollowProtocol,
        memory: MemoryProtocol,
        band: InputBand,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self.registry, self.output, self.worker = registry, output, worker
        self.live, self.strip = live, strip
        self.follow, self.memory = follow, memory
        self.sketches = SketchControl(registry, output, worker, live, parent)
        strip.sketch.clicked.connect(self.sketches.open)
        self.view = InputView(output, memory, strip.meter, band)
        self._timer = SendTimer()
        self._running = False
        self._block_frames = 0
        self._unsubscribe = registry.subscribe(self._on_change)
        worker.style_terms.connect(self._show_terms)
        worker.status_changed.connect(self._show_status)
        live.engine_ready.connect(self._engine_ready)
        self._set_levels()

    def close(self) -> None:
        """Listen to nothing any more."""
        self.sketches.close()
        self._unsubscribe()

    def frame(self, seen: bool = True) -> None:
        """Meter, and the style's next hearing. Called for every frame of the window.

        seen: whether anybody looks; else nothing is drawn.
        """
        status = self.output.status().input
        if status.running != self._running:
            self._running = status.running
            self.strip.setVisible(status.running)
            self.strip.show_available()
            if not status.running:
                self.strip.show_terms(())
                self.live.forget_input()
                self.view.close()
        if not status.running:
            return
        if seen:
            self.strip.meter.set_levels(status.peak, status.hold, status.clips)
            understood = self.follow.words()
            self.strip.show_understood(understood)
            self.view.frame(understood)
        if self._listening() and self._timer.due(time.monotonic(), self.worker.next_bar()):
            self.worker.embed_audio(INPUT_STYLE, self._heard)

    def _listening(self) -> bool:
        get = self.registry.get
        return (
            self.registry.available("send.style")
            and self.registry.number("send.style") > 0.0
            and not get("input.freeze")
            and not get("input.mute")
        )

    def _heard(self) -> Samples:
        """The last seconds of input; called in the inference thread when their turn has come."""
        return audible(self.output.input.latest(LISTEN_SECONDS))

    def _show_terms(self, key: str, terms: tuple[str, ...]) -> None:
        if key == INPUT_STYLE and self._running:
            self.strip.show_terms(terms)

    def _show_status(self, status: WorkerStatus) -> None:
        self.strip.show_echo_dry(status.echo_dry and self.registry.number("send.echo") > 0.0)

    def _engine_ready(self, info: EngineInfo) -> None:
        self._block_frames = info.block_frames
        self.strip.show_available()
        self._set_follow()
        self._set_memory()

    def _on_change(self, change: Change) -> None:
        if change.name.startswith("input."):
            self._set_levels()
        if change.name.startswith(("send.follow", "follow.", "input.freeze")):
            self._set_follow()
        if change.name.startswith(("send.memory", "send.echo", "input.freeze")):
            self._set_memory()

    def _set_memory(self) -> None:
        registry = self.registry
        amount, echo = (
            registry.number(name) if registry.available(name) else 0.0
            for name in ("send.memory", "send.echo")
        )
        looper = self.registry.get("send.memory.mode") == "looper"
        self.strip.show_memory(amount > 0.0, looper)
        self.strip.show_echo(echo > 0.0)
        self.memory.configure(amount, bool(registry.get("input.freeze")), echo)

    def _set_follow(self) -> None:
        settings = follow_settings(self.registry)
        self.strip.show_follow(settings.amount > 0.0)
        self.follow.configure(settings, self._block_frames, bool(self.registry.get("input.freeze")))

    def _set_levels(self) -> None:
        registry = self.registry

        def linear(name: str) -> float:
            level = registry.number(name)
            return 0.0 if level <= registry[name].low else float(10.0 ** (level / 20.0))

        gain = 0.0 if registry.get("input.mute") else 10.0 ** (registry.number("input.gain") / 20.0)
        self.output.set_input_levels(gain, linear("input.gate"), linear("input.monitor"))

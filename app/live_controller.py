"""Live controller: changes of parameters, prompts and keys become the controls that are played.

Every change arrives through the registry, whatever its source. What changes at once goes to the
inference worker as one submission; while more follow, those of a frame do: the newest values win.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Final

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.audio.input.settings import INPUT_STYLE
from app.interfaces import WorkerProtocol
from app.parameters import catalogue
from app.parameters.magenta_parameters import PRESET_TRIGGERS
from app.parameters.part_parameters import REROLLS, set_engine_parts
from app.parameters.registry import Change
from app.scene_launcher import SceneLauncher
from app.session.document import Scene, SessionPrompt
from app.session.session import Session
from app.session.steering import NO_SOUNDS, Steering, steer
from app.session.style_loader import StyleLoader
from app.session.style_send import settled
from app.session.tap_tempo import TapTempo
from models.engine.control_values import TRIGGERS
from models.engine.controls import Style
from models.engine.interface import EngineInfo
from models.engine.triggers import STRIKE
from models.errors import SegueError
from models.music.hearing.sketch import Sketch

GATHER_MS: Final = 8
UNMARKED: Final = frozenset({"scene", "morph", "undo", "load", "availability", "orbit", "map"})
"""Sources whose changes get no mark in the spectrogram: their way would be a picket fence."""


class LiveController(QObject):
    """What is played now, as parameters, prompts, held keys and scenes say.

    Args:
        session: prompts, values and scenes.
        worker: takes the submissions.
        playhead: plan position that is heard now, in frames.

    """

    mix_changed = Signal()
    """The shares of the prompts may have changed."""
    styles_changed = Signal()
    """The style of a prompt came, failed, or is on its way."""
    engine_ready = Signal(object)
    """EngineInfo."""
    message = Signal(str, str)
    """Level and sentence."""
    sketches_changed = Signal()
    """Other sketches, or arrangements, are played."""
    notes_changed = Signal(object)
    """The held notes, tuple of MIDI numbers."""

    def __init__(
        self,
        session: Session,
        worker: WorkerProtocol,
        playhead: Callable[[], float],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.registry, self.worker = session, session.registry, worker
        self.style_loader = StyleLoader(worker.embed_text, worker.embed_audio)
        self.styles = self.style_loader.book
        self.scenes = SceneLauncher(
            session,
            worker,
            playhead,
            self.style_loader,
            self._steer,
            self.flush,
            self._set_mark,
            self,
        )
        self.scenes.message.connect(self.message)
        self.acting: frozenset[str] = frozenset()
        """Controls that the engine has; empty while there is no engine."""
        self.notes: tuple[int, ...] = ()
        self.sketches: tuple[Sketch, ...] = ()
        self._triggers: set[str] = set()  # those of the next submission
        self.kept_style: Callable[[str], Style | None] = lambda key: None
        """Style by its key, where it fails to come from the engine: of the prompt library."""
        self._last_style: Style | None = None
        self._last_sounds: Mapping[str, float] = NO_SOUNDS
        self._mark = ""
        self._mixed_keys: frozenset[str] = frozenset()
        self._flushed = 0.0
        self._tap = TapTempo()
        self._gather_timer = QTimer(self)
        self._gather_timer.setSingleShot(True)
        self._gather_timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._gather_timer.timeout.connect(self.flush)
        self._unsubscribes = [
            self.registry.subscribe(self._on_change),
            session.subscribe(self._on_topic),
        ]
        worker.engine_ready.connect(self._engine_ready)
        worker.style_ready.connect(self._style_ready)
        worker.style_failed.connect(self._style_failed)
        self._commands: dict[str, Callable[[Change], object]] = {
            "transport.play": self._play,
            "transport.hold": lambda change: self._hold(),
            "transport.clear": lambda change: self._clear(),
            "transport.panic": lambda change: self._panic(),
            "tempo.tap": self._tap_tempo,
            **dict.fromkeys((*TRIGGERS, *REROLLS), self._trigger),
            **dict.fromkeys(PRESET_TRIGGERS, self._preset),
            "edit.undo": lambda change: session.undo(),
            "edit.redo": lambda change: session.redo(),
        }

    def close(self) -> None:
        """Stop the timers, and listen to nothing any more."""
        self._gather_timer.stop()
        self.scenes.close()
        for unsubscribe in self._unsubscribes:
            unsubscribe()

    def frame(self) -> None:
        """What must happen at a time. Called for every frame of the window, seen or not."""
        self.scenes.frame()

    # -- engine ----------------------------------------------------------------------------------
    def _engine_ready(self, info: EngineInfo) -> None:
        self.acting = frozenset(info.controls)
        catalogue.set_engine_controls(
            self.registry, self.acting, info.ranges, info.defaults, info.rewinds
        )
        catalogue.set_engine_sends(self.registry, info.sends, self.acting)
        set_engine_parts(self.registry, info.parts, info.part_controls, "hold" in self.acting)
        self._last_style, self._last_sounds = None, NO_SOUNDS
        self.style_loader.engine_ready(self.session.prompts)
        self.engine_ready.emit(info)
        self._submit_soon()

    def _style_ready(self, key: str, style: Style) -> None:
        if key == INPUT_STYLE:
            before = self.styles.get(key)
            style = settled(before, style)
            if style is before:
                return
        self.styles.add(key, style)
        self.styles_changed.emit()
        self._submit_soon()

    def _style_failed(self, key: str, sentence: str) -> None:
        if key == INPUT_STYLE:
            return  # nothing was played: what was heard before stays
        kept = self.kept_style(key)
        if kept is not None:
            self._style_ready(key, kept)
            self.message.emit("warning", f"{sentence} What the library kept of it plays.")
            return
        self.styles.fail(key, sentence)
        self.styles_changed.emit()
        self.message.emit("warning", sentence)

    def forget_input(self) -> None:
        """The input is closed: what was heard of it no longer steers."""
        self.styles.remove(INPUT_STYLE)
        self._submit_soon()

    def retry_style(self, prompt: SessionPrompt) -> None:
        """Ask again for a style that failed: the performer has confirmed the prompt again."""
        self.style_loader.retry(prompt)
        self.styles_changed.emit()

    # -- changes ---------------------------------------------------------------------------------
    def _on_topic(self, topic: str) -> None:
        if topic == "prompts":
            self.style_loader.request(self.session.prompts)
            self.styles_changed.emit()
            self._submit_soon()
        elif topic == "moments":
            self.scenes.moments_read()
        elif topic == "opened":
            self.scenes.reset()

    def _on_change(self, change: Change) -> None:
        name = change.name
        command = self._commands.get(name)
        if command is not None:
            command(change)
        elif catalogue.matches(name, catalogue.SCENE_PATTERNS):
            self._value_changed(change)
        elif name.startswith("scene.") and change.source != "availability":
            self._scene_command(name)

    def _value_changed(self, change: Change) -> None:
        if change.name.startswith(("map.", "prompt.")) and change.name.endswith((".x", ".y")):
            return
        # A change by the performer ends a morph: the performer has the last word.
        if change.source not in ("morph", "availability", "load"):
            self.scenes.end_morph()
        self._mark = self._mark_for(change) or self._mark
        self._submit_soon()

    def _scene_command(self, name: str) -> None:
        match name.split("."):
            case ["scene", number, "save"]:
                self.scenes.save(int(number))
            case ["scene", number, "recall"]:
                self.scenes.recall(int(number))

    def _play(self, change: Change) -> None:
        self.worker.play() if self.registry.get(change.name) else self.worker.pause()

    def _hold(self) -> None:
        """Hold what sounds: by the engine's own loop of the score, or by a loop of the sound."""
        if "hold" in self.acting:
            self._mark = "hold" if self.registry.get("transport.hold") else self._mark
            self._submit_soon()
        else:
            self.worker.hold(bool(self.registry.get("transport.hold")))

    def _clear(self) -> None:
        self.registry.set("transport.hold", False, "clear")
        self.scenes.stay()
        self.worker.clear()

    def _tap_tempo(self, change: Change) -> None:
        tempo = self._tap.tap(time.monotonic())
        if tempo is not None:
            self.registry.set("tempo", round(tempo, 1), change.source)

    def _trigger(self, change: Change) -> None:
        """Send a trigger of the engine with the next submission, and only with that."""
        if change.source == "availability":
            return
        self._triggers.add(change.name)
        self._mark = self.registry[change.name].label.lower()
        self._submit_soon()

    def _preset(self, change: Change) -> None:
        """Set the controls of a preset, as one edit."""
        if change.source == "availability":
            return
        with self.session.edit(change.name), self.registry.batch():
            for name, value in PRESET_TRIGGERS[change.name].values.items():
                self.registry.set(name, value, change.source)
        self._mark = self.registry[change.name].label.lower()

    def _panic(self) -> None:
        self.set_notes(())
        self.set_sketches(())
        self.scenes.cancel()
        self.worker.panic()
        with self.registry.batch():
            for switch in ("transport.hold", "transport.play", "map.orbit"):
                self.registry.set(switch, False, "panic")
        self._submit_soon()

    def set_notes(self, notes: tuple[int, ...]) -> None:
        """Keys that are held on a keyboard, as MIDI numbers."""
        if notes != self.notes:
            if "strikes" in self.acting:
                # Sent even if the key is up again before the next submission.
                self._triggers.update(f"{STRIKE}{note}" for note in {*notes} - {*self.notes})
            self.notes = notes
            self.notes_changed.emit(notes)
            self._submit_soon()

    def set_sketches(self, sketches: tuple[Sketch, ...]) -> None:
        """Lines and grooves that parts play, one a part."""
        if sketches != self.sketches:
            self.sketches = sketches
            self.sketches_changed.emit()
            self._submit_soon()

    def stay(self) -> None:
        """The performer went elsewhere in the music: see `SceneLauncher.stay`."""
        self.scenes.stay()

    # -- submissions -----------------------------------------------------------------------------
    def _submit_soon(self) -> None:
        if not self._gather_timer.isActive():
            since = 1000.0 * (time.monotonic() - self._flushed)
            self._gather_timer.start(max(0, math.ceil(GATHER_MS - since)))

    def _set_mark(self, mark: str) -> None:
        self._mark = mark

    def flush(self) -> None:
        """Submit the present state now, with all changes gathered."""
        self._gather_timer.stop()
        self._flushed = time.monotonic()
        triggers = frozenset(self._triggers)
        self._triggers.clear()
        if self.acting:
            self._submit(triggers)
        self.mix_changed.emit()

    def _submit(self, triggers: frozenset[str]) -> None:
        steering = self._steer(self.session.scenes.current(), triggers)
        if steering is None:
            return
        self._last_style = steering.controls.style
        self._last_sounds = steering.controls.sounds
        self._mark_new_prompts()
        mark, self._mark = self._mark, ""
        self.worker.submit(steering.controls, steering.prompts, mark=mark)

    def _steer(self, scene: Scene, triggers: frozenset[str] = frozenset()) -> Steering | None:
        holding = bool(self.registry.get("transport.hold"))
        try:
            return steer(
                scene, self.styles, self.acting, self._last_style, self.notes, triggers,
                self.sketches, holding, self._last_sounds,
            )  # fmt: skip
        except SegueError as error:
            self.message.emit("warning", str(error))
            return None

    def _mark_for(self, change: Change) -> str:
        """Text in the spectrogram; only decisions have one."""
        if change.source in UNMARKED:
            return ""
        if change.name in ("tempo", "key"):
            return self.registry[change.name].text(self.registry.get(change.name))
        if change.name.startswith("stem."):
            return f"{change.name[5:]} {'in' if change.value else 'out'}"
        return ""

    def _mark_new_prompts(self) -> None:
        """Mark a prompt that is heard from now on, as it was written or its style arrived."""
        prompts = self.session.prompts
        ready = self.style_loader.ready_keys(prompts)
        fresh = [
            prompt.text
            for prompt, share in zip(prompts, self.session.prompts.shares(), strict=True)
            if share > 0.0 and prompt.style_key in ready - self._mixed_keys
        ]
        if fresh and self._mixed_keys and not self._mark and self.registry.get("transport.play"):
            self._mark = fresh[-1]
        self._mixed_keys = ready

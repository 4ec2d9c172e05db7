"""Between the session and the inference worker. GUI lane.

Everything that any hand changes arrives here through the registry, is gathered for one frame, and
goes to the worker as one submission: newest wins. What the worker tells goes to the window.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from PySide6.QtCore import QObject, QTimer, Signal, SignalInstance

from app.parameters import catalogue
from app.parameters.registry import Change
from app.session.document import Scene, SessionPrompt
from app.session.moments_file import drop_oldest, new_moment_key
from app.session.morph import Morph
from app.session.session import Session
from app.session.steering import StyleBook, steer
from app.session.tap_tempo import TapTempo
from models.engine.controls import Controls, Style
from models.errors import SegueError

GATHER_MS: Final = 8
MORPH_MS: Final = 50


class WorkerProtocol(Protocol):
    """What the window needs of `app.inference.worker.Worker`."""

    engine_ready: SignalInstance
    engine_failed: SignalInstance
    block_ready: SignalInstance
    plan_rewritten: SignalInstance
    status_changed: SignalInstance
    incident: SignalInstance
    style_ready: SignalInstance
    style_failed: SignalInstance
    marked: SignalInstance
    moment_ready: SignalInstance
    continued: SignalInstance

    def submit(
        self, controls: Controls, prompts: Any = (), *, mark: str = "", at: int | None = None
    ) -> None: ...
    def embed_text(self, key: str, text: str) -> None: ...
    def embed_audio(self, key: str, source: Any, sample_rate: int | None = None) -> None: ...
    def play(self) -> None: ...
    def pause(self) -> None: ...
    def hold(self, on: bool) -> None: ...
    def clear(self) -> None: ...
    def panic(self) -> None: ...
    def go_to(self, position: int) -> None: ...
    def request_moment(self, key: str) -> None: ...
    def go_to_moment(self, moment: Any) -> None: ...
    def continue_from(self, path: str) -> None: ...
    def new_performance(self, seed: int) -> None: ...
    def next_bar(self) -> int | None: ...


class LiveController(QObject):
    """Owns the styles and the scene that is on its way."""

    mix_changed = Signal()  # shares are others now
    styles_changed = Signal()
    scenes_moved = Signal()  # active, waiting or morphing pad is another one
    engine_known = Signal(object)  # EngineInfo
    said = Signal(str, str)  # level, sentence for the message line
    panicked = Signal()
    notes_moved = Signal(object)  # the notes held now

    def __init__(
        self,
        session: Session,
        worker: WorkerProtocol,
        playhead: Callable[[], float],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.registry, self.worker = session, session.registry, worker
        self.styles = StyleBook()
        self.acting: frozenset[str] = frozenset()
        self.notes: tuple[int, ...] = ()
        self.active_scene: int | None = None
        self.waiting_scene: tuple[int, int] | None = None  # number, plan position
        self.morph: tuple[int, Morph, float] | None = None  # number, way, when it began
        self._followed_by: tuple[str, str] | None = None
        """Key of the place that goes with the scene just recalled, while it is being read, and the
        scene's name."""
        self._playhead = playhead
        self._last_style: Style | None = None
        self._mark = ""
        self._ready: frozenset[str] = frozenset()  # style keys of the prompts that are mixed
        self._tap = TapTempo()
        self._gather = QTimer(self)
        self._gather.setSingleShot(True)
        self._gather.setInterval(GATHER_MS)
        self._gather.timeout.connect(self.flush)
        self._morph_timer = QTimer(self)
        self._morph_timer.setInterval(MORPH_MS)
        self._morph_timer.timeout.connect(self._step_morph)
        self._unsubscribes = [
            self.registry.subscribe(self._on_change),
            session.subscribe(self._on_topic),
        ]
        worker.engine_ready.connect(self._engine_ready)
        worker.style_ready.connect(self._style_ready)
        worker.style_failed.connect(self._style_failed)
        worker.moment_ready.connect(self._moment_kept)

    def close(self) -> None:
        self._gather.stop()
        self._morph_timer.stop()
        for unsubscribe in self._unsubscribes:
            unsubscribe()

    # -- from the worker -----------------------------------------------------------------------
    def _engine_ready(self, info: Any) -> None:
        self.acting = frozenset(info.controls)
        catalogue.set_engine_controls(self.registry, self.acting, info.ranges, info.defaults)
        self.styles.forget()
        self._last_style = None
        self._ask_for_styles()
        self.engine_known.emit(info)
        self._later()

    def _style_ready(self, key: str, style: Style) -> None:
        self.styles.arrived(key, style)
        self.styles_changed.emit()
        self._later()

    def _style_failed(self, key: str, sentence: str) -> None:
        self.styles.failed(key, sentence)
        self.styles_changed.emit()
        self.said.emit("warning", sentence)

    def _moment_kept(self, key: str, moment: Any) -> None:
        session = self.session
        session.add_moment(key, moment)
        drop_oldest(session.moments, session.document().moments)

    # -- from the hands ------------------------------------------------------------------------
    def _on_topic(self, topic: str) -> None:
        if topic == "prompts":
            self._ask_for_styles()
            self.styles_changed.emit()
            self._later()
        elif topic == "moments":
            self._follow()
        elif topic == "opened":
            self._forget_scenes()

    def _forget_scenes(self) -> None:
        """The scenes are others now: none of them is on its way, or here."""
        self._end_morph()
        self.active_scene = self.waiting_scene = self._followed_by = None
        self.scenes_moved.emit()

    def stay(self) -> None:
        """The performer has gone elsewhere in the music: a place that is still being read is no
        longer wanted."""
        self._followed_by = None

    def _follow(self) -> None:
        """Go to the place of the scene recalled, when it has been read."""
        if self._followed_by is None or self._followed_by[0] in self.session.pending_moments:
            return
        (key, name), self._followed_by = self._followed_by, None
        self._go_to_moment(key, name)

    def _go_to_moment(self, key: str, name: str) -> None:
        moment = self.session.moments.get(key)
        if moment is not None:
            self.worker.go_to_moment(moment)
        elif key in self.session.pending_moments:
            self._followed_by = (key, name)
            self.said.emit("info", f"“{name}” is back; its place in the music is still being read.")
        else:
            # Its file was missing or damaged, or it was of an engine that keeps none in files.
            self.said.emit("info", f"“{name}” is back, without its place in the music.")

    def _ask_for_styles(self) -> None:
        if not self.acting:
            return  # no engine yet
        for prompt in self.styles.wanted(self.session.prompts):
            self._embed(prompt)

    def _embed(self, prompt: SessionPrompt) -> None:
        if prompt.audio is not None:
            self.worker.embed_audio(prompt.style_key, prompt.audio)
        else:
            self.worker.embed_text(prompt.style_key, prompt.text)

    def retry_style(self, prompt: SessionPrompt) -> None:
        """The performer confirms a prompt again whose style failed."""
        self.styles.retry(prompt.style_key)
        self._ask_for_styles()
        self.styles_changed.emit()

    def _on_change(self, change: Change) -> None:
        name = change.name
        if catalogue.matches(name, catalogue.SCENE_PATTERNS):
            if name.startswith(("map.", "prompt.")) and name.endswith((".x", ".y")):
                return
            # A hand on a control ends a morph: the performer has the last word.
            if self.morph is not None and change.source not in ("morph", "availability", "load"):
                self._end_morph()
            self._later(self._mark_for(change))
        elif name == "transport.play":
            self.worker.play() if self.registry.get(name) else self.worker.pause()
        elif name == "transport.hold":
            self.worker.hold(bool(self.registry.get(name)))
        elif name == "transport.clear":
            self.stay()
            self.worker.clear()
        elif name == "transport.panic":
            self._panic()
        elif name == "tempo.tap":
            tempo = self._tap.tap(time.monotonic())
            if tempo is not None:
                self.registry.set("tempo", round(tempo, 1), change.source)
        elif name == "edit.undo":
            self.session.undo()
        elif name == "edit.redo":
            self.session.redo()
        elif name.startswith("scene.") and change.source != "availability":
            self._scene_command(name)

    def _mark_for(self, change: Change) -> str:
        """Only decisions are marked; a fader's way would be a picket fence."""
        if change.source in ("scene", "morph", "undo", "load", "availability", "orbit", "map"):
            return ""
        parameter = self.registry[change.name]
        if change.name in ("tempo", "key"):
            return parameter.text(self.registry.get(change.name))
        if change.name.startswith("stem."):
            return f"{change.name[5:]} {'in' if change.value else 'out'}"
        return ""

    def _later(self, mark: str = "") -> None:
        if mark:
            self._mark = mark
        if not self._gather.isActive():
            self._gather.start()

    def flush(self) -> None:
        """Send what has been gathered."""
        self._gather.stop()
        self.mix_changed.emit()
        if not self.acting:
            return
        result = self._steer(self.session.current_scene())
        if result is None:
            return
        self._last_style = result.controls.style
        self._mark_new_prompts()
        mark, self._mark = self._mark, ""
        self.worker.submit(result.controls, result.prompts, mark=mark)

    def _mark_new_prompts(self) -> None:
        """A prompt that is heard from now on, after it was written or its style arrived."""
        prompts = self.session.prompts
        ready = frozenset(p.style_key for p in prompts if self.styles.state(p)[0] == "ready")
        fresh = [
            prompt.text
            for prompt, share in zip(prompts, self.session.shares(), strict=True)
            if share > 0.0 and prompt.style_key in ready - self._ready
        ]
        if fresh and self._ready and not self._mark and self.registry.get("transport.play"):
            self._mark = fresh[-1]
        self._ready = ready

    def _steer(self, scene: Scene) -> Any:
        try:
            return steer(scene, self.styles, self.acting, self._last_style, self.notes)
        except SegueError as error:
            self.said.emit("warning", str(error))
            return None

    def set_notes(self, notes: tuple[int, ...]) -> None:
        """Keys that are held on a keyboard."""
        if notes != self.notes:
            self.notes = notes
            self.notes_moved.emit(notes)
            self._later()

    def _panic(self) -> None:
        self.set_notes(())
        self._end_morph()
        self.waiting_scene = None
        self.stay()
        self.worker.panic()
        with self.registry.batch():
            self.registry.set("transport.hold", False, "panic")
            self.registry.set("transport.play", False, "panic")
            self.registry.set("map.orbit", False, "panic")
        self.scenes_moved.emit()
        self.panicked.emit()
        self._later()

    # -- scenes --------------------------------------------------------------------------------
    def _scene_command(self, name: str) -> None:
        parts = name.split(".")
        if len(parts) != 3:
            return
        n = int(parts[1])
        if parts[2] == "save":
            self.save_scene(n)
        elif parts[2] == "recall":
            self.recall(n)

    def save_scene(self, n: int) -> None:
        moment = None
        if self.registry.get("scene.with_moment"):
            moment = new_moment_key()
            self.worker.request_moment(moment)
        self.session.save_scene(n, moment=moment)
        self.active_scene = n
        self.scenes_moved.emit()

    def recall(self, n: int) -> None:
        """As "scene.mode" says: at once, on the next bar, or as a morph."""
        scene = self.session.scenes[n - 1]
        if scene is None:
            self.said.emit("info", f"Pad {n} is empty; shift-click keeps what is now on it.")
            return
        self._end_morph()
        self.stay()
        mode = self.registry.get("scene.mode")
        if mode == "morph":
            way = self.session.begin_morph(n, self.registry.number("scene.morph_time"))
            if way is not None:
                self.morph = (n, way, time.monotonic())
                self._morph_timer.start()
                self._mark = f"→ {scene.name}"
        elif mode == "bar":
            self._on_next_bar(n, scene)
        else:
            self._now(n)
        self.scenes_moved.emit()

    def _on_next_bar(self, n: int, scene: Scene) -> None:
        at = self.worker.next_bar()
        if at is None:
            # Where no bars are known a scene comes at once, rather than never.
            self._now(n)
            return
        result = self._steer(scene)
        for prompt in self.styles.wanted(scene.prompts):
            self._embed(prompt)
        if result is not None and scene.moment is None:
            self.worker.submit(result.controls, result.prompts, mark=scene.name, at=at)
        self.waiting_scene = (n, at)

    def _now(self, n: int, mark: bool = True) -> None:
        scene = self.session.recall(n)
        self.waiting_scene = None
        if scene is None:
            return
        self.active_scene = n
        self._mark = scene.name if mark else ""
        self.flush()
        if scene.moment is not None:
            self._go_to_moment(scene.moment, scene.name)

    def frame(self) -> None:
        """Sixty times a second: bring in a scene whose bar has come."""
        if self.waiting_scene is not None and self._playhead() >= self.waiting_scene[1]:
            # Marked when it was submitted, at the bar itself.
            self._now(self.waiting_scene[0], mark=False)
            self.scenes_moved.emit()

    def _step_morph(self) -> None:
        if self.morph is None:
            self._morph_timer.stop()
            return
        n, way, began = self.morph
        if self.session.step_morph(way, time.monotonic() - began):
            self.active_scene = n
            self.morph = None
            self._morph_timer.stop()
        self.scenes_moved.emit()

    def _end_morph(self) -> None:
        if self.morph is not None:
            self.morph = None
            self._morph_timer.stop()
            self.scenes_moved.emit()

    @property
    def morph_progress(self) -> float:
        if self.morph is None:
            return 0.0
        _, way, began = self.morph
        return min((time.monotonic() - began) / max(way.seconds, 1e-6), 1.0)

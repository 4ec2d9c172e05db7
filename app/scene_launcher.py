"""Scene launcher: saves scenes, and recalls them at once, on the next bar or as a morph."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from app.interfaces import WorkerProtocol
from app.performance.moment import Moment
from app.session.document import Scene
from app.session.moments_file import drop_oldest, new_moment_key
from app.session.morph import Morph
from app.session.session import Session
from app.session.steering import Steering
from app.session.style_loader import StyleLoader

MORPH_MS: Final = 50


class SceneLauncher(QObject):
    """Which scene is active, which waits for its bar, and the morph on its way.

    Args:
        session: holds the scenes.
        worker: keeps moments and goes to them.
        playhead: plan position that is heard now, in frames.
        styles: loads the styles of a scene that waits.
        steer: what the engine would be told of a scene; None where that is refused.
        flush: sends the session's present state to the worker.
        set_mark: sets the text that the next submission gets in the spectrogram.

    """

    changed = Signal()
    """Another pad is active, waiting or morphing."""
    message = Signal(str, str)
    """Level and sentence."""

    def __init__(
        self,
        session: Session,
        worker: WorkerProtocol,
        playhead: Callable[[], float],
        styles: StyleLoader,
        steer: Callable[[Scene], Steering | None],
        flush: Callable[[], None],
        set_mark: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.registry, self.worker = session, session.registry, worker
        self._playhead, self._styles, self._steer = playhead, styles, steer
        self._flush, self._set_mark = flush, set_mark
        self.active: int | None = None
        self.waiting: tuple[int, int] | None = None
        """Number of the scene, and the plan position of its bar."""
        self.morph: tuple[int, Morph, float] | None = None
        """Number of the scene, the morph, and when it began."""
        self._unread_moment: tuple[str, str] | None = None
        """Key of the recalled scene's moment while it is read from disk, and the scene's name."""
        self._morph_timer = QTimer(self)
        self._morph_timer.setInterval(MORPH_MS)
        self._morph_timer.timeout.connect(self._step_morph)
        worker.moment_ready.connect(self._moment_kept)

    def close(self) -> None:
        """Stop the timer."""
        self._morph_timer.stop()

    @property
    def morph_progress(self) -> float:
        """0 to 1 of the morph on its way."""
        if self.morph is None:
            return 0.0
        _, morph, began = self.morph
        return min((time.monotonic() - began) / max(morph.seconds, 1e-6), 1.0)

    def reset(self) -> None:
        """Forget which scenes are active or on their way: another session was opened."""
        self.end_morph()
        self.active = self.waiting = self._unread_moment = None
        self.changed.emit()

    def cancel(self) -> None:
        """Let nothing that is on its way arrive (panic)."""
        self.end_morph()
        self.waiting = None
        self.stay()
        self.changed.emit()

    def stay(self) -> None:
        """Do not go to a moment that is still being read: the performer went elsewhere."""
        self._unread_moment = None

    # -- commands --------------------------------------------------------------------------------
    def save(self, n: int) -> None:
        """Save the present state as scene n, with its moment where "scene.with_moment" says so."""
        moment = None
        if self.registry.get("scene.with_moment"):
            moment = new_moment_key()
            self.worker.request_moment(moment)
        self.session.scenes.save(n, moment=moment)
        self.active = n
        self.changed.emit()

    def recall(self, n: int) -> None:
        """Recall scene n as "scene.mode" says."""
        scene = self.session.scenes[n - 1]
        if scene is None:
            self.message.emit("info", f"Pad {n} is empty; shift-click keeps what is now on it.")
            return
        self.end_morph()
        self.stay()
        mode = self.registry.get("scene.mode")
        if mode == "morph":
            morph = self.session.scenes.begin_morph(n, self.registry.number("scene.morph_time"))
            if morph is not None:
                self.morph = (n, morph, time.monotonic())
                self._morph_timer.start()
                self._set_mark(f"→ {scene.name}")
        elif mode == "bar":
            self._recall_on_next_bar(n, scene)
        else:
            self._recall_now(n)
        self.changed.emit()

    def _recall_on_next_bar(self, n: int, scene: Scene) -> None:
        at = self.worker.next_bar()
        if at is None:
            # Where no bars are known a scene comes at once, rather than never.
            self._recall_now(n)
            return
        steering = self._steer(scene)
        self._styles.request(scene.prompts)
        if steering is not None and scene.moment is None:
            self.worker.submit(steering.controls, steering.prompts, mark=scene.name, at=at)
        self.waiting = (n, at)

    def _recall_now(self, n: int, mark: bool = True) -> None:
        scene = self.session.scenes.recall(n)
        self.waiting = None
        if scene is None:
            return
        self.active = n
        self._set_mark(scene.name if mark else "")
        self._flush()
        if scene.moment is not None:
            self._go_to_moment(scene.moment, scene.name)

    def frame(self) -> None:
        """Recall the waiting scene once its bar is heard. Called for every frame drawn."""
        if self.waiting is not None and self._playhead() >= self.waiting[1]:
            # Its mark was set at the bar itself, when it was submitted.
            self._recall_now(self.waiting[0], mark=False)
            self.changed.emit()

    # -- morph -----------------------------------------------------------------------------------
    def _step_morph(self) -> None:
        if self.morph is None:
            self._morph_timer.stop()
            return
        n, morph, began = self.morph
        if self.session.scenes.step_morph(morph, time.monotonic() - began):
            self.active = n
            self.end_morph()
        else:
            self.changed.emit()

    def end_morph(self) -> None:
        """Leave the values where the morph has brought them."""
        if self.morph is not None:
            self.morph = None
            self._morph_timer.stop()
            self.changed.emit()

    # -- moments ---------------------------------------------------------------------------------
    def _moment_kept(self, key: str, moment: Moment) -> None:
        self.session.add_moment(key, moment)
        drop_oldest(self.session.moments, self.session.document().moments)

    def moments_read(self) -> None:
        """Go to the moment of the scene recalled, if it is among those that were read."""
        if self._unread_moment is None or self._unread_moment[0] in self.session.pending_moments:
            return
        (key, name), self._unread_moment = self._unread_moment, None
        self._go_to_moment(key, name)

    def _go_to_moment(self, key: str, name: str) -> None:
        moment = self.session.moments.get(key)
        if moment is not None:
            self.worker.go_to_moment(moment)
        elif key in self.session.pending_moments:
            self._unread_moment = (key, name)
            self.message.emit(
                "info", f"“{name}” is back; its place in the music is still being read."
            )
        else:
            # Its file was missing or damaged, or its engine keeps no moments in files.
            self.message.emit("info", f"“{name}” is back, without its place in the music.")

"""Prompt actions: editing a prompt over its strip, adding one, sounds dropped on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtWidgets import QWidget

from app.session.document import SessionPrompt
from app.session.session import Session
from app.window.jobs import Jobs, sound_outline
from app.window.prompts.editor import PromptEditor
from app.window.prompts.map.view import PromptMapView
from app.window.prompts.mixer import PromptMixer
from app.window.prompts.strip_menu import strip_menu
from models.errors import SegueError


class PromptActions(QObject):
    """What strips, map and editor ask for.

    Args:
        session: holds the prompts.
        editor: edits the text of one of them.
        mixer, plane: where they stand, as strips and on the map.
        jobs: reads sound files.
        retry_style: called where a prompt is confirmed unchanged.
        locked: whether prompts may not be edited (stage mode).
        window: parent of menus; the editor is placed within its `centre`.

    """

    message = Signal(str, str)
    """Level and sentence."""
    outlines_changed = Signal()

    def __init__(
        self,
        session: Session,
        editor: PromptEditor,
        mixer: PromptMixer,
        plane: PromptMapView,
        jobs: Jobs,
        retry_style: Callable[[SessionPrompt], None],
        locked: Callable[[], bool],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self.session, self.editor, self.mixer, self.plane = session, editor, mixer, plane
        self._jobs, self._retry_style, self._locked, self._window = (
            jobs, retry_style, locked, window,
        )  # fmt: skip
        self.outlines: dict[str, list[float]] = {}
        """Peaks of the sounds that are prompts, by path."""
        for source in (mixer, plane):
            source.edit_requested.connect(self.edit)
        mixer.add_requested.connect(self.add)
        mixer.menu_requested.connect(self.open_menu)
        mixer.sound_dropped.connect(self.use_sound)
        mixer.words_dropped.connect(self.confirm)
        editor.confirmed.connect(self.confirm)
        editor.sound_chosen.connect(self.use_sound)
        editor.message.connect(self.message)

    def edit(self, n: int) -> None:
        """Open the editor over strip n, or over its place on the map."""
        if not self._locked():
            prompt = self.session.prompts[n - 1]
            self.editor.open_at(n, prompt.text, self._anchor(n), prompt.audio)

    def _anchor(self, n: int) -> QPoint:
        centre = self.editor.parentWidget()
        assert centre is not None
        if self.session.registry.get("view") == "mixer":
            strip = self.mixer.strips[n - 1]
            anchor = strip.mapTo(centre, strip.rect().center())
            return QPoint(anchor.x(), anchor.y() + strip.height() // 4)
        return self.plane.mapTo(
            centre, self.plane.to_screen(self.session.prompts.points()[n - 1]).toPoint()
        )

    def add(self) -> None:
        """Add a strip, and open its editor."""
        try:
            n = self.session.prompts.add(weight=1.0)
        except SegueError as error:
            self.message.emit("info", str(error))
            return
        self.edit(n)

    def confirm(self, n: int, text: str) -> None:
        """Take the text that was written for prompt n."""
        if n > len(self.session.prompts):
            return
        prompt = self.session.prompts[n - 1]
        if (prompt.text, prompt.audio) == (text, None):
            self._retry_style(prompt)
        else:
            self.session.prompts.set(n, text=text)

    def use_sound(self, n: int, path: str) -> None:
        """Make prompt n a sound."""
        if n <= len(self.session.prompts):
            self.session.prompts.set(n, text=Path(path).stem, audio=path)

    def open_menu(self, n: int, position: QPoint) -> None:
        """Show the context menu of strip n, unless prompts are locked."""
        if not self._locked() and n <= len(self.session.prompts):
            strip_menu(self.session, n, self.edit, self.editor.choose_sound, self._window).popup(
                position
            )

    def load_outlines(self) -> None:
        """Read the outlines of sounds that are new, in the thread pool."""
        for prompt in self.session.prompts:
            if prompt.audio is not None and prompt.audio not in self.outlines:
                self._load_outline(prompt.audio)

    def _load_outline(self, path: str) -> None:
        self.outlines[path] = []

        def done(peaks: list[float]) -> None:
            self.outlines[path] = peaks
            self.outlines_changed.emit()

        # A file that cannot be read is reported by the worker, which needs it too.
        self._jobs.start(lambda: sound_outline(path), done, lambda sentence: None)

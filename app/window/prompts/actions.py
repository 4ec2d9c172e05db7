"""Writing prompts: the editor over a strip, sounds dropped on it, their outlines. GUI lane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint

from app.window.jobs import sound_outline
from models.errors import SegueError

if TYPE_CHECKING:
    from app.window.main_window import MainWindow


class PromptActions:
    """What the window does when words or sounds of a prompt change."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        self.session = window.session
        self.outlines: dict[str, list[float]] = {}

    def edit(self, n: int) -> None:
        """Open the editor over strip n, or over its place on the map."""
        window = self.window
        if window.stage.on:
            return
        window.editor.open_at(n, self.session.prompts[n - 1].text, self._anchor(n))

    def _anchor(self, n: int) -> QPoint:
        window = self.window
        if window.registry.get("view") == "mixer":
            strip = window.mixer.strips[n - 1]
            anchor = strip.mapTo(window.centre, strip.rect().center())
            return QPoint(anchor.x(), anchor.y() + strip.height() // 4)
        plane = window.map_panel.map
        return plane.mapTo(window.centre, plane.to_screen(self.session.points()[n - 1]).toPoint())

    def add(self) -> None:
        """A new strip, and its editor."""
        try:
            n = self.session.add_prompt(weight=1.0)
        except SegueError as error:
            self.window.say("info", str(error))
            return
        self.edit(n)

    def confirm(self, n: int, text: str) -> None:
        """The performer has written prompt n."""
        if n > len(self.session.prompts):
            return
        prompt = self.session.prompts[n - 1]
        if (prompt.text, prompt.audio) == (text, None):
            self.window.conductor.retry_style(prompt)
        else:
            self.session.set_prompt(n, text=text)

    def use_sound(self, n: int, path: str) -> None:
        """Prompt n is a sound from now on."""
        if n <= len(self.session.prompts):
            self.session.set_prompt(n, text=Path(path).stem, audio=path)

    def draw_outlines(self) -> None:
        """Read the outlines of sounds that are new, off the GUI lane."""
        for prompt in self.session.prompts:
            if prompt.audio is not None and prompt.audio not in self.outlines:
                self._read(prompt.audio)

    def _read(self, path: str) -> None:
        self.outlines[path] = []

        def done(peaks: list[float]) -> None:
            self.outlines[path] = peaks
            self.window.show_styles()

        # A file that cannot be read is reported by the worker, which needs it too.
        self.window.jobs.start(lambda: sound_outline(path), done, lambda sentence: None)

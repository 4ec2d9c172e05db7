"""Embeddings of the prompt library: kept when the engine gives them, used where a file is gone."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from app.live_controller import LiveController
from app.session.prompts.library import PromptLibrary
from models.engine.controls import Style
from models.engine.interface import EngineInfo
from models.errors import SegueError


class LibraryStyles(QObject):
    """Joins the prompt library to the styles of what plays.

    Args:
        library: of the performer's prompts.
        live: whose engine gives the styles.
        say: takes level and sentence.

    """

    def __init__(
        self,
        library: PromptLibrary,
        live: LiveController,
        say: Callable[[str, str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._library, self._live, self._say = library, live, say
        self._engine: EngineInfo | None = None
        live.engine_ready.connect(self._engine_ready)
        live.styles_changed.connect(self._learn)
        live.kept_style = self._style_for

    def request(self) -> None:
        """Ask the engine for the embeddings that are not known, such as of what was just kept."""
        if self._engine is not None:
            self._live.style_loader.request(self._library.unknown(self._engine.name))
            self._learn()

    def _engine_ready(self, info: EngineInfo) -> None:
        self._engine = info

    def _learn(self) -> None:
        """Keep what has become known."""
        if self._engine is None:
            return
        for prompt in self._library.unknown(self._engine.name):
            style = self._live.styles.get(prompt.style_key)
            if style is None:
                continue
            try:
                self._library.learn(prompt.style_key, self._engine.name, style)
            except SegueError as error:
                self._say("warning", str(error))
                return

    def _style_for(self, key: str) -> Style | None:
        if self._engine is None:
            return None
        style = self._library.style_for(key, self._engine.name)
        return style if style is not None and len(style) == self._engine.style_dim else None

"""Style loader: asks the worker for the styles of prompts, and keeps the answers."""

from __future__ import annotations

from collections.abc import Callable

from app.session.document import SessionPrompt
from app.session.steering import StyleBook
from models.engine.controls import Style


class StyleLoader:
    """Style book that is filled by requests to an engine.

    embed_text and embed_audio take a key and a text or a path; whoever answers calls `arrived` or
    `failed` with that key. Nothing is requested before `engine_ready`.
    """

    def __init__(
        self, embed_text: Callable[[str, str], None], embed_audio: Callable[[str, str], None]
    ) -> None:
        self.book = StyleBook()
        self._embed_text, self._embed_audio = embed_text, embed_audio
        self._engine_ready = False

    def engine_ready(self, prompts: tuple[SessionPrompt, ...]) -> None:
        """Start over with a new engine, whose styles are others."""
        self._engine_ready = True
        self.book.forget()
        self.request(prompts)

    def request(self, prompts: tuple[SessionPrompt, ...]) -> None:
        """Ask for the styles of these prompts that are neither known nor on their way."""
        if not self._engine_ready:
            return
        for prompt in self.book.wanted(prompts):
            if prompt.audio is not None:
                self._embed_audio(prompt.style_key, prompt.audio)
            else:
                self._embed_text(prompt.style_key, prompt.text)

    def retry(self, prompt: SessionPrompt) -> None:
        """Ask again for a style that failed."""
        self.book.retry(prompt.style_key)
        self.request((prompt,))

    def ready_keys(self, prompts: tuple[SessionPrompt, ...]) -> frozenset[str]:
        """Keys of the prompts whose style is known."""
        return frozenset(p.style_key for p in prompts if self.book.state(p)[0] == "ready")

    def arrived(self, key: str, style: Style) -> None:
        """Keep a style that the engine made."""
        self.book.arrived(key, style)

    def failed(self, key: str, sentence: str) -> None:
        """Keep why there is no style."""
        self.book.failed(key, sentence)
